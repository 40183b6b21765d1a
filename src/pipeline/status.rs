//! What a lake holds, since when, and what needs a look.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::run::Run;
use crate::error::Result;
use crate::lake::Lake;
use crate::lake::exports::{Exports, FINISHED};
use crate::lake::materialized::{self, Stored};
use crate::lake::rest;
use crate::lake::table::{self, missing};

/// A lake's state, as of its last finished run.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Where the lake lies.
    pub location: String,
    /// The server, redacted; none for a lake of files.
    pub server: Option<String>,
    /// The server's short name.
    pub alias: String,
    /// The FHIR version.
    pub fhir_version: String,
    /// The tables.
    pub tables: Vec<TableStatus>,
    /// The materialized views.
    pub views: Vec<ViewStatus>,
    /// The pipelines.
    pub pipelines: Vec<PipelineStatus>,
    /// What needs a look: unfinished runs, quarantined lines, watermarks that stay.
    pub attention: Vec<String>,
}

/// A table.
#[derive(Debug, Clone, Serialize)]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its version.
    pub version: i64,
    /// Elements without a column, or values that their column cannot hold → how many values of it are in `__rest`.
    pub rest: BTreeMap<String, u64>,
}

/// The table of a materialized view.
#[derive(Debug, Clone, Serialize)]
pub struct ViewStatus {
    /// The view.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// The table's version.
    pub version: u64,
    /// The tables that have changed since its rows were computed.
    pub changed: Vec<String>,
}

/// A pipeline.
#[derive(Debug, Clone, Serialize)]
pub struct PipelineStatus {
    /// Its name.
    pub name: String,
    /// Its last finished run.
    pub last_run: String,
    /// How that ended.
    pub last_status: String,
    /// When that ended.
    pub finished_at: DateTime<Utc>,
    /// Resource type (`*`: all) → the instant up to which the lake has its changes.
    pub watermarks: BTreeMap<String, String>,
    /// The run that was interrupted, if one was.
    pub unfinished: Option<String>,
}

/// Reads a lake's state.
pub async fn status(lake: &Lake) -> Result<Status> {
    let exports = Exports::read(&lake.root).await?;
    let mut tables = Vec::new();
    for (name, version) in exports.last().map(|run| run.table_versions.clone()).unwrap_or_default() {
        let table = table::open_at(&lake.root, &name, u64::try_from(version).ok()).await?;
        let table = table.ok_or_else(|| missing(&name))?;
        let rest = if name.trim_start_matches("_partial/").starts_with('_') {
            BTreeMap::new()
        } else {
            rest::paths(&table, &lake.resource_table(&name)?.elements).await?
        };
        tables.push(TableStatus { name, rows: table.rows()?, version, rest });
    }
    let pinned = exports.last().map(|run| &run.table_versions);
    let mut views = Vec::new();
    for Stored { view, table, record } in materialized::all(&lake.root).await? {
        let is_other =
            |(name, version): &(String, i64)| pinned.and_then(|pinned| pinned.get(name)) != Some(version);
        let changed = record.read.into_iter().filter(is_other).map(|(name, _)| name).collect();
        views.push(ViewStatus { name: view, rows: table.rows()?, version: table.version(), changed });
    }
    let (mut pipelines, mut attention) = (Vec::new(), Vec::new());
    for name in lake.root.folders("_runs").await? {
        let unfinished = Run::unfinished(&lake.root, &name, &exports).await?.map(|run| run.plan.export_id);
        if let Some(run) = &unfinished {
            attention
                .push(format!("run {run} is not finished: it is running, or the same command continues it"));
        }
        let Some(last) = exports.0.iter().rfind(|run| run.pipeline == name) else { continue };
        if last.status != FINISHED {
            attention.push(format!("run {} ended with issues: {}", last.export_id, issues(last)));
        }
        pipelines.push(PipelineStatus {
            last_run: last.export_id.clone(),
            last_status: last.status.clone(),
            finished_at: last.finished_at,
            watermarks: exports.watermarks(&name),
            unfinished,
            name,
        });
    }
    Ok(Status {
        location: lake.root.location(),
        server: lake.identity.server.as_ref().map(fhir_bulk_client::redact),
        alias: lake.identity.alias.clone(),
        fhir_version: lake.identity.fhir_version.clone(),
        tables,
        views,
        pipelines,
        attention,
    })
}

fn issues(run: &crate::lake::exports::ExportRow) -> String {
    let quarantined: i64 = run.counts.iter().map(|entry| entry.quarantined).sum();
    let mut found = Vec::new();
    if quarantined > 0 {
        found.push(format!("{quarantined} lines in _quarantine"));
    }
    for outcome in &run.outcomes {
        found.push(format!("{} of severity {} from the server", outcome.outcome_count, outcome.severity));
    }
    if run.watermarks.is_empty() && run.level != "ingest" {
        found.push("its watermark did not move, so the next run asks again".to_owned());
    }
    if found.is_empty() {
        found.push("resources are missing that the server could not export: see _gaps".to_owned());
    }
    found.join("; ")
}
