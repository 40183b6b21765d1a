//! One run of `fhirlake export`: plan (or continue) → the server's jobs → freeze → load → clean.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fhir_arrow::parse_instant;
use fhir_bulk_client::{BulkClient, ErrorKind, ExportLog, ExportRequest, Grant, Level, ServerCheck, redact};
use fhir_definitions::{Definitions, FhirVersion};
use serde::{Deserialize, Serialize};

use super::gaps;
use super::input::{Input, InputFile};
use super::jobs::{self, Completed, KickedOff, Places, Watch};
use super::load::{JUDGED, load};
use super::log::Log;
use super::outcomes::Outcomes;
use super::plan::{self, FULL};
use super::progress::Observer;
use super::report::Report;
use super::roster;
use super::run::{self, Run};
use super::scope::{Query, Scope};
use super::settings::Settings;
use super::timed::Timed;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;
use crate::lake::identity::Identity;
use crate::raw::layout::Section;

/// The note of who belongs to the Group.
pub(super) const ROSTER: &str = "roster.json";

/// From when on the server is asked for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// From the watermark; everything where there is none.
    Watermark,
    /// Everything.
    Full,
    /// From an instant, which is sent as it is written.
    At(String),
}

/// What to export.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Whose data.
    pub level: Level,
    /// Only these types; empty for all.
    pub types: Vec<String>,
    /// Only what changed.
    pub since: Since,
    /// How long before the watermark changes are asked for.
    pub since_overlap: Duration,
    /// What else the server is asked.
    pub query: Query,
    /// The server's FHIR version, where the user says it.
    pub fhir_version: Option<FhirVersion>,
    /// Files that are downloaded at a time.
    pub parallel: usize,
    /// What an error means that the server reports in the export.
    pub on_server_error: OnServerError,
    /// How the run works.
    pub settings: Settings,
}

/// What an error means that the server reports in the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OnServerError {
    /// The run goes on; what is missing holds the watermark.
    #[default]
    Continue,
    /// The run is refused, before anything is changed.
    Fail,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            level: Level::System,
            types: Vec::new(),
            since: Since::Watermark,
            since_overlap: Duration::ZERO,
            query: Query::default(),
            fhir_version: None,
            parallel: 4,
            on_server_error: OnServerError::default(),
            settings: Settings::default(),
        }
    }
}

/// Exports a server into the lake at `location`, which is created where it is missing. Returns the runs that it took:
/// one; before it the one that was interrupted, if that was another and could be finished.
///
/// # Errors
/// [`Error::Refused`] for what cannot be asked, a server of another FHIR version, and a lake of another server;
/// [`Error::Server`] for what the server did; and what the lake's store does. Whatever it is, the same call continues.
pub async fn export(
    location: &str,
    identity: &Identity,
    client: &mut BulkClient,
    options: &ExportOptions,
    observer: &dyn Observer,
) -> Result<Vec<Report>> {
    let observer = &Timed::new(observer);
    let check = client.check().await?;
    client.adopt(&check);
    let client: &BulkClient = client;
    let (version, mut warnings) = fhir_version(client, &check, options.fhir_version)?;
    warnings.extend(check.grant.iter().flat_map(Grant::warnings));
    let identity = identity.clone().of_version(version).with_grant(check.grant.as_ref());
    let scope = scope(options)?;
    if version.is_some() {
        // Before the lake's folder is made.
        check_types(&scope, Definitions::of(identity.fhir_version()))?;
    }
    let lake = Lake::admit(location, &identity).await?;
    check_types(&scope, lake.definitions())?;
    let _lease = run::lease(&lake.root, &plan::pipeline_of(&options.level)).await?;
    let mut reports = Vec::new();
    let mut run = begin(&lake, client, options, scope, &mut reports, observer).await?;
    let input = loop {
        match receive(&lake, &run, client, options, &warnings, observer).await {
            Err(Error::Server(error)) if is_lost(error.kind()) => {
                jobs::delete(client, &run).await?;
                run.abandon("the server can no longer finish the job").await?;
                if !run.resumed {
                    return Err(error.into());
                }
                observer.note(&format!("the export that was interrupted is lost, and begins anew: {error}"));
                run = begin(&lake, client, options, run.plan.scope, &mut reports, observer).await?;
            }
            received => break received?,
        }
    };
    let loaded = load_or_give_up(&lake, &run, &input, client, options, observer).await;
    let report = loaded?;
    reports.push(Report { seconds: observer.take(), ..report });
    jobs::delete(client, &run).await?;
    Ok(reports)
}

