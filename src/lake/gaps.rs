//! `_gaps`: resources that the server says it could not export, and what became of them.

use std::collections::BTreeMap;

use arrow::datatypes::Schema;
use delta_upsert::Stamp;
use serde::{Deserialize, Serialize};

use super::ledger::text;
use super::own::{self, Edit, OwnRow};
use crate::error::Result;
use crate::storage::Root;

/// `_gaps`: an error of the server that names a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRow {
    /// The run that found it.
    pub export_id: String,
    /// The resource's type.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// `error` or `fatal`.
    pub severity: String,
    /// FHIR's issue type.
    pub issue_code: Option<String>,
    /// The server's words.
    pub details: Option<String>,
    /// The run that brought the resource, or found it gone from the server; none as long as it is missing.
    pub resolved_by: Option<String>,
}

impl OwnRow for GapRow {
    const TABLE: &'static str = "_gaps";

    fn schema() -> Schema {
        let names = ["export_id", "resource_type", "id", "severity", "issue_code", "details", "resolved_by"];
        Schema::new(names.map(text).to_vec())
    }
}

impl GapRow {
    fn key(&self) -> (String, String) {
        (self.resource_type.clone(), self.id.clone())
    }
}

/// Records what a run has found, and what it has resolved of what others found.
pub async fn record(root: &Root, run: &Stamp, found: &[GapRow]) -> Result<Option<u64>> {
    if found.is_empty() {
        return Ok(None);
    }
    own::edit(root, run, async |table| {
        let before: Vec<GapRow> = own::rows_of(table).await?;
        let mut open: BTreeMap<_, GapRow> = found.iter().map(|row| (row.key(), row.clone())).collect();
        let mut rows = Vec::with_capacity(before.len() + found.len());
        for mut row in before {
            if row.resolved_by.is_none()
                && let Some(now) = open.remove(&row.key())
            {
                row.resolved_by = now.resolved_by;
            }
            rows.push(row);
        }
        rows.extend(open.into_values());
        Ok(Edit::Replace(rows))
    })
    .await
}
