//! The keys of resources: what a row's id, version and content hash to.
//!
//! One invariant: a key is made of its row and of `_exports` alone, so the keys of a data file that has none (another program
//! has compacted the table, say) can be made when they are needed.

use std::collections::HashMap;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray, StructArray};
use delta_upsert::{DataFile, Existing, IdHash, KeyFileBuilder, Table, Version, data_file};
use fhir_arrow::{Instant, parse_instant};
use futures::StreamExt;

use crate::error::{Error, Result};

/// What is read of a data file to make its keys.
const COLUMNS: [&str; 4] = ["id", "meta.lastUpdated", "__row_hash", "__export_id"];

/// What decides between two versions of a resource: the later `meta.lastUpdated`; where the server gives none, it is
/// known to have been the server's at the transaction time. Then the later transaction time.
pub fn version(last_updated: Option<Instant>, transaction_time: Instant) -> Version {
    let at = last_updated.unwrap_or(transaction_time);
    Version { at: at.micros(), beyond: at.beyond(), seen: transaction_time.micros() }
}

/// The keys of a data file, out of the file itself. `transaction_times` are those of the runs that are finished.
pub async fn build(
    table: &Table,
    file: &DataFile,
    transaction_times: &HashMap<String, Instant>,
) -> Result<KeyFileBuilder> {
    let mut keys = KeyFileBuilder::default();
    let mut batches = data_file::read(table, file, Some(&COLUMNS)).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(Error::parquet(table.name()))?;
        push(&mut keys, &batch, transaction_times).ok_or_else(|| Error::Damaged {
            path: format!("tables/{}/{}", table.name(), file.path),
            reason: "it has a row without id, or no column id of text".to_owned(),
        })?;
    }
    Ok(keys)
}

/// Adds the rows of a batch. A file may have left out a column that has no value in it.
fn push(
    keys: &mut KeyFileBuilder,
    batch: &RecordBatch,
    transaction_times: &HashMap<String, Instant>,
) -> Option<()> {
    let strings =
        |name| batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<StringArray>());
    let (ids, exports) = (strings("id")?, strings("__export_id"));
    let hashes =
        batch.column_by_name("__row_hash").and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    let meta = batch.column_by_name("meta").and_then(|column| column.as_any().downcast_ref::<StructArray>());
    let updated = meta
        .and_then(|meta| meta.column_by_name("lastUpdated"))
        .and_then(|column| column.as_any().downcast_ref::<StringArray>());
    fn text(column: Option<&StringArray>, row: usize) -> Option<&str> {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }
    for row in 0..batch.num_rows() {
        let updated = updated.filter(|_| meta.is_some_and(|meta| meta.is_valid(row)));
        // A run that is not finished has no transaction time yet: whatever is finished is later.
        let seen = text(exports, row).and_then(|run| transaction_times.get(run)).copied();
        let seen = seen.unwrap_or(Instant::from_micros(i64::MIN));
        keys.push(Existing {
            id: IdHash::of(text(Some(ids), row)?),
            version: version(text(updated, row).and_then(parse_instant), seen),
            row_hash: hashes.filter(|hashes| hashes.is_valid(row)).map_or(0, |hashes| hashes.value(row)),
            row: u32::try_from(keys.len()).ok()?,
        });
    }
    Some(())
}
