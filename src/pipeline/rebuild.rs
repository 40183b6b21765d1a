//! Makes tables anew from the raw store: the same rows with the same lineage, in the columns that are configured now.
//!
//! One invariant: a table is replaced as a whole, in one commit that is refused if anybody has committed since it was
//! opened, or not at all. Nothing but the raw files, the tombstones and the notes of finished runs goes into it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::SecondsFormat;
use delta_upsert::RoaringBitmap;
use delta_upsert::upsert::Change;
use fhir_arrow::parse_instant;

use super::expiry::{self, Place};
use super::input::Input;
use super::load::{JUDGED, context, signed};
use super::plan::{Plan, RECONCILE};
use super::progress::{Observer, Step};
use super::report::Report;
use super::run::{self, Run};
use super::scope::Scope;
use super::settings::Settings;
use super::stage::{StagedRun, stage};
use crate::config::TableConfig;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::{self, ExportRow, Exports, REBUILD, TypeCounts};
use crate::lake::own;
use crate::lake::quarantine::QuarantinedLine;
use crate::lake::resource::{Origin, resource_type, table_name};
use crate::lake::stage::{Judging, StageFile, Staging};
use crate::lake::upsert::{self, Context};
use crate::raw::layout::Section;
use crate::storage::Lock;

/// What to make anew.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// The resource types; empty for all.
    pub types: Vec<String>,
    /// How tables are made now.
    pub tables: BTreeMap<String, TableConfig>,
    /// How the run works.
    pub settings: Settings,
}

/// Makes tables of the lake at `location` anew.
///
/// # Errors
/// [`Error::Refused`] where a run is not finished, or a type has no table; [`Error::Damaged`] where a raw file is gone.
pub async fn rebuild(location: &str, options: &RebuildOptions, observer: &dyn Observer) -> Result<Report> {
    let mut lake = Lake::open(location).await?;
    let _leases = leases(&lake).await?;
    let exports = Exports::read(&lake.root).await?;
    let names = tables(&lake, options).await?;
    for name in &names {
        let of_type = resource_type(name);
        let configured = options.tables.get(of_type).cloned().unwrap_or_default();
        lake.identity.tables.insert(of_type.to_owned(), configured);
    }
    lake.identity.check_tables()?;
    let run = begin(&lake, &exports, options).await?;
    let (files, input) = raw_files(&lake, &exports).await?;
    let context = context(&lake, &run, &options.settings).await?;
    let mut staging =
        Staging::new(&lake, run.stamp(), files, options.settings.stage_limits(), &Judging::nothing());
    staging.only = Some(names.clone());
    staging.dropped = quarantined(&lake, &exports, &staging.files).await?;
    let staged = stage(&context, &options.settings, staging, &input, observer).await?;
    finish(&context, &run, &exports, names, staged, observer).await
}

/// Takes every pipeline of the lake: what they commit meanwhile would be lost.
async fn leases(lake: &Lake) -> Result<Vec<Lock>> {
    let mut pipelines: BTreeSet<String> = lake.root.folders("_runs").await?.into_iter().collect();
    pipelines.insert(REBUILD.to_owned());
    let exports = Exports::read(&lake.root).await?;
    let mut leases = Vec::new();
    for pipeline in pipelines {
        leases.push(run::lease(&lake.root, &pipeline).await?);
        let unfinished = Run::unfinished(&lake.root, &pipeline, &exports).await?;
        if let Some(run) = unfinished.filter(|_| pipeline != REBUILD) {
            // One that only asks for ids has brought nothing before it removes something.
            if pipeline == RECONCILE && run.noted::<serde_json::Value>(JUDGED).await?.is_none() {
                continue;
            }
            return Err(Error::Refused(format!(
                "run {} is not finished: run its command again first, so that what it brought is not lost",
                run.plan.export_id
            )));
        }
    }
    Ok(leases)
}

/// The tables to make anew: of each type the one of complete resources, and that of subsetted ones where there is one.
async fn tables(lake: &Lake, options: &RebuildOptions) -> Result<BTreeSet<String>> {
    let stored = lake.root.folders("tables").await?;
    let partial = lake.root.folders("tables/_partial").await?;
    let complete = stored.into_iter().filter(|name| !name.starts_with('_'));
    let all: BTreeSet<String> = complete.chain(partial.iter().map(|name| table_name(name, true))).collect();
    if options.types.is_empty() {
        return Ok(all);
    }
    if let Some(unknown) =
        options.types.iter().find(|wanted| !all.iter().any(|name| resource_type(name) == *wanted))
    {
        return Err(Error::Refused(format!("the lake has no table {unknown}")));
    }
    Ok(all
        .into_iter()
        .filter(|name| options.types.iter().any(|wanted| resource_type(name) == wanted))
        .collect())
}

