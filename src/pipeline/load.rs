//! From the frozen input to the commit of the run: tombstones → staging → tables → the lake's own tables → `_exports`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use delta_upsert::Workers;
use delta_upsert::data_file::{FileNames, NewFile};
use delta_upsert::upsert::{Change, Changed};
use fhir_arrow::{Instant, parse_instant};
use futures::{StreamExt, TryStreamExt};

use super::deletions::{DeletedAt, Deletions};
use super::expiry::expired;
use super::export::ROSTER;
use super::findings;
use super::gaps::{self, Filled};
use super::input::{Input, InputFile};
use super::outcomes::Outcomes;
use super::progress::{Observer, Step};
use super::reconcile::reconcile;
use super::removals::{Removals, SnapshotScope, removals};
use super::report::Report;
use super::roster::Roster;
use super::run::Run;
use super::settings::Settings;
use super::stage::{StagedRun, look_at_ids, stage, stage_files};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::{self, ExportRow, Exports, FINISHED, FINISHED_WITH_ISSUES};
use crate::lake::findings::FindingRow;
use crate::lake::gaps::{self as lake_gaps, GapRow};
use crate::lake::ledger::{DeletionRow, FileRow, record_tombstones};
use crate::lake::members::{GroupPatients, MemberRow, record_members};
use crate::lake::own::{self, OwnRow};
use crate::lake::quarantine::{self, Leaving, QuarantineRow};
use crate::lake::resource::{Origin, table_name};
use crate::lake::stage::Staging;
use crate::lake::upsert::{self, Context};
use crate::raw::layout::{self, Section};

/// Loads the run's frozen input and finishes the run.
///
/// # Errors
/// [`Error::Blocked`] where trying again would fail again; any other error is worth trying again.
pub async fn load(
    lake: &Lake,
    run: &Run,
    input: &Input,
    settings: &Settings,
    observer: &dyn Observer,
) -> Result<Report> {
    load_input(lake, run, input, settings, observer).await.map_err(|error| match error {
        Error::Damaged { .. } | Error::Unreconciled(_) => Error::Blocked {
            run: run.plan.export_id.clone(),
            path: format!("{}/abandoned.json", run.folder()),
            source: Box::new(error),
        },
        other => other,
    })
}

async fn load_input(
    lake: &Lake,
    run: &Run,
    input: &Input,
    settings: &Settings,
    observer: &dyn Observer,
) -> Result<Report> {
    let settings = &judged_before(run, settings).await?;
    let prepared = prepare(lake, run, input, settings, observer).await?;
    let Prepared { context, mut staged, deletions, outcomes, gaps, removals } = prepared;
    let open = open_gaps(&gaps);
    // From here on the run is made as it was judged.
    run.note(JUDGED, &settings.judging).await?;
    let recorded = record_tombstones(&lake.root, &run.stamp(), &deletions.rows).await?;
    let context = Context { newly_deleted: Arc::new(recorded.new.clone()), ..context };
    let looked_at = std::mem::take(&mut staged.versions);
    let changes = changes(lake, &mut staged, &deletions.rows).await?;
    let changed = write_tables(&context, changes, observer).await?;
    staged.tally.merge(deletions.tally);
    let mut verdict = reconcile(run, input, &staged.tally, &changed, outcomes.unplaced())?;
    verdict.warnings.extend(removals.warning);

    let mut versions = Versions::default();
    versions.note(DeletionRow::TABLE, recorded.version);
    // Also those in which nothing changed: an unfinished run may have made them.
    looked_at.iter().for_each(|(name, version)| versions.note(name, Some(*version)));
    changed.iter().for_each(|(name, changed)| versions.note(name, changed.version));
    verdict.warnings.extend(
        (open > 0)
            .then(|| format!("{open} resources are missing that the server could not export: see _gaps")),
    );
    let clean = verdict.complete && staged.tally.all_refused() == 0 && open == 0;
    if !run.plan.scope.ids_only {
        versions.note(GapRow::TABLE, lake_gaps::record(&lake.root, &run.stamp(), &gaps).await?);
    }
    staged.quarantine.extend(quarantine(lake, run, &deletions.refused).await?);
    let exports = Exports::read(&lake.root).await?;
    let expired = expired(&lake.root, &exports, settings.quarantine_retention).await?;
    let findings = findings::rows(run, input, &staged.tally);
    verdict.warnings.extend(findings::most_frequent(&findings));
    versions.note(FindingRow::TABLE, own::append(&lake.root, &run.stamp(), &findings).await?);
    record(lake, run, input, staged, clean, &expired, &mut versions).await?;

    let row = ExportRow {
        group_id: run.plan.scope.group_id.clone(),
        status: if clean { FINISHED } else { FINISHED_WITH_ISSUES }.to_owned(),
        request: input.request.clone(),
        since: input.since.clone(),
        transaction_time: input.transaction_time.clone(),
        watermarks: if verdict.complete { input.watermarks.clone() } else { BTreeMap::new() },
        table_versions: versions.0,
        counts: verdict.counts,
        outcomes: outcomes.counts(),
        ..run.row(&run.plan.scope.level)
    };
    exports::finish(&lake.root, &context.run, &row).await?;
    lake.root.remove_unfinished(&layout::folder(&run.plan.export_id)).await?;
    let came = input.files.iter().filter(|file| !file.loaded_before);
    Ok(Report {
        run: row,
        resumed: run.resumed,
        byte_count: came.clone().map(|file| file.byte_count).sum(),
        retries: came.map(|file| u64::from(file.retries)).sum(),
        seconds: BTreeMap::new(),
        warnings: verdict.warnings,
    })
}

