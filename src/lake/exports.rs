//! `_exports`: one row for each finished run. Its commit is the run's commit point and the watermark.
//!
//! One invariant: a row names the version of every table of the lake as the run left it, so that readers can pin it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use chrono::{DateTime, TimeDelta, Utc};
use delta_upsert::Stamp;
use fhir_arrow::{Instant, parse_instant};
use serde::{Deserialize, Serialize};

use super::own::{self, Edit, OwnRow};
use crate::error::Result;
use crate::storage::Root;

/// What the applications of a lake's transactions begin with.
pub(super) const APPLICATION: &str = "fhirlake/";

/// The transaction of a pipeline's run.
pub fn stamp(pipeline: &str, seq: i64) -> Stamp {
    Stamp { application: format!("{APPLICATION}{pipeline}"), version: seq }
}

/// The pipeline of a transaction; `None` for that of another program.
pub fn pipeline_of(stamp: &Stamp) -> Option<&str> {
    stamp.application.strip_prefix(APPLICATION)
}

/// The level of a run that only sets watermarks.
pub const WATERMARK: &str = "watermark";

/// The level, and the pipeline, of a run that makes tables anew from what was received before.
pub const REBUILD: &str = "rebuild";

/// How a run ended.
pub const FINISHED: &str = "finished";
/// It ended, but some of its lines are in quarantine, or the server reported errors.
pub const FINISHED_WITH_ISSUES: &str = "finished-with-issues";

/// One finished run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExportRow {
    /// The run's name; the folder of its raw files.
    pub export_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The run's number in its pipeline.
    pub seq: i64,
    /// `system`, `group`, `patient`, or `ingest`.
    pub level: String,
    /// The Group, at Group level.
    pub group_id: Option<String>,
    /// [`FINISHED`] or [`FINISHED_WITH_ISSUES`].
    pub status: String,
    /// The kick-off request, redacted.
    pub request: Option<String>,
    /// `_since` as it was sent.
    pub since: Option<String>,
    /// The manifest's `transactionTime`, literally.
    pub transaction_time: String,
    /// When the run was planned.
    pub started_at: DateTime<Utc>,
    /// When its tables were complete.
    pub finished_at: DateTime<Utc>,
    /// Resource type (`*`: all) → the instant up to which the lake has its changes.
    pub watermarks: BTreeMap<String, String>,
    /// Table → version.
    pub table_versions: BTreeMap<String, i64>,
    /// What came, and what became of it, by resource type.
    pub counts: Vec<TypeCounts>,
    /// OperationOutcomes of the server by severity.
    pub outcomes: Vec<OutcomeCount>,
}

/// The reconciliation of one resource type in one run: `file_count` = inserted + updated + unchanged + quarantined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeCounts {
    /// The type.
    pub resource_type: String,
    /// Resources that the manifest promised, where it did.
    pub server_count: Option<i64>,
    /// Lines in the files.
    pub file_count: i64,
    /// Rows that are new.
    pub inserted: i64,
    /// Rows that took the place of an older version.
    pub updated: i64,
    /// Rows that a tombstone removed.
    pub deleted: i64,
    /// Lines that changed nothing: the same content, an older version, a duplicate, or deleted since.
    pub unchanged: i64,
    /// Lines in quarantine.
    pub quarantined: i64,
}

/// How many issues of a severity the server reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCount {
    /// `fatal`, `error`, `warning`, `information`.
    pub severity: String,
    /// Issues.
    pub outcome_count: i64,
}

/// The type of all points in time in the lake's own tables.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn map(value: DataType) -> DataType {
    let entries =
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false)
}

fn list(fields: Vec<Field>) -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Struct(fields.into()), true)))
}

impl ExportRow {
    /// Whether rows may have other values after it though their resources are the same.
    pub fn makes_rows_anew(&self) -> bool {
        self.level == REBUILD
    }

