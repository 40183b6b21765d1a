//! `_audit`: what somebody did to a lake that no run does by itself.

use arrow::datatypes::{Field, Schema};
use chrono::{DateTime, Utc};
use delta_upsert::Stamp;
use serde::{Deserialize, Serialize};

use super::exports::timestamp;
use super::ledger::text;
use super::own::{self, OwnRow};
use crate::error::Result;
use crate::storage::Root;

/// `_audit`: an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as the operating system knows them.
    pub actor: String,
    /// What: `watermark set`, …
    pub action: String,
    /// To what.
    pub subject: String,
    /// What it was before.
    pub before: Option<String>,
    /// What it is since.
    pub after: Option<String>,
    /// The run that did it, if one did.
    pub export_id: Option<String>,
}

impl OwnRow for AuditRow {
    const TABLE: &'static str = "_audit";

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("at", timestamp(), true),
            text("actor"),
            text("action"),
            text("subject"),
            text("before"),
            text("after"),
            text("export_id"),
        ])
    }
}

/// Who runs this program.
pub fn actor() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// Records acts.
pub async fn record(root: &Root, run: &Stamp, rows: &[AuditRow]) -> Result<Option<u64>> {
    own::append(root, run, rows).await
}
