//! What a run did, for whoever started it.

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
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Report {
    /// Whether everything came that was asked for, and all of it is in the tables.
    pub fn is_clean(&self) -> bool {
        self.run.status == FINISHED
    }
}