    /// Whether it is a run that brings files, and not one over what is there.
    pub fn brings_files(&self) -> bool {
        matches!(self.level.as_str(), "system" | "group" | "patient" | "ingest")
    }
}

impl OwnRow for ExportRow {
    const TABLE: &'static str = "_exports";

    fn schema() -> Schema {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let number = |name: &str| Field::new(name, DataType::Int64, true);
        let counts =
            ["server_count", "file_count", "inserted", "updated", "deleted", "unchanged", "quarantined"];
        Schema::new(vec![
            text("export_id"),
            text("pipeline"),
            number("seq"),
            text("level"),
            text("group_id"),
            text("status"),
            text("request"),
            text("since"),
            text("transaction_time"),
            Field::new("started_at", timestamp(), true),
            Field::new("finished_at", timestamp(), true),
            Field::new("watermarks", map(DataType::Utf8), true),
            Field::new("table_versions", map(DataType::Int64), true),
            Field::new(
                "counts",
                list([text("resource_type")].into_iter().chain(counts.map(number)).collect()),
                true,
            ),
            Field::new("outcomes", list(vec![text("severity"), number("outcome_count")]), true),
        ])
    }
}

/// The finished runs of a lake, in the order in which they finished.
#[derive(Debug, Default)]
pub struct Exports(pub Vec<ExportRow>);

impl Exports {
    /// Reads them.
    pub async fn read(root: &Root) -> Result<Self> {
        let mut rows: Vec<ExportRow> = own::rows(root).await?;
        rows.sort_by_key(|row| (row.finished_at, row.seq));
        Ok(Self(rows))
    }

    /// The run that finished last.
    pub fn last(&self) -> Option<&ExportRow> {
        self.0.last()
    }

    /// The number of the newest finished run of a pipeline, 0 where there is none.
    pub fn last_seq(&self, pipeline: &str) -> i64 {
        self.0.iter().filter(|row| row.pipeline == pipeline).map(|row| row.seq).max().unwrap_or(0)
    }

    /// The watermarks of a pipeline, each the latest that a run has written: none moves backwards, but by hand.
    pub fn watermarks(&self, pipeline: &str) -> BTreeMap<String, String> {
        let mut merged: BTreeMap<String, String> = BTreeMap::new();
        for row in self.0.iter().filter(|row| row.pipeline == pipeline) {
            for (name, at) in &row.watermarks {
                let by_hand = row.level == WATERMARK;
                if by_hand || merged.get(name).is_none_or(|before| parse_instant(at) >= parse_instant(before))
                {
                    merged.insert(name.clone(), at.clone());
                }
            }
        }
        merged
    }

    /// Each run's transaction time, which decides between versions that `lastUpdated` does not tell apart.
    pub fn transaction_times(&self) -> HashMap<String, Instant> {
        let parsed = |row: &ExportRow| Some((row.export_id.clone(), parse_instant(&row.transaction_time)?));
        self.0.iter().filter_map(parsed).collect()
    }
}

/// Commits a run: the versions it made, merged over those of the run before it.
pub async fn finish(root: &Root, run: &Stamp, row: &ExportRow) -> Result<()> {
    own::edit(root, run, async |table| {
        let before: Vec<ExportRow> = own::rows_of(table).await?;
        let mut row = row.clone();
        let mut versions = BTreeMap::new();
        for (name, version) in before.iter().chain([&row]).flat_map(|row| &row.table_versions) {
            let newest = versions.entry(name.clone()).or_insert(*version);
            *newest = *version.max(newest);
        }
        row.table_versions = versions;
        // The order of finishing is the order of the commits, whatever the clocks of two machines say.
        if let Some(last) = before.iter().map(|row| row.finished_at).max() {
            row.finished_at = row.finished_at.max(last + TimeDelta::microseconds(1));
        }
        Ok(Edit::Append(vec![row]))
    })
    .await
    .map(drop)
}
