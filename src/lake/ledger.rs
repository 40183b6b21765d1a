//! What a run leaves on record beside its tables: files and tombstones.
//!
//! One invariant: names and columns are the contract that users' queries rely on.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use delta_upsert::{Buried, IdHash, Key, Stamp, data_file};
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

/// The cause of a tombstone: the server reported a deletion.
pub const SERVER: &str = "server";
/// The cause of a tombstone: a complete export did not bring the resource.
pub const ABSENT: &str = "absent";

/// `_deletions`: a tombstone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionRow {
    /// The deleted resource's type.
    pub resource_type: String,
    /// The deleted resource's id.
    pub id: String,
    /// [`SERVER`] or [`ABSENT`].
    pub cause: String,
    /// [`SERVER`]: versions up to this instant are deleted. [`ABSENT`]: what was exported up to this instant is.
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

/// Of the ids of sorted keys those that are deleted, each with what is.
pub async fn tombstones(root: &Root, resource_type: &str, keys: &[Key]) -> Result<HashMap<IdHash, Buried>> {
    let mut all = HashMap::new();
    let Some(table) = table::open(root, DeletionRow::TABLE).await? else { return Ok(all) };
    let columns = ["resource_type", "id", "cause", "deleted_at"];
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
    all: &mut HashMap<IdHash, Buried>,
    batch: &RecordBatch,
    resource_type: &str,
    keys: &[Key],
) -> Option<()> {
    let types = batch.column_by_name("resource_type")?.as_string_opt::<i32>()?;
    let ids = batch.column_by_name("id")?.as_string_opt::<i32>()?;
    let causes = batch.column_by_name("cause")?.as_string_opt::<i32>()?;
    let times = batch.column_by_name("deleted_at")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    for row in (0..batch.num_rows()).filter(|row| types.value(*row) == resource_type) {
        let id = IdHash::of(ids.value(row));
        if keys.binary_search_by(|key| key.id.cmp(&id)).is_ok() {
            let buried = all.entry(id).or_insert(Buried::NOTHING);
            // What was only absent may come back with the version that it had.
            let until = if causes.value(row) == ABSENT { &mut buried.seen } else { &mut buried.at };
            *until = times.value(row).max(*until);
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
        let key = |row: &DeletionRow| (row.resource_type.clone(), row.id.clone(), row.cause == ABSENT);
        let mut standing: HashMap<_, DateTime<Utc>> = HashMap::new();
        for row in own::rows_of::<DeletionRow>(table).await? {
            let stands = standing.entry(key(&row)).or_insert(row.deleted_at);
            *stands = row.deleted_at.max(*stands);
        }
        let says_more = |row: &&DeletionRow| {
            let before = standing.get(&key(row));
            before.is_none_or(|before| *before < row.deleted_at)
        };
        let rows: Vec<_> = rows.iter().filter(says_more).cloned().collect();
        new = types(&rows);
        Ok(if rows.is_empty() { Edit::Keep } else { Edit::Append(rows) })
    })
    .await?;
    Ok(Recorded { new, version })
}
