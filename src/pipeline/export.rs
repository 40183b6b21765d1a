//! One run of `fhirlake export`: plan (or continue) → the server's jobs → freeze → load → clean.

use std::time::Duration;

use fhir_bulk_client::{BulkClient, ErrorKind, Grant, Level};
use fhir_definitions::{Definitions, FhirVersion};

use super::asked::{check_types, fhir_version, scope};
use super::input::Input;
use super::jobs;
use super::load::{JUDGED, load};
use super::outcomes::Outcomes;
use super::plan;
use super::progress::Observer;
use super::receive::receive;
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
    /// Whether only ids are asked for, to find out what is no longer there.
    pub ids_only: bool,
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
            ids_only: false,
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
    if on_server_error == OnServerError::Continue {
        return Ok(());
    }
    let mut outcomes = Outcomes::new(lake.definitions(), "");
    for file in input.files.iter().filter(|file| file.section == Section::Error) {
        outcomes.read(&lake.root, file).await?;
    }
    if outcomes.errors() == 0 {
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
