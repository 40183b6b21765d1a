//! One run of `fhirlake export`: plan (or continue) → the server's jobs → freeze → load → clean.

use std::collections::BTreeMap;

use fhir_arrow::parse_instant;
use fhir_bulk_client::{BulkClient, Capability, ErrorKind, Level, redact};
use fhir_definitions::{Definitions, FhirVersion};

use super::input::Input;
use super::jobs::{self, Completed};
use super::load::load;
use super::plan::{self, FULL, Scope};
use super::progress::Observer;
use super::report::Report;
use super::run::{self, Run};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;
use crate::lake::identity::Identity;
use crate::raw::layout::Section;

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
    /// The server's FHIR version, where the user says it.
    pub fhir_version: Option<FhirVersion>,
    /// Files that are downloaded at a time.
    pub parallel: usize,
    /// How the run works.
    pub settings: Settings,
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
    client: &BulkClient,
    options: &ExportOptions,
    observer: &dyn Observer,
) -> Result<Vec<Report>> {
    let (version, warnings) = check_server(client, options.fhir_version).await?;
    let identity = identity.clone().of_version(version);
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
    reports.push(load(&lake, &run, &input, &options.settings, observer).await?);
    jobs::delete(client, &run).await?;
    Ok(reports)
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
    Ok(Scope { level: level.to_owned(), group_id, types, since })
}

/// FHIR's `instant` has a time and a zone; a date alone would mean something else to each server.
fn is_fhir_instant(text: &str) -> bool {
    text.contains('T') && parse_instant(text).is_some() && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

/// Reads what the server says of itself. Returns its FHIR version, where that is known, and what the user should know.
async fn check_server(
    client: &BulkClient,
    asked: Option<FhirVersion>,
) -> Result<(Option<FhirVersion>, Vec<String>)> {
    let Capability { fhir_version, .. } = match client.capability().await {
        Ok(capability) => capability,
        // A server may hide its metadata; one that cannot be reached, or wants another token, will not export.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::Protocol) =>
        {
            let assumed = asked
                .map_or("that of the lake, else 4.0.1, is assumed", |_| "that of --fhir-version is taken");
            let warning = format!(
                "the server's metadata could not be read, its FHIR version is not known, and {assumed}: {error}"
            );
            return Ok((asked, vec![warning]));
        }
        Err(error) => return Err(error.into()),
    };
    let told = FhirVersion::from_fhir_version(&fhir_version);
    match (told, asked) {
        (Some(told), Some(asked)) if told != asked => Err(Error::Refused(format!(
            "{} speaks FHIR {fhir_version}, and --fhir-version says {asked}: leave it out",
            redact(client.base())
        ))),
        (Some(told), _) => Ok((Some(told), Vec::new())),
        (None, _) => Err(Error::Refused(format!(
            "{} speaks FHIR {fhir_version}; this program knows {}",
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
                reports.push(load(lake, &run, &input, &options.settings, observer).await?);
                exports = Exports::read(&lake.root).await?;
            }
            None => run.abandon("another export of the pipeline was asked for").await?,
        }
        jobs::delete(client, &run).await?;
    }
    let jobs = plan::jobs(&scope, &exports.watermarks(&pipeline));
    Run::begin(&lake.root, &pipeline, &exports, scope, jobs).await
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
    let mut started = Vec::new();
    for (n, job) in run.plan.jobs.iter().enumerate() {
        started.push(jobs::kick_off(client, lake, run, n, &options.level, job, observer).await?);
    }
    let mut completed: Vec<Completed> = Vec::new();
    for kicked_off in started {
        let pages = completed.iter().map(|done| done.manifest.pages.len()).sum();
        completed.push(jobs::manifest(client, lake, run, kicked_off, pages, observer).await?);
    }
    let wanted = jobs::wanted(run, &completed, options.settings.raw);
    let files = jobs::download(client, lake, run, &wanted, options.parallel, observer).await?;
    run.freeze(input(run, &completed, files, warnings)?).await
}

fn input(
    run: &Run,
    completed: &[Completed],
    files: Vec<super::input::InputFile>,
    warnings: &[String],
) -> Result<Input> {
    let oldest = completed.iter().map(|done| &done.transaction_time).min_by_key(|time| parse_instant(time));
    let transaction_time =
        oldest.cloned().ok_or_else(|| Error::Unreconciled("the run has no job".to_owned()))?;
    let mut warnings = warnings.to_vec();
    let mut watermarks = BTreeMap::new();
    for (job, done) in run.plan.jobs.iter().zip(completed) {
        warnings.extend(done.kicked_off.warnings.iter().cloned());
        watermarks.extend(job.watermarks().into_iter().map(|name| (name, done.transaction_time.clone())));
        warnings.extend(job.warning.clone());
    }
    let request: Vec<&str> = completed.iter().map(|done| done.kicked_off.request.as_str()).collect();
    Ok(Input {
        transaction_time,
        request: Some(request.join(" ")),
        since: run.plan.jobs.iter().find_map(|job| job.since.clone()),
        complete: run.plan.jobs.iter().all(|job| job.since.is_none() && job.types.is_empty()),
        files: in_order(files),
        has_manifest: true,
        promised: BTreeMap::new(),
        watermarks,
        warnings,
    })
}

/// Resources first: a deletion of the same manifest is weighed against them by time, not by place.
fn in_order(mut files: Vec<super::input::InputFile>) -> Vec<super::input::InputFile> {
    files.sort_by_key(|file| match file.section {
        Section::Output => 0,
        Section::Deleted => 1,
        Section::Error => 2,
    });
    files
}
