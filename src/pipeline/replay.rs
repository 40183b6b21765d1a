//! Judges quarantined lines again: after a fix of the program, with an allowance, by another level of validation.
//!
//! One invariant: a line leaves the quarantine in the run that has made a row of it, and a line that is refused again is
//! in it once, with its new reason.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::SecondsFormat;
use delta_upsert::KeySet;
use delta_upsert::data_file::Parts;
use delta_upsert::upsert::Changed;
use fhir_arrow::parse_instant;
use serde::{Deserialize, Serialize};

use super::findings;
use super::input::LeftAt;
use super::load::{Versions, changes, context, signed, write_tables};
use super::progress::{Observer, Step};
use super::report::Report;
use super::run::{self, Run};
use super::scope::Scope;
use super::settings::Settings;
use super::stage::{StagedRun, collect};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::{self, ExportRow, Exports, FINISHED, FINISHED_WITH_ISSUES, TypeCounts};
use crate::lake::own::{self, OwnRow};
use crate::lake::quarantine::{self, Leaving, QuarantineRow, QuarantinedLine};
use crate::lake::resource::{Origin, resource_type};
use crate::lake::stage::{Judging, StageFile, Stager, Staging};
use crate::lake::upsert::Filter;
use crate::raw::layout::Section;
use crate::raw::{Block, RawSource};

/// The pipeline's name, and the level of its runs.
const REPLAY: &str = "replay";

/// What to replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Only the lines of these runs; empty for all.
    pub runs: Vec<String>,
    /// Only the lines of these types; empty for all.
    pub types: Vec<String>,
    /// How the run works.
    pub settings: Settings,
}

/// The note of what a replay is made of, written before anything of it is committed.
const FROZEN: &str = "replay.json";

/// The lines of a replay, and how they are judged.
#[derive(Debug, Serialize, Deserialize)]
struct Frozen {
    lines: Vec<QuarantinedLine>,
    judging: Judging,
}

/// Replays quarantined lines of the lake at `location`. Returns the runs that it took: before its own the one that was
/// interrupted, if one was.
///
/// # Errors
/// [`Error::Refused`] where there are none; [`Error::Damaged`] where a raw file is gone, or has changed.
pub async fn replay(location: &str, options: &ReplayOptions, observer: &dyn Observer) -> Result<Vec<Report>> {
    let lake = Lake::open(location).await?;
    let _lease = run::lease(&lake.root, REPLAY).await?;
    let mut reports = Vec::new();
    let mut exports = Exports::read(&lake.root).await?;
    let mut unfinished = Run::unfinished(&lake.root, REPLAY, &exports).await?;
    if let Some(run) = &unfinished
        && let Some(frozen) = run.noted::<Frozen>(FROZEN).await?
    {
        reports.push(replay_lines(&lake, run, &exports, frozen, &options.settings, observer).await?);
        exports = Exports::read(&lake.root).await?;
        unfinished = None;
    }
    let lines = wanted(&lake, options).await?;
    if lines.is_empty() && reports.is_empty() {
        return Err(Error::Refused("no line of a resource is in quarantine that this asks for".to_owned()));
    }
    if !lines.is_empty() {
        let scope = Scope { level: REPLAY.to_owned(), types: options.types.clone(), ..Scope::default() };
        let run = match unfinished {
            Some(run) => run,
            None => Run::begin(&lake.root, REPLAY, &exports, scope, Vec::new()).await?,
        };
        let frozen = Frozen { lines, judging: options.settings.judging.clone() };
        let replayed = replay_lines(&lake, &run, &exports, frozen, &options.settings, observer).await;
        if let Err(Error::Invalid(_)) = &replayed {
            run.abandon("it was refused").await?;
        }
        reports.push(replayed?);
    }
    Ok(reports)
}

