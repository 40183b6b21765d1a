//! The tables of a lake, as Delta tables.

use delta_scan::DeltaScan;
use delta_upsert::Table;

use crate::error::{Error, Result};
use crate::storage::Root;

/// Opens a table at its newest version; `None` where the lake has none of that name.
pub async fn open(root: &Root, name: &str) -> Result<Option<Table>> {
    Ok(Table::open(&root.table(name)?).await?)
}

/// Opens a table at a version (the newest where none is named).
pub async fn open_at(root: &Root, name: &str, version: Option<u64>) -> Result<Option<Table>> {
    Ok(Table::open_at(&root.table(name)?, version).await?)
}

/// A table as SQL reads it.
pub fn scan(table: &Table) -> Result<DeltaScan> {
    DeltaScan::try_new(table.delta()).map_err(|error| match error {
        delta_scan::Error::Delta { source, .. } => Error::delta(table.name(), "open it for SQL")(*source),
        other => Error::Damaged { path: format!("tables/{}", table.name()), reason: other.to_string() },
    })
}

/// A table that the last run has left, and that is no longer there.
pub fn missing(name: &str) -> Error {
    Error::Damaged {
        path: format!("tables/{name}"),
        reason: "the last finished run has left a version of this table, and it cannot be found".to_owned(),
    }
}
