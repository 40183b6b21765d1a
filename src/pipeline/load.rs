//! From the frozen input to the commit of the run: scan → tombstones → tables → the lake's own tables → `_exports`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fhir_arrow::{Instant, parse_instant};
use futures::{StreamExt, TryStreamExt};

use super::deletions::{DeletedAt, Deletions};
use super::input::{Input, InputFile};
use super::outcomes::Outcomes;
use super::progress::{Observer, Step};
use super::reconcile::{Verdict, reconcile};
use super::report::Report;
use super::run::Run;
use super::scan::{Scanned, newest, scan_file};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::{self, ExportRow, Exports, FINISHED, FINISHED_WITH_ISSUES};
use crate::lake::ledger::{DeletionRow, FileRow, QuarantineRow, Recorded, record_tombstones};
use crate::lake::members::{GroupPatients, MemberRow, record_members};
use crate::lake::own::{self, OwnRow};
use crate::lake::resource::{Origin, table_name};
use crate::lake::stage::Workers;
use crate::lake::upsert::{self, Candidate, Change, Changed, Context, Refusal};
use crate::raw::layout::{self, Section};

/// Loads the run's frozen input and finishes the run.
///
/// # Errors
/// [`Error::Blocked`] where trying again would fail again; any other error is worth trying again.
pub async fn load(lake: &Lake, run: &Run, input: &Input, observer: &dyn Observer) -> Result<Report> {
    load_input(lake, run, input, observer).await.map_err(|error| match error {
        Error::Damaged { .. } | Error::Unreconciled(_) => Error::Blocked {
            run: run.plan.export_id.clone(),
            path: format!("{}/abandoned.json", run.folder()),
            source: Box::new(error),
        },
        other => other,
    })
}

async fn load_input(lake: &Lake, run: &Run, input: &Input, observer: &dyn Observer) -> Result<Report> {
    let Read { mut scanned, deletions, outcomes } = read(lake, run, input, observer).await?;
    let recorded = record_tombstones(&lake.root, &run.stamp(), &deletions.rows).await?;
    let context = context(lake, run, input, &recorded).await?;
    let partial = lake.root.folders("tables/_partial").await?;
    let candidates = std::mem::take(&mut scanned.candidates);
    let changes = changes(candidates, &deletions.rows, &partial, context.transaction_time);
    let changed = write_tables(&context, changes, observer).await?;
    scanned.refused.extend(deletions.refused);
    scanned.refused.extend(changed.values().flat_map(|changed| changed.refused.iter().cloned()));
    let verdict = reconcile(run, input, &scanned, &changed, outcomes.errors())?;

    let mut versions = Versions::default();
    versions.note(DeletionRow::TABLE, recorded.version);
    changed.iter().for_each(|(name, changed)| versions.note(name, changed.version));
    record(lake, run, input, &scanned, &verdict, &mut versions).await?;

    let clean = verdict.complete && scanned.refused.is_empty();
    let row = ExportRow {
        export_id: run.plan.export_id.clone(),
        pipeline: run.plan.pipeline.clone(),
        seq: run.plan.seq,
        level: run.plan.scope.level.clone(),
        group_id: run.plan.scope.group_id.clone(),
        status: if clean { FINISHED } else { FINISHED_WITH_ISSUES }.to_owned(),
        request: input.request.clone(),
        since: input.since.clone(),
        transaction_time: input.transaction_time.clone(),
        started_at: run.plan.started_at,
        finished_at: Utc::now(),
        watermarks: if verdict.complete { input.watermarks.clone() } else { BTreeMap::new() },
        table_versions: versions.0,
        counts: verdict.counts,
        outcomes: outcomes.counts(),
    };
    exports::finish(&lake.root, &context.run, &row).await?;
    lake.root.remove_unfinished(&layout::folder(&run.plan.export_id)).await?;
    Ok(Report { run: row, resumed: run.resumed, warnings: verdict.warnings })
}

