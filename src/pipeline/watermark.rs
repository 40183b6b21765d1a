//! Watermarks, set by hand: a run of its pipeline that brings nothing, on record like all others.

use std::collections::BTreeMap;

use fhir_arrow::parse_instant;

use super::plan::ALL_TYPES;
use super::run::{self, Run};
use super::scope::Scope;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::audit::{self, AuditRow};
use crate::lake::exports::{self, ExportRow, Exports, WATERMARK};
use crate::lake::own::OwnRow;

/// A watermark.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Watermark {
    /// The pipeline.
    pub pipeline: String,
    /// The resource type; `*` for all. What was asked by filters or in parts has its own, with them in its name.
    pub resource_type: String,
    /// Up to when the lake has what the pipeline brings.
    pub at: String,
}

/// The watermarks of a lake.
///
/// # Errors
/// What the lake's store does.
pub async fn list(lake: &Lake) -> Result<Vec<Watermark>> {
    let exports = Exports::read(&lake.root).await?;
    let pipelines: std::collections::BTreeSet<&String> = exports.0.iter().map(|row| &row.pipeline).collect();
    let of = |pipeline: &String| {
        let marks = exports.watermarks(pipeline).into_iter();
        let pipeline = pipeline.clone();
        marks
            .map(move |(resource_type, at)| Watermark { pipeline: pipeline.clone(), resource_type, at })
            .collect::<Vec<_>>()
    };
    Ok(pipelines.into_iter().flat_map(of).collect())
}

/// How a watermark is changed.
#[derive(Debug, Clone)]
pub struct Move {
    /// The pipeline.
    pub pipeline: String,
    /// The resource type; none for all that have one.
    pub resource_type: Option<String>,
    /// The instant, which is sent as it is written.
    pub at: String,
    /// Whether it may only go back.
    pub back: bool,
}

/// Changes watermarks of a pipeline. Returns those that it has now.
///
/// # Errors
/// [`Error::Refused`] where the pipeline is not known or has a run that is not finished, where the instant is none, or where
/// a watermark that may only go back would go forward.
pub async fn set(location: &str, change: &Move) -> Result<Vec<Watermark>> {
    let lake = Lake::open(location).await?;
    let _lease = run::lease(&lake.root, &change.pipeline).await?;
    let exports = Exports::read(&lake.root).await?;
    let before = exports.watermarks(&change.pipeline);
    let after = moved(change, &before)?;
    if !exports.0.iter().any(|row| row.pipeline == change.pipeline) {
        return Err(Error::Refused(format!("this lake has no run of a pipeline {}", change.pipeline)));
    }
    if let Some(run) = Run::unfinished(&lake.root, &change.pipeline, &exports).await? {
        return Err(Error::Refused(format!("run {} is not finished: finish it first", run.plan.export_id)));
    }
    let scope = Scope { level: WATERMARK.to_owned(), ..Scope::default() };
    let run = Run::begin(&lake.root, &change.pipeline, &exports, scope, Vec::new()).await?;
    let action = if change.back { "watermark rewind" } else { "watermark set" };
    let rows = after.iter().map(|(name, at)| AuditRow {
        at: run.plan.started_at,
        actor: audit::actor(),
        action: action.to_owned(),
        subject: format!("{} {name}", change.pipeline),
        before: before.get(name).cloned(),
        after: Some(at.clone()),
        export_id: Some(run.plan.export_id.clone()),
    });
    let version = audit::record(&lake.root, &run.stamp(), &rows.collect::<Vec<_>>()).await?;
    let versions =
        version.map(|version| (AuditRow::TABLE.to_owned(), i64::try_from(version).unwrap_or(i64::MAX)));
    let row = ExportRow {
        transaction_time: change.at.clone(),
        watermarks: after,
        table_versions: versions.into_iter().collect(),
        ..run.row(WATERMARK)
    };
    exports::finish(&lake.root, &run.stamp(), &row).await?;
    Ok(list(&lake).await?.into_iter().filter(|mark| mark.pipeline == change.pipeline).collect())
}

/// The watermarks that a change sets.
fn moved(change: &Move, before: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let at = parse_instant(&change.at).filter(|_| change.at.contains('T')).ok_or_else(|| {
        Error::Refused(format!(
            "{} is no FHIR instant: write date, time and zone, as in 2026-11-01T00:00:00Z",
            change.at
        ))
    })?;
    let names: Vec<String> = match &change.resource_type {
        Some(name) => vec![name.clone()],
        None if before.is_empty() => vec![ALL_TYPES.to_owned()],
        None => before.keys().cloned().collect(),
    };
    if change.back {
        for name in &names {
            match before.get(name) {
                None => {
                    return Err(Error::Refused(format!("{} has no watermark of {name}", change.pipeline)));
                }
                Some(now) if Some(at) > parse_instant(now) => {
                    return Err(Error::Refused(format!(
                        "the watermark of {name} is {now}, which is before {}: `set` moves it forward, over what was not \
                         exported",
                        change.at
                    )));
                }
                Some(_) => {}
            }
        }
    }
    Ok(names.into_iter().map(|name| (name, change.at.clone())).collect())
}