/// A run whose lines are staged, and of which nothing is committed yet.
pub(super) struct Prepared {
    pub context: Context,
    pub staged: StagedRun,
    /// Tombstones, those of `removals` among them.
    pub deletions: Deletions,
    pub outcomes: Outcomes,
    pub gaps: Vec<GapRow>,
    /// What the run removes because it did not come.
    pub removals: Removals,
}

/// Everything that a run does before it commits anything.
///
/// # Errors
/// Those of [`load`].
pub(super) async fn prepare(
    lake: &Lake,
    run: &Run,
    input: &Input,
    settings: &Settings,
    observer: &dyn Observer,
) -> Result<Prepared> {
    let Read { mut deletions, outcomes } = read(lake, run, input).await?;
    let context = context(lake, run, settings).await?;
    let staging = staging(lake, run, input, settings)?;
    let staged = if run.plan.scope.ids_only {
        look_at_ids(&context, settings, &staging, input, observer).await?
    } else {
        stage(&context, settings, staging, input, observer).await?
    };
    for file in &input.files {
        file.left.as_ref().map_or(Ok(()), |left| left.check(&file.path))?;
    }
    findings::refuse_invalid(&staged, |file| input.files.get(file as usize).map_or("", |file| &file.path))?;
    let mut came = staged.tally.clone();
    came.merge(deletions.tally.clone());
    let gaps = match run.noted::<Filled>(gaps::NOTE).await? {
        Some(filled) => filled.gaps,
        None => outcomes.gaps(),
    };
    let reconciled = reconcile(run, input, &came, &BTreeMap::new(), outcomes.unplaced())?;
    let whole = reconciled.complete && open_gaps(&gaps) == 0;
    let scope = SnapshotScope::of(run, input, whole, settings.max_removals);
    let mut removals = removals(&context, &scope, &staged).await?;
    deletions.rows.append(&mut removals.rows);
    Ok(Prepared { context, staged, deletions, outcomes, gaps, removals })
}

/// How many resources are missing that the server could not export.
fn open_gaps(gaps: &[GapRow]) -> usize {
    gaps.iter().filter(|gap| gap.resolved_by.is_none()).count()
}

/// The note of how a run is judged, written before anything of it is committed.
pub(super) const JUDGED: &str = "judging.json";

/// The settings with the judging that the run had before it was interrupted, if something of it may be committed.
pub(super) async fn judged_before(run: &Run, settings: &Settings) -> Result<Settings> {
    let judging = run.noted(JUDGED).await?.unwrap_or_else(|| settings.judging.clone());
    Ok(Settings { judging, ..settings.clone() })
}

/// Table → the version that holds all of the run.
#[derive(Debug, Default)]
pub(super) struct Versions(pub BTreeMap<String, i64>);

impl Versions {
    pub(super) fn note(&mut self, name: &str, version: Option<u64>) {
        self.0.extend(version.map(|version| (name.to_owned(), i64::try_from(version).unwrap_or(i64::MAX))));
    }
}

pub(super) async fn context(lake: &Lake, run: &Run, settings: &Settings) -> Result<Context> {
    Ok(Context {
        lake: lake.clone(),
        run: run.stamp(),
        names: FileNames::new(&run.stamp()),
        newly_deleted: Arc::default(),
        transaction_times: Arc::new(Exports::read(&lake.root).await?.transaction_times()),
        notes: run.folder(),
        workers: Workers::new(settings.workers()),
        chunk: settings.key_chunk(),
    })
}

fn staging(lake: &Lake, run: &Run, input: &Input, settings: &Settings) -> Result<Staging> {
    let origin = Origin {
        source: lake.identity.alias.clone(),
        export_id: run.plan.export_id.clone(),
        ingested_at: run.plan.started_at,
        transaction_time: transaction_time(input)?,
    };
    let files = stage_files(input, origin, |name| lake.definitions().is_resource(name));
    Ok(Staging::new(lake, run.stamp(), files, settings.stage_limits(), &settings.judging))
}

