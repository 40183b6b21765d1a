//! Finds the rows that a table has for some ids, by reading four leaves of its files.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, Int64Array, RecordBatch, StringArray, StructArray};
use fhir_arrow::{Instant, parse_instant};
use futures::StreamExt;

use super::candidate::Version;
use crate::error::{Error, Result};
use crate::lake::data_file;
use crate::lake::table::{DataFile, Table};

/// What is read of each row.
const LEAVES: [&str; 4] = ["id", "meta.lastUpdated", "__row_hash", "__export_id"];

/// A row that the table has.
#[derive(Debug, Clone, Copy)]
pub struct Existing {
    /// Index of its file in the table's files.
    pub file: usize,
    /// Its number in the file.
    pub row: u64,
    /// Its version.
    pub version: Version,
    /// Its hash.
    pub row_hash: Option<i64>,
}

/// Id → the row that the table has of it.
pub type Located = HashMap<Box<str>, Existing>;

/// Finds the rows of `wanted` ids.
pub async fn locate(
    table: &Table,
    files: &[DataFile],
    wanted: &HashSet<&str>,
    transaction_times: &HashMap<String, Instant>,
) -> Result<Located> {
    let mut located = Located::new();
    if wanted.is_empty() {
        return Ok(located);
    }
    for (file, data_file) in files.iter().enumerate() {
        let mut batches = data_file::read(table, data_file, Some(&LEAVES)).await?;
        let mut row = 0_u64;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(Error::parquet(table.name(), "read"))?;
            for found in rows(table, &batch)? {
                if let Some(id) = found.id.filter(|id| wanted.contains(id)) {
                    let transaction_time =
                        found.export_id.and_then(|export_id| transaction_times.get(export_id)).copied();
                    let version = Version { last_updated: found.last_updated(), transaction_time };
                    let existing = Existing { file, row, version, row_hash: found.row_hash };
                    if located.insert(id.into(), existing).is_some() {
                        return Err(Error::Damaged {
                            path: format!("tables/{}", table.name()),
                            reason: "it has two rows of one id".to_owned(),
                        });
                    }
                }
                row += 1;
            }
        }
    }
    Ok(located)
}

struct Row<'a> {
    id: Option<&'a str>,
    last_updated: Option<&'a str>,
    row_hash: Option<i64>,
    export_id: Option<&'a str>,
}

impl Row<'_> {
    fn last_updated(&self) -> Option<Instant> {
        self.last_updated.and_then(parse_instant)
    }
}

/// The leaves of a batch, row by row. A file may have left out a column that has no value in it.
fn rows<'a>(table: &Table, batch: &'a RecordBatch) -> Result<impl Iterator<Item = Row<'a>>> {
    let strings =
        |name| batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<StringArray>());
    let ids = strings("id").ok_or_else(|| Error::Damaged {
        path: format!("tables/{}", table.name()),
        reason: "a data file has no column id of text".to_owned(),
    })?;
    let exports = strings("__export_id");
    let hashes =
        batch.column_by_name("__row_hash").and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    let meta = batch.column_by_name("meta").and_then(|column| column.as_any().downcast_ref::<StructArray>());
    let updated = meta
        .and_then(|meta| meta.column_by_name("lastUpdated"))
        .and_then(|column| column.as_any().downcast_ref::<StringArray>());
    fn text(column: Option<&StringArray>, row: usize) -> Option<&str> {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }
    Ok((0..batch.num_rows()).map(move |row| Row {
        id: text(Some(ids), row),
        last_updated: text(updated.filter(|_| meta.is_some_and(|meta| meta.is_valid(row))), row),
        row_hash: hashes.filter(|hashes| hashes.is_valid(row)).map(|hashes| hashes.value(row)),
        export_id: text(exports, row),
    }))
}
