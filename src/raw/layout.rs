//! Where raw files lie: `raw/<export-id>/…`, relative to the lake.

use serde::{Deserialize, Serialize};

use super::encoding::Encoding;

/// A manifest's section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// Resources.
    Output,
    /// Bundles of deletions.
    Deleted,
    /// OperationOutcomes.
    Error,
}

impl Section {
    /// The section's name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Deleted => "deleted",
            Self::Error => "error",
        }
    }
}

/// The folder of a run.
pub fn folder(export_id: &str) -> String {
    format!("raw/{export_id}")
}

/// The log of what happened between client and server.
pub fn log(export_id: &str) -> String {
    format!("raw/{export_id}/log.ndjson")
}

/// The `n`-th page of the run's manifests, from 0.
pub fn manifest(export_id: &str, n: usize) -> String {
    match n {
        0 => format!("raw/{export_id}/manifest.json"),
        n => format!("raw/{export_id}/manifest.{n}.json"),
    }
}

/// The `n`-th file of a type in a section, from 0.
pub fn file(export_id: &str, section: Section, resource_type: &str, n: usize, encoding: Encoding) -> String {
    let suffix = encoding.suffix();
    match section {
        Section::Output => format!("raw/{export_id}/{resource_type}.{n}.ndjson{suffix}"),
        other => format!("raw/{export_id}/{}/{resource_type}.{n}.ndjson{suffix}", other.name()),
    }
}