/// Table → the version that holds all of the run.
#[derive(Debug, Default)]
struct Versions(BTreeMap<String, i64>);

impl Versions {
    fn note(&mut self, name: &str, version: Option<u64>) {
        self.0.extend(version.map(|version| (name.to_owned(), i64::try_from(version).unwrap_or(i64::MAX))));
    }
}

async fn context(lake: &Lake, run: &Run, input: &Input, recorded: &Recorded) -> Result<Context> {
    Ok(Context {
        lake: lake.clone(),
        run: run.stamp(),
        origin: Origin {
            source: lake.identity.alias.clone(),
            export_id: run.plan.export_id.clone(),
            ingested_at: run.plan.started_at,
        },
        raw_files: input.files.iter().map(|file| file.path.as_str().into()).collect(),
        transaction_time: transaction_time(input)?,
        newly_deleted: Arc::new(recorded.new.clone()),
        transaction_times: Arc::new(Exports::read(&lake.root).await?.transaction_times()),
        notes: run.folder(),
        workers: Workers::new(std::thread::available_parallelism().map_or(2, usize::from)),
    })
}

/// Writes the lake's own tables: what came, what was refused, who belongs to the Group.
async fn record(
    lake: &Lake,
    run: &Run,
    input: &Input,
    scanned: &Scanned,
    verdict: &Verdict,
    versions: &mut Versions,
) -> Result<()> {
    let stamp = run.stamp();
    versions.note(FileRow::TABLE, own::append(&lake.root, &stamp, &files(run, input)).await?);
    let refused = &scanned.refused;
    let chunks = chunks(refused);
    let quarantined = own::append_from(&lake.root, &stamp, &chunks, async |range| {
        quarantine(lake, run, input, &refused[range]).await
    });
    versions.note(QuarantineRow::TABLE, quarantined.await?);
    if let Some(group_id) = run.plan.scope.group_id.clone() {
        let came = GroupPatients {
            group_id,
            patients: scanned.patients.clone(),
            complete: input.complete && verdict.complete && scanned.refused.is_empty(),
        };
        versions
            .note(MemberRow::TABLE, record_members(&lake.root, &stamp, &run.plan.export_id, &came).await?);
    }
    Ok(())
}

/// What the run's files say.
struct Read {
    scanned: Scanned,
    deletions: Deletions,
    outcomes: Outcomes,
}

async fn read(lake: &Lake, run: &Run, input: &Input, observer: &dyn Observer) -> Result<Read> {
    let at = DeletedAt {
        manifest: if input.has_manifest { Some(transaction_time(input)?) } else { None },
        started_at: instant(run.plan.started_at)?,
    };
    let mut read =
        Read { scanned: Scanned::default(), deletions: Deletions::default(), outcomes: Outcomes::default() };
    let new = || input.files.iter().enumerate().filter(|(_, file)| !file.loaded_before);
    observer.begin(Step::Check, Some(new().map(|(_, file)| file.byte_count).sum()));
    for (index, file) in new() {
        match file.section {
            Section::Output => read.scanned.merge(scan_file(&lake.root, index, file, observer).await?),
            Section::Deleted => {
                read.deletions.read(&lake.root, index, file, &run.plan.export_id, &at).await?;
            }
            Section::Error => read.outcomes.read(&lake.root, file).await?,
        }
    }
    observer.end(Step::Check);
    Ok(read)
}

/// What each table gets. `partial` are the types that have a table of subsetted resources.
fn changes(
    candidates: BTreeMap<String, Vec<Candidate>>,
    deletions: &[DeletionRow],
    partial: &[String],
    transaction_time: Instant,
) -> BTreeMap<String, Change> {
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    for (name, candidates) in candidates {
        changes.entry(name).or_default().candidates = newest(candidates, transaction_time);
    }
    let deleted: BTreeSet<(&str, &str)> =
        deletions.iter().map(|row| (row.resource_type.as_str(), row.id.as_str())).collect();
    for (resource_type, id) in deleted {
        let has_partial = partial.iter().any(|name| name == resource_type);
        for subsetted in [false, true].into_iter().filter(|subsetted| !subsetted || has_partial) {
            changes.entry(table_name(resource_type, subsetted)).or_default().deleted.push(id.to_owned());
        }
    }
    changes
}

