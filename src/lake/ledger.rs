//! What a run leaves on record beside its tables: files and tombstones.
//!
//! One invariant: names and columns are the contract that users' queries rely on.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use delta_upsert::{IdHash, Key, Stamp, data_file};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::exports::timestamp;
use super::own::{self, Edit, OwnRow};
use super::table;
use crate::error::{Error, Result};
use crate::storage::Root;

pub(super) fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

pub(super) fn number(name: &str) -> Field {
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

/// Of the ids of sorted keys those that are deleted, each with the microsecond up to which its versions are.
pub async fn tombstones(root: &Root, resource_type: &str, keys: &[Key]) -> Result<HashMap<IdHash, i64>> {
    let mut all = HashMap::new();
    let Some(table) = table::open(root, DeletionRow::TABLE).await? else { return Ok(all) };
    let columns = ["resource_type", "id", "deleted_at"];
    for file in table.files()? {
        let mut batches = data_file::read(&table, &file, Some(&columns)).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(Error::parquet(DeletionRow::TABLE))?;
            add_tombstones(&mut all, &batch, resource_type, keys).ok_or_else(|| Error::Damaged {
                path: format!("tables/{}/{}", DeletionRow::TABLE, file.path),
                reason: "its columns are not those of tombstones".to_owned(),
            })?;
        }
    }
    Ok(all)
}

fn add_tombstones(
    all: &mut HashMap<IdHash, i64>,
    batch: &RecordBatch,
    resource_type: &str,
    keys: &[Key],
) -> Option<()> {
    let types = batch.column_by_name("resource_type")?.as_string_opt::<i32>()?;
    let ids = batch.column_by_name("id")?.as_string_opt::<i32>()?;
    let times = batch.column_by_name("deleted_at")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    for row in (0..batch.num_rows()).filter(|row| types.value(*row) == resource_type) {
        let id = IdHash::of(ids.value(row));
        if keys.binary_search_by(|key| key.id.cmp(&id)).is_ok() {
            let stands = all.entry(id).or_insert(i64::MIN);
            *stands = times.value(row).max(*stands);
        }
    }
    Some(())
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
pub async fn record_tombstones(root: &Root, run: &Stamp, rows: &[DeletionRow]) -> Result<Recorded> {
    if rows.is_empty() {
        return Ok(Recorded::default());
    }
    let types =
        |rows: &[DeletionRow]| rows.iter().map(|row| row.resource_type.clone()).collect::<BTreeSet<_>>();
    // A run that recorded them before it was interrupted no longer knows which were new.
    let mut new = types(rows);
    let version = own::edit(root, run, async |table| {
        let mut standing: HashMap<(String, String), DateTime<Utc>> = HashMap::new();
        for row in own::rows_of::<DeletionRow>(table).await? {
            let stands = standing.entry((row.resource_type, row.id)).or_insert(row.deleted_at);
            *stands = row.deleted_at.max(*stands);
        }
        let says_more = |row: &&DeletionRow| {
            let before = standing.get(&(row.resource_type.clone(), row.id.clone()));
            before.is_none_or(|before| *before < row.deleted_at)
        };
        let rows: Vec<_> = rows.iter().filter(says_more).cloned().collect();
        new = types(&rows);
        Ok(if rows.is_empty() { Edit::Keep } else { Edit::Append(rows) })
    })
    .await?;
    Ok(Recorded { new, version })
}