/// Writes the lake's own tables: what came, what was refused, who belongs to the Group.
async fn record(
    lake: &Lake,
    run: &Run,
    input: &Input,
    staged: StagedRun,
    clean: bool,
    expired: &Leaving,
    versions: &mut Versions,
) -> Result<()> {
    let stamp = run.stamp();
    if !run.plan.scope.ids_only {
        versions.note(FileRow::TABLE, own::append(&lake.root, &stamp, &files(run, input)).await?);
    }
    let quarantined = quarantine::update(&lake.root, &stamp, staged.quarantine, expired).await?;
    versions.note(QuarantineRow::TABLE, quarantined);
    if let Some(group_id) = run.plan.scope.group_id.clone() {
        let complete = input.complete && clean;
        // Who belongs to it now, if the server says so; otherwise who came.
        let roster = run.noted::<Roster>(ROSTER).await?;
        let (patients, complete) = match roster.filter(|_| clean && run.plan.scope.is_whole()) {
            Some(roster) => (roster.patients, true),
            None => (staged.tally.patients, complete),
        };
        let came = GroupPatients { pipeline: run.plan.pipeline.clone(), group_id, patients, complete };
        versions
            .note(MemberRow::TABLE, record_members(&lake.root, &stamp, &run.plan.export_id, &came).await?);
    }
    Ok(())
}

/// Lines of deletions that were refused, as files of `_quarantine`.
async fn quarantine(lake: &Lake, run: &Run, refused: &[QuarantineRow]) -> Result<Option<NewFile>> {
    if refused.is_empty() {
        return Ok(None);
    }
    own::write(&lake.root, &run.stamp(), refused).await.map(Some)
}

/// What the run's files say, besides resources.
struct Read {
    deletions: Deletions,
    outcomes: Outcomes,
}

async fn read(lake: &Lake, run: &Run, input: &Input) -> Result<Read> {
    let at = DeletedAt {
        manifest: if input.has_manifest { Some(transaction_time(input)?) } else { None },
        started_at: instant(run.plan.started_at)?,
    };
    let mut read = Read {
        deletions: Deletions::default(),
        outcomes: Outcomes::new(lake.definitions(), &run.plan.export_id),
    };
    for (index, file) in (0..).zip(&input.files) {
        match file.section {
            Section::Output => {}
            // Ids are asked for to see what is there; what was deleted comes with the exports that follow.
            Section::Deleted if run.plan.scope.ids_only => {}
            Section::Deleted => read.deletions.read(lake, index, file, &run.plan.export_id, &at).await?,
            Section::Error => read.outcomes.read(&lake.root, file).await?,
        }
    }
    Ok(read)
}

/// What each table gets: its staged files, and the tombstones that this run brings for it.
pub(super) async fn changes(
    lake: &Lake,
    staged: &mut StagedRun,
    deletions: &[DeletionRow],
) -> Result<BTreeMap<String, Change>> {
    let partial = lake.root.folders("tables/_partial").await?;
    let mut keys = std::mem::take(&mut staged.keys);
    let mut buries = BTreeSet::new();
    for row in deletions {
        let has_partial = partial.contains(&row.resource_type);
        for subsetted in [false, true].into_iter().filter(|subsetted| !subsetted || has_partial) {
            let name = table_name(&row.resource_type, subsetted);
            keys.extend(&name, [upsert::tombstone(&row.id, instant(row.deleted_at)?)])?;
            buries.insert(name);
        }
    }
    // What was done to them is found in the run's notes.
    for name in &staged.done {
        keys.extend(name, [])?;
    }
    let mut files = std::mem::take(&mut staged.tables);
    let changes = keys.finish().into_iter().map(|(name, keys)| {
        let staged = files.remove(&name).unwrap_or_default();
        let buries = buries.contains(&name);
        (name, Change { staged, keys, indexed: Arc::default(), buries })
    });
    Ok(changes.collect())
}

pub(super) async fn write_tables(
    context: &Context,
    changes: BTreeMap<String, Change>,
    observer: &dyn Observer,
) -> Result<BTreeMap<String, Changed>> {
    observer.begin(Step::Load, Some(changes.len() as u64));
    let changed = futures::stream::iter(changes)
        .map(|(name, change)| async move {
            let changed = upsert::upsert(context, &name, change).await?;
            observer.advance(Step::Load, 1);
            Ok::<_, Error>((name, changed))
        })
        .buffer_unordered(context.workers.count() * 2)
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