/// Loads a run. One that is refused for what the server sent is given up: another export may bring something else.
async fn load_or_give_up(
    lake: &Lake,
    run: &Run,
    input: &Input,
    client: &BulkClient,
    options: &ExportOptions,
    observer: &dyn Observer,
) -> Result<Report> {
    let loaded = match refuse_errors(lake, input, options.on_server_error).await {
        Ok(()) => load(lake, run, input, &options.settings, observer).await,
        Err(refused) => Err(refused),
    };
    if let Err(Error::Invalid(_)) = &loaded {
        jobs::delete(client, run).await?;
        run.abandon("it was refused").await?;
    }
    loaded
}

async fn refuse_errors(lake: &Lake, input: &Input, on_server_error: OnServerError) -> Result<()> {
    let mut outcomes = Outcomes::new(lake.definitions(), "");
    for file in input.files.iter().filter(|file| file.section == Section::Error) {
        outcomes.read(&lake.root, file).await?;
    }
    if on_server_error == OnServerError::Continue || outcomes.errors() == 0 {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the server reported {} errors in its export: nothing was changed, and the run is given up; --on-server-error \
         continue loads what comes",
        outcomes.errors()
    )))
}

/// Deletes the server's jobs of the pipeline's run that was interrupted, and gives the run up.
///
/// # Errors
/// [`Error::Refused`] where there is none, or its files are complete: then it only needs to be finished.
pub async fn cancel(
    location: &str,
    client: &BulkClient,
    level: &Level,
    observer: &dyn Observer,
) -> Result<()> {
    let lake = Lake::open(location).await?;
    let pipeline = plan::pipeline_of(level);
    let _lease = run::lease(&lake.root, &pipeline).await?;
    let exports = Exports::read(&lake.root).await?;
    let Some(run) = Run::unfinished(&lake.root, &pipeline, &exports).await? else {
        return Err(Error::Refused(format!("the pipeline {pipeline} has no run that was interrupted")));
    };
    if run.noted::<serde_json::Value>(JUDGED).await?.is_some() {
        return Err(Error::Refused(format!(
            "run {} is in some of the tables already: it can only be finished, by the same command without --cancel",
            run.plan.export_id
        )));
    }
    jobs::delete(client, &run).await?;
    run.abandon("it was cancelled").await?;
    observer.note(&format!("run {} is given up, and the server told so", run.plan.export_id));
    Ok(())
}

/// Whether the server has said that the job will never give its files any more. Anything else may be a passing fault,
/// or that of a proxy in between: the job and what was received of it are kept.
fn is_lost(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::JobGone | ErrorKind::JobFailed)
}

fn check_types(scope: &Scope, definitions: &Definitions) -> Result<()> {
    match scope.types.iter().find(|name| !definitions.is_resource(name)) {
        None => Ok(()),
        Some(unknown) => Err(Error::Refused(format!(
            "{unknown} is no resource type of FHIR {}: names are written as in `Patient`",
            definitions.version().number()
        ))),
    }
}

fn scope(options: &ExportOptions) -> Result<Scope> {
    let mut types = options.types.clone();
    types.sort();
    types.dedup();
    let since = match &options.since {
        Since::Watermark => None,
        Since::Full => Some(FULL.to_owned()),
        Since::At(instant) if is_fhir_instant(instant) => Some(instant.clone()),
        Since::At(other) => {
            return Err(Error::Refused(format!(
                "--since {other} is no FHIR instant: write date, time and zone, as in 2026-11-01T00:00:00Z"
            )));
        }
    };
    let (level, group_id) = match &options.level {
        Level::System => ("system", None),
        Level::Patient => ("patient", None),
        Level::Group(id) if fhir_arrow::is_legal_id(id) => ("group", Some(id.clone())),
        Level::Group(id) => return Err(Error::Refused(format!("{id:?} is no id of a Group"))),
    };
    let query = options.query.clone();
    if let Some(until) = query.until.as_ref().filter(|until| !is_fhir_instant(until)) {
        return Err(Error::Refused(format!(
            "--until {until} is no FHIR instant: write date, time and zone, as in 2026-11-01T00:00:00Z"
        )));
    }
    let overlap_seconds = i64::try_from(options.since_overlap.as_secs()).unwrap_or(i64::MAX);
    Ok(Scope { level: level.to_owned(), group_id, types, since, overlap_seconds, query })
}

