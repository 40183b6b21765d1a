//! What a run leaves on record beside its tables: files, tombstones, quarantined lines.
//!
//! One invariant: names and columns are the contract that users' queries rely on. No identifying text outside of
//! `_quarantine.content`, which holds a refused line as it came.

use std::collections::{BTreeSet, HashMap};

use arrow::datatypes::{DataType, Field, Schema};
use chrono::{DateTime, Utc};
use fhir_arrow::{Instant, parse_instant};
use serde::{Deserialize, Serialize};

use super::exports::timestamp;
use super::own::{self, Edit, OwnRow};
use super::table::RunStamp;
use crate::error::Result;
use crate::storage::Root;

pub(super) fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

/// `_files`: a file as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// The run.
    pub export_id: String,
    /// `output`, `deleted` or `error`.
    pub section: String,
    /// The manifest's type, or the type of an ingested file's lines.
    pub resource_type: String,
    /// Where it came from, redacted.
    pub url: String,
    /// Its path in the lake.
    pub path: String,
    /// Bytes, uncompressed.
    pub byte_count: i64,
    /// Lines that are not blank.
    pub line_count: i64,
    /// The manifest's `count`.
    pub manifest_count: Option<i64>,
    /// Of the uncompressed bytes, in hexadecimal.
    pub sha256: String,
    /// How often the download was started again.
    pub retries: i64,
}

impl OwnRow for FileRow {
    const TABLE: &'static str = "_files";

    fn schema() -> Schema {
        Schema::new(vec![
            text("export_id"),
            text("section"),
            text("resource_type"),
            text("url"),
            text("path"),
            number("byte_count"),
            number("line_count"),
            number("manifest_count"),
            text("sha256"),
            number("retries"),
        ])
    }
}

/// `_deletions`: a tombstone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionRow {
    /// The deleted resource's type.
    pub resource_type: String,
    /// The deleted resource's id.
    pub id: String,
    /// `server`: the server reported it.
    pub cause: String,
    /// Versions up to this instant are deleted.
    pub deleted_at: DateTime<Utc>,
    /// The run that brought it.
    pub export_id: String,
}

impl OwnRow for DeletionRow {
    const TABLE: &'static str = "_deletions";

    fn schema() -> Schema {
        Schema::new(vec![
            text("resource_type"),
            text("id"),
            text("cause"),
            Field::new("deleted_at", timestamp(), true),
            text("export_id"),
        ])
    }
}

/// Resource type → id → the instant up to which its versions are deleted.
#[derive(Debug, Clone, Default)]
pub struct Tombstones(HashMap<String, HashMap<String, Instant>>);

impl Tombstones {
    /// Adds one; of two for the same resource the later stands.
    pub fn add(&mut self, resource_type: &str, id: &str, deleted_at: Instant) {
        let of_type = self.0.entry(resource_type.to_owned()).or_default();
        let stands = of_type.entry(id.to_owned()).or_insert(deleted_at);
        *stands = deleted_at.max(*stands);
    }

    /// Until when a resource is deleted.
    pub fn of(&self, resource_type: &str, id: &str) -> Option<Instant> {
        self.0.get(resource_type)?.get(id).copied()
    }

    fn from_rows(rows: &[DeletionRow]) -> Self {
        let mut all = Self::default();
        for row in rows {
            if let Some(deleted_at) = parse_instant(&row.deleted_at.to_rfc3339()) {
                all.add(&row.resource_type, &row.id, deleted_at);
            }
        }
        all
    }
}

/// What came of recording a run's tombstones.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The resource types of which a tombstone says something new.
    pub new: BTreeSet<String>,
    /// The version of the table that holds them.
    pub version: Option<u64>,
}

/// Commits the run's tombstones that say something new, before any table: a slower run beside it then sees them.
pub async fn record_tombstones(root: &Root, run: &RunStamp, rows: &[DeletionRow]) -> Result<Recorded> {
    if rows.is_empty() {
        return Ok(Recorded::default());
    }
    let types =
        |rows: &[DeletionRow]| rows.iter().map(|row| row.resource_type.clone()).collect::<BTreeSet<_>>();
    // A run that recorded them before it was interrupted no longer knows which were new.
    let mut new = types(rows);
    let version = own::edit(root, run, async |table| {
        let standing = Tombstones::from_rows(&own::rows_of(table).await?);
        let says_more = |row: &&DeletionRow| {
            let before = standing.of(&row.resource_type, &row.id);
            before.is_none_or(|before| before.micros() < row.deleted_at.timestamp_micros())
        };
        let rows: Vec<_> = rows.iter().filter(says_more).cloned().collect();
        new = types(&rows);
        Ok(if rows.is_empty() { Edit::Keep } else { Edit::Append(rows) })
    })
    .await?;
    Ok(Recorded { new, version })
}

/// The tombstones that stand.
pub async fn tombstones(root: &Root) -> Result<Tombstones> {
    Ok(Tombstones::from_rows(&own::rows::<DeletionRow>(root).await?))
}

/// `_quarantine`: a line that could not become a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRow {
    /// The run.
    pub export_id: String,
    /// The type that the line says, or the manifest says of its file.
    pub resource_type: Option<String>,
    /// The line's id, where it can be read.
    pub id: Option<String>,
    /// The raw file.
    pub raw_file: String,
    /// The line's number in it, from 1, blank lines counted.
    pub line_number: i64,
    /// Where the line begins.
    pub byte_offset: i64,
    /// Its length, without the line's end.
    pub byte_length: i64,
    /// Where in the resource, as far as it is known.
    pub element_path: Option<String>,
    /// FHIR's issue type: `structure`, `required`, `value`, `invalid`, …
    pub issue_code: String,
    /// What is wrong, without the values.
    pub reason: String,
    /// The line's bytes; none of a line that is longer than [`QuarantineRow::MAX_CONTENT`].
    #[serde(with = "hexadecimal")]
    pub content: Option<Vec<u8>>,
}

impl QuarantineRow {
    /// The longest line, in bytes, that is kept in the table too and not in its raw file alone.
    pub const MAX_CONTENT: u64 = 64 << 20;
}

/// Bytes as arrow-json reads them.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(hex::encode).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(hex::decode).transpose().map_err(serde::de::Error::custom)
    }
}

/// Of a quarantined line no more than its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFile {
    /// The raw file.
    pub raw_file: String,
}

impl OwnRow for RefusedFile {
    const TABLE: &'static str = QuarantineRow::TABLE;

    fn schema() -> Schema {
        Schema::new(vec![text("raw_file")])
    }
}

impl OwnRow for QuarantineRow {
    const TABLE: &'static str = "_quarantine";

    fn schema() -> Schema {
        Schema::new(vec![
            text("export_id"),
            text("resource_type"),
            text("id"),
            text("raw_file"),
            number("line_number"),
            number("byte_offset"),
            number("byte_length"),
            text("element_path"),
            text("issue_code"),
            text("reason"),
            Field::new("content", DataType::Binary, true),
        ])
    }
}