async fn replay_lines(
    lake: &Lake,
    run: &Run,
    exports: &Exports,
    frozen: Frozen,
    settings: &Settings,
    observer: &dyn Observer,
) -> Result<Report> {
    let context = context(lake, run, settings).await?;
    let Placing { files, lines, left } = placed(lake, exports, frozen.lines.clone()).await?;
    let limits = settings.stage_limits();
    let mut staging = Staging::new(lake, run.stamp(), files.clone(), limits, &frozen.judging);
    let types: std::collections::BTreeSet<String> =
        lines.iter().filter_map(|(_, line)| line.resource_type.clone()).collect();
    staging.done.clone_from(Filter::none(&context, &types).await?.done());
    let mut staged = stage(lake, staging, settings, &lines, observer).await?;
    for (path, left) in &left {
        left.check(path)?;
    }
    findings::refuse_invalid(&staged, |file| files.get(file as usize).map_or("", |file| &file.name))?;
    run.note(FROZEN, &frozen).await?;
    let changed = write_tables(&context, changes(lake, &mut staged, &[]).await?, observer).await?;

    let mut versions = Versions::default();
    changed.iter().for_each(|(name, changed)| versions.note(name, changed.version));
    let leaving_lines = lines.iter().map(|(_, line)| (line.raw_file.clone(), line.line_number));
    let leaving = Leaving { lines: leaving_lines.collect(), ..Leaving::default() };
    let refused = std::mem::take(&mut staged.quarantine);
    let quarantined = quarantine::update(&lake.root, &context.run, refused, &leaving).await?;
    versions.note(QuarantineRow::TABLE, quarantined);
    let row = row(run, exports, &staged, &changed, versions);
    exports::finish(&lake.root, &context.run, &row).await?;
    Ok(Report::of_tables(row, run.resumed, Vec::new()))
}

/// A quarantined line, and the number of its file.
type Placed = (u32, QuarantinedLine);

/// The lines that are asked for, in the order of their files.
async fn wanted(lake: &Lake, options: &ReplayOptions) -> Result<Vec<QuarantinedLine>> {
    let wanted = |line: &QuarantinedLine| {
        let of_type = |name: &String| line.resource_type.as_ref() == Some(name);
        (options.runs.is_empty() || options.runs.contains(&line.export_id))
            && (options.types.is_empty() || options.types.iter().any(of_type))
    };
    let mut lines: Vec<QuarantinedLine> = own::rows(&lake.root).await?;
    lines.retain(wanted);
    lines.sort_by(|a, b| (&a.raw_file, a.line_number).cmp(&(&b.raw_file, b.line_number)));
    // Of deletions nothing but the resources is replayed: they are no rows.
    let exports = Exports::read(&lake.root).await?;
    let placed = placed(lake, &exports, lines).await?;
    Ok(placed.lines.into_iter().map(|(_, line)| line).collect())
}

/// Lines with their files.
struct Placing {
    files: Vec<StageFile>,
    lines: Vec<Placed>,
    /// Files outside of the lake, as they were when they were loaded.
    left: Vec<(String, LeftAt)>,
}

/// Finds the files of lines.
async fn placed(lake: &Lake, exports: &Exports, lines: Vec<QuarantinedLine>) -> Result<Placing> {
    let mut by_run: BTreeMap<String, Vec<QuarantinedLine>> = BTreeMap::new();
    for line in lines {
        by_run.entry(line.export_id.clone()).or_default().push(line);
    }
    let mut placing = Placing { files: Vec::new(), lines: Vec::new(), left: Vec::new() };
    for row in &exports.0 {
        let Some(lines) = by_run.remove(&row.export_id) else { continue };
        let known = files_of(lake, row).await?;
        for line in lines {
            let Some((file, left)) = known.get(&line.raw_file) else { continue };
            if placing.files.last().is_none_or(|last| last.name != file.name) {
                placing.files.push(file.clone());
                placing.left.extend(left.clone().map(|left| (line.raw_file.clone(), left)));
            }
            placing.lines.push((u32::try_from(placing.files.len() - 1).unwrap_or(u32::MAX), line));
        }
    }
    Ok(placing)
}

