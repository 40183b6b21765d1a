//! The server's side of an export, as one: kick-offs → manifests → files → frozen input.
//!
//! One invariant: a job is deleted before the tables are committed only where the server takes no other beside it, and then
//! what it has brought is noted first.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhir_arrow::parse_instant;
use fhir_bulk_client::{BulkClient, ErrorKind, Expiry, ExportLog, ExportRequest};
use serde::{Deserialize, Serialize};

use super::export::ExportOptions;
use super::gaps;
use super::input::{Input, InputFile};
use super::jobs::{self, Completed, Files, KickedOff, Places, Watch};
use super::log::Log;
use super::progress::Observer;
use super::run::Run;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::raw::layout::Section;

/// Brings the run's files into the raw store and freezes its input.
pub async fn receive(
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
    if !run.plan.scope.ids_only {
        files.extend(gaps::fill(client, lake, run, &files, options.settings.raw).await?.files);
    }
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
            let expiry = manifests.iter().find_map(Expiry::of);
            let files = Files { wanted, first, expiry };
            match jobs::download(client, lake, run, files, options.parallel, watch).await {
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

/// The types of which a run brings everything that its level has.
fn snapshot(run: &Run) -> Option<Vec<String>> {
    // The history of who has joined a Group is not that of all.
    let full: Vec<_> =
        run.plan.jobs.iter().filter(|job| job.since.is_none() && job.patients.is_empty()).collect();
    if full.is_empty() || !(run.plan.scope.is_whole() || run.plan.scope.ids_only) {
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