/// FHIR's `instant` has a time and a zone; a date alone would mean something else to each server.
fn is_fhir_instant(text: &str) -> bool {
    text.contains('T') && parse_instant(text).is_some() && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

/// The server's FHIR version, where that is known, and what the user should know of it. A server may hide its metadata.
fn fhir_version(
    client: &BulkClient,
    check: &ServerCheck,
    asked: Option<FhirVersion>,
) -> Result<(Option<FhirVersion>, Vec<String>)> {
    let Some(capability) = &check.capability else {
        let assumed =
            asked.map_or("that of the lake, else 4.0.1, is assumed", |_| "that of --fhir-version is taken");
        let why = check.deviations.first().cloned().unwrap_or_default();
        let warning = format!("the server's FHIR version is not known, and {assumed}: {why}");
        return Ok((asked, vec![warning]));
    };
    let said = &capability.fhir_version;
    match (FhirVersion::from_fhir_version(said), asked) {
        (Some(told), Some(asked)) if told != asked => Err(Error::Refused(format!(
            "{} speaks FHIR {said}, and --fhir-version says {asked}: leave it out",
            redact(client.base())
        ))),
        (Some(told), _) => Ok((Some(told), Vec::new())),
        (None, _) => Err(Error::Refused(format!(
            "{} speaks FHIR {said}; this program knows {}",
            redact(client.base()),
            known_versions()
        ))),
    }
}

/// `4.0.1 (R4), …`.
fn known_versions() -> String {
    let versions = FhirVersion::ALL.iter().map(|version| format!("{} ({version})", version.number()));
    versions.collect::<Vec<_>>().join(", ")
}

/// Continues the pipeline's unfinished run, or begins the next one.
async fn begin(
    lake: &Lake,
    client: &BulkClient,
    options: &ExportOptions,
    scope: Scope,
    reports: &mut Vec<Report>,
    observer: &dyn Observer,
) -> Result<Run> {
    let pipeline = plan::pipeline_of(&options.level);
    let mut exports = Exports::read(&lake.root).await?;
    if let Some(run) = Run::unfinished(&lake.root, &pipeline, &exports).await? {
        let frozen = run.input().await?;
        if run.plan.scope == scope {
            observer.note(&format!("run {} was interrupted and goes on", run.plan.export_id));
            return Ok(run);
        }
        match frozen {
            // Its files are complete: it is cheaper to finish it than to ask for them again.
            Some(input) => {
                observer.note(&format!("run {} was interrupted and is finished first", run.plan.export_id));
                reports.push(load_or_give_up(lake, &run, &input, client, options, observer).await?);
                exports = Exports::read(&lake.root).await?;
            }
            None => run.abandon("another export of the pipeline was asked for").await?,
        }
        jobs::delete(client, &run).await?;
    }
    let watermarks = exports.watermarks(&pipeline);
    let jobs = plan::jobs(&scope, &watermarks);
    let roster = roster::read(client, &options.level).await;
    let jobs =
        roster::with_newcomers(lake, client, &options.level, &scope, &watermarks, roster.as_ref(), jobs)
            .await?;
    let run = Run::begin(&lake.root, &pipeline, &exports, scope, jobs).await?;
    if let Some(roster) = roster {
        run.note(ROSTER, &roster).await?;
    }
    Ok(run)
}

/// Brings the run's files into the raw store and freezes its input.
async fn receive(
    lake: &Lake,
    run: &Run,
    client: &BulkClient,
    options: &ExportOptions,
    warnings: &[String],
    observer: &dyn Observer,
) -> Result<Input> {
    if let Some(input) = run.input().await? {
        return Ok(input);
    }
    let log = Log::open(&lake.root, run).await?;
    let received = receive_files(lake, run, client, options, &Watch { observer, log: &log }).await;
    if received.is_ok() {
        log.event(ExportLog::export_complete);
    }
    let saved = log.save().await;
    let (completed, mut files) = received?;
    saved?;
    files.extend(gaps::fill(client, lake, run, &files, options.settings.raw).await?.files);
    run.freeze(input(run, &completed, files, warnings)?).await
}

async fn receive_files(
    lake: &Lake,
    run: &Run,
    client: &BulkClient,
    options: &ExportOptions,
    watch: &Watch<'_>,
) -> Result<(Vec<Completed>, Vec<InputFile>)> {
    let jobs = run.plan.jobs.iter();
    let requests: Vec<_> = jobs.map(|job| Arc::new(run.plan.scope.request(&options.level, job))).collect();
    let (mut completed, mut files): (Vec<Completed>, Vec<InputFile>) = (Vec::new(), Vec::new());
    let mut places = Places::default();
    while let Some(before) = run.noted::<Received>(&format!("received-{}.json", completed.len())).await? {
        completed.extend(before.completed);
        files.extend(before.files);
        places = before.places;
    }
    while completed.len() < requests.len() {
        if !completed.is_empty() {
            // The server has refused another job beside these. Their files are here, whole, and they may be in its way
            // until they are gone.
            jobs::delete(client, run).await?;
        }
        let started = begin_jobs(client, lake, run, &requests, completed.len(), watch).await?;
        let first = completed.len();
        let round = Round { client, lake, run, requests: &requests[first..], options, watch };
        let received = round.receive(started, &mut places).await?;
        if first + received.completed.len() < requests.len() {
            // Its jobs are deleted before the others begin: nobody could ask for them again.
            run.note(&format!("received-{first}.json"), &received).await?;
        }
        completed.extend(received.completed);
        files.extend(received.files);
    }
    Ok((completed, files))
}

/// Begins as many of the jobs from `first` on as the server takes beside each other.
async fn begin_jobs(
    client: &BulkClient,
    lake: &Lake,
    run: &Run,
    requests: &[Arc<ExportRequest>],
    first: usize,
    watch: &Watch<'_>,
) -> Result<Vec<KickedOff>> {
    let mut started = Vec::new();
    for (n, request) in requests.iter().enumerate().skip(first) {
        match jobs::kick_off(client, lake, run, n, request, watch).await {
            Err(Error::Server(error)) if error.kind() == ErrorKind::Busy && n > first => {
                tracing::info!(%error, "the server takes one export after the other");
                break;
            }
            kicked_off => started.push(kicked_off?),
        }
    }
    Ok(started)
}

/// How often manifests are asked for again because links have expired.
const MANIFESTS_AGAIN: u32 = 5;

/// What jobs have brought.
#[derive(Debug, Serialize, Deserialize)]
struct Received {
    completed: Vec<Completed>,
    files: Vec<InputFile>,
    places: Places,
}

/// Jobs that the server has at the same time.
struct Round<'r> {
    client: &'r BulkClient,
    lake: &'r Lake,
    run: &'r Run,
    /// What they ask for.
    requests: &'r [Arc<ExportRequest>],
    options: &'r ExportOptions,
    watch: &'r Watch<'r>,
}

