//! `_findings`: what validation has found in each run, counted by kind and path, so that a server's habits show.

use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};

use super::ledger::{number, text};
use super::own::OwnRow;

/// `_findings`: findings of one kind at one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRow {
    /// The run.
    pub export_id: String,
    /// The resource's type.
    pub resource_type: String,
    /// `information`, `warning`, `error`, `fatal`.
    pub severity: String,
    /// FHIR's issue type: `structure`, `required`, `value`, …
    pub issue_code: String,
    /// What kind it is: `unknown-element`, `json-type`, …; of a constraint its key.
    pub kind: String,
    /// Where in the resource, as FHIRPath without positions.
    pub element_path: String,
    /// What is wrong, without the values.
    pub reason: String,
    /// How many there are.
    pub finding_count: i64,
    /// The raw file of the first of them.
    pub raw_file: String,
    /// Its line, from 1.
    pub line_number: i64,
    /// Where in the line it is, in bytes.
    pub byte_offset: i64,
}

impl OwnRow for FindingRow {
    const TABLE: &'static str = "_findings";

    fn schema() -> Schema {
        Schema::new(vec![
            text("export_id"),
            text("resource_type"),
            text("severity"),
            text("issue_code"),
            text("kind"),
            text("element_path"),
            text("reason"),
            number("finding_count"),
            text("raw_file"),
            number("line_number"),
            number("byte_offset"),
        ])
    }
}