async fn write_tables(
    context: &Context,
    changes: BTreeMap<String, Change>,
    observer: &dyn Observer,
) -> Result<BTreeMap<String, Changed>> {
    observer.begin(Step::Load, Some(changes.len() as u64));
    let parallel = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let changed = futures::stream::iter(changes)
        .map(|(name, change)| async move {
            let changed = upsert::upsert(context, &name, &change).await?;
            observer.advance(Step::Load, 1);
            Ok::<_, Error>((name, changed))
        })
        .buffer_unordered(parallel)
        .try_collect()
        .await?;
    observer.end(Step::Load);
    Ok(changed)
}

fn files(run: &Run, input: &Input) -> Vec<FileRow> {
    let row = |file: &InputFile| FileRow {
        export_id: run.plan.export_id.clone(),
        section: file.section.name().to_owned(),
        resource_type: file.resource_type.clone().unwrap_or_else(|| file.name.clone()),
        url: file.url.clone(),
        path: file.path.clone(),
        byte_count: signed(file.byte_count),
        line_count: signed(file.line_count),
        manifest_count: file.manifest_count.map(signed),
        sha256: file.sha256.clone(),
        retries: i64::from(file.retries),
    };
    input.files.iter().filter(|file| !file.loaded_before).map(row).collect()
}

/// Refusals that are written at a time: few enough that their lines fit into memory.
fn chunks(refused: &[Refusal]) -> Vec<std::ops::Range<usize>> {
    const LINES: usize = 256;
    const BYTES: u64 = 16 << 20;
    let (mut chunks, mut first, mut bytes) = (Vec::new(), 0, 0);
    for (at, refusal) in refused.iter().enumerate() {
        if at > first && (at - first >= LINES || bytes + refusal.length > BYTES) {
            chunks.push(first..at);
            (first, bytes) = (at, 0);
        }
        bytes += refusal.length;
    }
    chunks.extend((first < refused.len()).then_some(first..refused.len()));
    chunks
}

async fn quarantine(
    lake: &Lake,
    run: &Run,
    input: &Input,
    refused: &[Refusal],
) -> Result<Vec<QuarantineRow>> {
    let mut rows = Vec::with_capacity(refused.len());
    for refusal in refused {
        let Some(file) = input.files.get(refusal.file as usize) else { continue };
        let range = refusal.offset..refusal.offset + refusal.length;
        rows.push(QuarantineRow {
            export_id: run.plan.export_id.clone(),
            resource_type: refusal.resource_type.clone(),
            id: refusal.id.clone(),
            raw_file: file.path.clone(),
            line_number: signed(refusal.line),
            byte_offset: signed(refusal.offset),
            byte_length: signed(refusal.length),
            element_path: refusal.element_path.clone(),
            issue_code: refusal.issue_code.clone(),
            reason: refusal.reason.clone(),
            content: if refusal.length <= QuarantineRow::MAX_CONTENT {
                Some(lake.root.get_range(&file.path, range).await?.to_vec())
            } else {
                None
            },
        });
    }
    Ok(rows)
}

fn transaction_time(input: &Input) -> Result<Instant> {
    parse_instant(&input.transaction_time).ok_or_else(|| Error::Damaged {
        path: "input.json".to_owned(),
        reason: format!("its transaction time {:?} is no instant", input.transaction_time),
    })
}

pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn instant(at: DateTime<Utc>) -> Result<Instant> {
    parse_instant(&at.to_rfc3339())
        .ok_or_else(|| Error::Damaged { path: "plan.json".to_owned(), reason: format!("{at} is no instant") })
}