impl Round<'_> {
    /// Waits for the jobs and downloads their files.
    async fn receive(&self, started: Vec<KickedOff>, places: &mut Places) -> Result<Received> {
        let Self { client, lake, run, requests, options, watch } = self;
        let mut again = 0;
        loop {
            let mut taken = places.clone();
            let (mut completed, mut manifests) = (Vec::new(), Vec::new());
            for kicked_off in started.clone() {
                let done = jobs::manifest(client, lake, run, kicked_off, taken.pages, watch).await?;
                taken.pages += done.1.pages.len();
                completed.push(done.0);
                manifests.push(done.1);
            }
            watch.log.save().await?;
            let first = taken.files;
            let wanted = jobs::wanted(run, requests, &manifests, options.settings.raw, &mut taken);
            match jobs::download(client, lake, run, &wanted, first, options.parallel, watch).await {
                Err(Error::Server(error))
                    if error.kind() == ErrorKind::LinkExpired && again < MANIFESTS_AGAIN =>
                {
                    again += 1;
                    tracing::info!(%error, "a link is no longer good: the manifest is asked for again");
                }
                files => {
                    *places = taken.clone();
                    return Ok(Received { completed, files: files?, places: taken });
                }
            }
        }
    }
}

fn input(run: &Run, completed: &[Completed], files: Vec<InputFile>, warnings: &[String]) -> Result<Input> {
    let oldest = completed.iter().map(|done| &done.transaction_time).min_by_key(|time| parse_instant(time));
    let transaction_time =
        oldest.cloned().ok_or_else(|| Error::Unreconciled("the run has no job".to_owned()))?;
    let mut warnings = warnings.to_vec();
    let mut watermarks = BTreeMap::new();
    for (job, done) in run.plan.jobs.iter().zip(completed) {
        warnings.extend(done.kicked_off.warnings.iter().cloned());
        watermarks.extend(job.watermarks.iter().map(|name| (name.clone(), done.transaction_time.clone())));
        warnings.extend(job.warning.clone());
    }
    let request: Vec<&str> = completed.iter().map(|done| done.kicked_off.request.as_str()).collect();
    Ok(Input {
        transaction_time,
        request: Some(request.join(" ")),
        since: run.plan.jobs.iter().find_map(|job| job.since.clone()),
        snapshot: snapshot(run),
        complete: run.plan.jobs.iter().all(|job| job.since.is_none() && job.types.is_empty())
            && run.plan.scope.is_whole(),
        files: in_order(files),
        has_manifest: true,
        promised: BTreeMap::new(),
        watermarks,
        warnings,
    })
}

/// The types of which a run brings everything. What belongs to no patient does not come at the other levels.
fn snapshot(run: &Run) -> Option<Vec<String>> {
    let full: Vec<_> = run.plan.jobs.iter().filter(|job| job.since.is_none()).collect();
    if run.plan.scope.level != "system" || full.is_empty() || !run.plan.scope.is_whole() {
        return None;
    }
    let all = full.iter().any(|job| job.types.is_empty());
    Some(if all { Vec::new() } else { full.iter().flat_map(|job| job.types.clone()).collect() })
}

/// Resources first: a deletion of the same manifest is weighed against them by time, not by place.
fn in_order(mut files: Vec<InputFile>) -> Vec<InputFile> {
    files.sort_by_key(|file| match file.section {
        Section::Output => 0,
        Section::Deleted => 1,
        Section::Error => 2,
    });
    files
}