/// Begins, and never continues: since an interrupted rebuild other columns may have been configured, or a run have finished.
async fn begin(lake: &Lake, exports: &Exports, options: &RebuildOptions) -> Result<Run> {
    let scope = Scope { level: REBUILD.to_owned(), types: options.types.clone(), ..Scope::default() };
    if let Some(run) = Run::unfinished(&lake.root, REBUILD, exports).await? {
        run.abandon("a rebuild begins anew").await?;
    }
    Run::begin(&lake.root, REBUILD, exports, scope, Vec::new()).await
}

/// The output files of all finished runs, in the order in which they finished, as files of one input.
async fn raw_files(lake: &Lake, exports: &Exports) -> Result<(Vec<StageFile>, Input)> {
    let (mut files, mut inputs) = (Vec::new(), Vec::new());
    for row in exports.0.iter().filter(|row| row.brings_files()) {
        let (plan, input) = notes(lake, row).await?;
        let damaged = || Error::Damaged {
            path: format!("_runs/{}/{}", row.pipeline, row.seq),
            reason: "its transaction time is no instant".to_owned(),
        };
        let origin = Arc::new(Origin {
            source: lake.identity.alias.clone(),
            export_id: row.export_id.clone(),
            ingested_at: plan.started_at,
            transaction_time: parse_instant(&input.transaction_time).ok_or_else(damaged)?,
        });
        let outputs =
            input.files.into_iter().filter(|file| file.section == Section::Output && !file.loaded_before);
        for file in outputs {
            files.push(StageFile {
                name: file.path.as_str().into(),
                resource_type: file.resource_type.clone(),
                hint: Some(file.name.clone()).filter(|name| lake.definitions().is_resource(name)),
                parts: file.parts,
                since: None,
                origin: Arc::clone(&origin),
            });
            inputs.push(file);
        }
    }
    Ok((files, Input { files: inputs, ..Input::default() }))
}

/// What a finished run has noted.
async fn notes(lake: &Lake, row: &ExportRow) -> Result<(Plan, Input)> {
    let missing = || Error::Damaged {
        path: format!("_runs/{}/{}", row.pipeline, row.seq),
        reason: "the notes of a finished run are gone: its raw files can no longer be read".to_owned(),
    };
    let run = Run::open(&lake.root, &row.pipeline, row.seq).await?.ok_or_else(missing)?;
    let input = run.input().await?.ok_or_else(missing)?;
    Ok((run.plan, input))
}

/// The lines that are in quarantine, or were until their time was over: they are no rows, and stay none until they are
/// replayed.
async fn quarantined(
    lake: &Lake,
    exports: &Exports,
    files: &[StageFile],
) -> Result<HashMap<u32, RoaringBitmap>> {
    let numbers: HashMap<&str, u32> =
        files.iter().zip(0..).map(|(file, number)| (&*file.name, number)).collect();
    let mut lines: HashMap<u32, RoaringBitmap> = HashMap::new();
    let quarantined = own::rows::<QuarantinedLine>(&lake.root).await?.into_iter();
    let mut places: Vec<Place> = quarantined.map(|line| (line.raw_file, line.line_number)).collect();
    for row in &exports.0 {
        places.extend(expiry::of_run(&lake.root, row).await?);
    }
    for (raw_file, line) in places {
        if let (Some(file), Ok(line)) = (numbers.get(raw_file.as_str()), u32::try_from(line)) {
            lines.entry(*file).or_default().insert(line);
        }
    }
    Ok(lines)
}

/// Replaces the tables and finishes the run.
async fn finish(
    context: &Context,
    run: &Run,
    exports: &Exports,
    names: BTreeSet<String>,
    mut staged: StagedRun,
    observer: &dyn Observer,
) -> Result<Report> {
    observer.begin(Step::Load, Some(names.len() as u64));
    let mut keys = staged.keys.finish();
    let mut versions = BTreeMap::new();
    for name in &names {
        let change = Change {
            staged: staged.tables.remove(name).unwrap_or_default(),
            keys: keys.remove(name).unwrap_or_default(),
            indexed: Arc::default(),
            buries: false,
        };
        let version = upsert::replace(context, name, change).await?;
        versions.insert(name.clone(), i64::try_from(version).unwrap_or(i64::MAX));
        observer.advance(Step::Load, 1);
    }
    observer.end(Step::Load);
    context.lake.rewrite_identity().await?;
    let now = run.plan.started_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let row = ExportRow {
        transaction_time: exports.last().map_or(now, |last| last.transaction_time.clone()),
        table_versions: versions,
        counts: counts(&names, &staged.tally.lines),
        ..run.row(REBUILD)
    };
    exports::finish(&context.lake.root, &context.run, &row).await?;
    Ok(Report::of_tables(row, run.resumed, Vec::new()))
}

fn counts(names: &BTreeSet<String>, lines: &BTreeMap<String, u64>) -> Vec<TypeCounts> {
    let types: BTreeSet<&str> = names.iter().map(|name| resource_type(name)).collect();
    let of = |name: &str| {
        let file_count = signed(lines.get(name).copied().unwrap_or_default());
        TypeCounts {
            resource_type: name.to_owned(),
            file_count,
            unchanged: file_count,
            ..TypeCounts::default()
        }
    };
    types.into_iter().map(of).collect()
}
