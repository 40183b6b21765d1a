//! The tables of a lake, as Delta tables.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
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

/// A table as SQL reads it. Its store is made known to the session.
pub async fn provider(
    table: &Table,
    session: &dyn deltalake::datafusion::catalog::Session,
) -> Result<Arc<dyn TableProvider>> {
    let delta = table.delta();
    delta.update_datafusion_session(session).map_err(Error::delta(table.name(), "make it known to SQL"))?;
    let provider = delta.table_provider().await;
    provider.map_err(|e| Error::delta(table.name(), "open it for SQL")(e.into()))
}

/// A table that the last run has left, and that is no longer there.
pub fn missing(name: &str) -> Error {
    Error::Damaged {
        path: format!("tables/{name}"),
        reason: "the last finished run has left a version of this table, and it cannot be found".to_owned(),
    }
}