/// The output files of a finished run, by their names.
async fn files_of(lake: &Lake, row: &ExportRow) -> Result<HashMap<String, (StageFile, Option<LeftAt>)>> {
    let missing = || Error::Damaged {
        path: format!("_runs/{}/{}", row.pipeline, row.seq),
        reason: "the notes of a finished run are gone: its lines can no longer be replayed".to_owned(),
    };
    let run = Run::open(&lake.root, &row.pipeline, row.seq).await?.ok_or_else(missing)?;
    let input = run.input().await?.ok_or_else(missing)?;
    let origin = Arc::new(Origin {
        source: lake.identity.alias.clone(),
        export_id: row.export_id.clone(),
        ingested_at: run.plan.started_at,
        transaction_time: parse_instant(&input.transaction_time).ok_or_else(missing)?,
    });
    let outputs = input.files.into_iter().filter(|file| file.section == Section::Output);
    let file = |file: super::input::InputFile| StageFile {
        name: file.path.as_str().into(),
        hint: Some(file.name).filter(|name| lake.definitions().is_resource(name)),
        resource_type: file.resource_type,
        parts: file.parts,
        since: None,
        origin: Arc::clone(&origin),
    };
    Ok(outputs.map(|output| (output.path.clone(), (file(output.clone()), output.left))).collect())
}

/// Stages the lines, each read for itself.
async fn stage(
    lake: &Lake,
    staging: Staging,
    settings: &Settings,
    lines: &[Placed],
    observer: &dyn Observer,
) -> Result<StagedRun> {
    let done = staging.done.clone();
    let collected =
        Mutex::new(StagedRun { keys: KeySet::new(settings.keys()), done, ..StagedRun::default() });
    observer.begin(Step::Stage, None);
    let staging = Arc::new(staging);
    let mut stager = Stager::new(&staging);
    let mut parts = Parts::new(&lake.root.table(QuarantineRow::TABLE)?);
    let mut source: Option<RawSource> = None;
    let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
    for (file, line) in lines {
        let opened = match source.take().filter(|source| **source.name() == *line.raw_file) {
            Some(opened) => opened,
            None => RawSource::open(&lake.root, &line.raw_file).await?,
        };
        let (offset, length) = (unsigned(line.byte_offset), unsigned(line.byte_length));
        let bytes = opened.read(offset..offset + length).await?;
        source = Some(opened);
        let (number, file) = (*file, unsigned(line.line_number));
        let block = Block { offset, first_line: file, bytes };
        let (placed, at_work) = crate::busy(move || Ok((stager.take(number, &block)?, stager))).await?;
        stager = at_work;
        parts.place(placed).await?;
        observer.advance(Step::Stage, length);
    }
    let (last, staged) = crate::busy(move || stager.finish()).await?;
    parts.place(last).await?;
    collect(&collected, staged)?;
    observer.end(Step::Stage);
    Ok(collected.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn row(
    run: &Run,
    exports: &Exports,
    staged: &StagedRun,
    changed: &BTreeMap<String, Changed>,
    versions: Versions,
) -> ExportRow {
    let mut counts: BTreeMap<&str, TypeCounts> = BTreeMap::new();
    for (name, lines) in &staged.tally.lines {
        let quarantined = signed(staged.tally.refused.get(name).copied().unwrap_or_default());
        let (mut inserted, mut updated) = (0, 0);
        for (_, changed) in changed.iter().filter(|(table, _)| resource_type(table) == name) {
            inserted += signed(changed.inserted);
            updated += signed(changed.updated);
        }
        let file_count = signed(*lines);
        let unchanged = file_count - inserted - updated - quarantined;
        let resource_type = name.clone();
        let entry = TypeCounts {
            resource_type,
            file_count,
            inserted,
            updated,
            unchanged,
            quarantined,
            ..TypeCounts::default()
        };
        counts.insert(name, entry);
    }
    let now = run.plan.started_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    ExportRow {
        status: if staged.tally.all_refused() == 0 { FINISHED } else { FINISHED_WITH_ISSUES }.to_owned(),
        transaction_time: exports.last().map_or(now, |last| last.transaction_time.clone()),
        table_versions: versions.0,
        counts: counts.into_values().collect(),
        ..run.row(REPLAY)
    }
}
