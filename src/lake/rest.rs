//! What lives in `__rest`: how many values of which elements, so that a user knows which columns to add.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use delta_upsert::{Table, data_file};
use fhir_arrow::{TableSchema, rest};
use futures::StreamExt;

use crate::error::{Error, Result};

/// Path of an element → values in `__rest`. Data files without any have left the column out, and cost nothing.
pub async fn paths(table: &Table, schema: &TableSchema) -> Result<BTreeMap<String, u64>> {
    let mut paths: BTreeMap<String, u64> = BTreeMap::new();
    for file in table.files()? {
        let removed = delta_upsert::removed(table, &file).await?;
        let mut rows = 0..;
        let mut batches = data_file::read(table, &file, Some(&[rest::COLUMN])).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(Error::parquet(table.name()))?;
            let Some(column) = batch.column_by_name(rest::COLUMN) else { break };
            let texts = column.as_string_opt::<i32>().ok_or_else(|| damaged(table, "is no text"))?;
            for (text, row) in texts.iter().zip(rows.by_ref()) {
                let Some(text) = text.filter(|_| !removed.contains(row)) else { continue };
                let count = |path: &str| match paths.get_mut(path) {
                    Some(values) => *values += 1,
                    None => drop(paths.insert(path.to_owned(), 1)),
                };
                rest::for_each_path(schema, text, count).map_err(|_| damaged(table, "is no JSON"))?;
            }
        }
    }
    Ok(paths)
}

fn damaged(table: &Table, what: &str) -> Error {
    Error::Damaged {
        path: format!("tables/{}", table.name()),
        reason: format!("a value of its column {} {what}", rest::COLUMN),
    }
}
