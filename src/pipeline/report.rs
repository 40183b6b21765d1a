//! What a run did, for whoever started it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lake::exports::{ExportRow, FINISHED};

/// A finished run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its row of `_exports`.
    #[serde(flatten)]
    pub run: ExportRow,
    /// Whether it continued a run that was interrupted.
    pub resumed: bool,
    /// Bytes that were received, uncompressed.
    pub byte_count: u64,
    /// How often something was asked for again.
    pub retries: u64,
    /// Step → seconds that it took, of those that were taken this time.
    pub seconds: BTreeMap<&'static str, f64>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Report {
    /// The report of a run that received nothing.
    pub(super) fn of_tables(run: ExportRow, resumed: bool, warnings: Vec<String>) -> Self {
        Self { run, resumed, byte_count: 0, retries: 0, seconds: BTreeMap::new(), warnings }
    }

    /// Whether everything came that was asked for, and all of it is in the tables.
    pub fn is_clean(&self) -> bool {
        self.run.status == FINISHED
    }
}
