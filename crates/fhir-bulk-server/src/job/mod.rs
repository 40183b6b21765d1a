//! A job: the result of one kick-off, fixed at that moment.
//!
//! The lines of the result are chosen at kick-off and shared with the dataset, so later changes of the dataset
//! do not reach them, and no copy is made.

mod files;
mod report;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::dataset::Dataset;
use crate::deleted::bundles;
use crate::fault::Fault;
use crate::line::Line;
use crate::outcome::Outcome;
use crate::request::KickOff;
use crate::selection::Level;
use files::{by_patient, by_type, made, split};
use report::{reported, url_form};

/// How long a job and its files are kept unless the client deletes them.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The arrays of a manifest that name files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Output,
    Deleted,
    Error,
}

/// One file of a job.
#[derive(Debug, Clone)]
pub(crate) struct JobFile {
    pub(crate) section: Section,
    pub(crate) resource_type: String,
    /// The last segment of its URL, `Patient.1.ndjson`.
    pub(crate) name: String,
    pub(crate) lines: Vec<Line>,
    /// How many of the lines are resources; those that head a patient's block are not.
    pub(crate) count: usize,
    /// The file in which the last patient's block goes on.
    pub(crate) continues_in: Option<String>,
}

/// What the result of a job depends on, besides the data.
pub(crate) struct Plan<'a> {
    pub(crate) level: &'a Level,
    pub(crate) kick_off: &'a KickOff,
    pub(crate) rows_per_file: usize,
    /// The FHIR base, without a slash at its end.
    pub(crate) base: &'a str,
    /// Whether a fault strikes the kick-off.
    pub(crate) strikes: &'a dyn Fn(Fault) -> bool,
}

/// A result and how often it was asked for.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// The full URL of the kick-off request.
    pub(crate) request: String,
    /// Level and Group, by which a server may allow one job at a time.
    pub(crate) scope: String,
    pub(crate) transaction_time: DateTime<Utc>,
    pub(crate) expires: SystemTime,
    pub(crate) files: Vec<Arc<JobFile>>,
    pub(crate) by_patient: bool,
    pub(crate) partial: bool,
    pub(crate) separate_status: bool,
    /// What is wrong with the request, where a fault keeps it back until the status.
    pub(crate) failure: Option<Outcome>,
    polls: AtomicU32,
    last_poll: Mutex<Option<Instant>>,
    /// Where each file is, by its name.
    index: HashMap<String, usize>,
}

impl JobFile {
    /// The length in bytes, with the end of each line.
    pub(crate) fn byte_length(&self) -> usize {
        self.lines.iter().map(|line| line.len() + 1).sum()
    }
}

impl Job {
    /// Chooses what the kick-off asks for out of this snapshot.
    pub(crate) fn new(dataset: &Dataset, plan: &Plan<'_>, request: String, scope: String) -> io::Result<Job> {
        let kick_off = plan.kick_off;
        let output = plan.level.output(dataset, kick_off, plan.strikes)?;
        let mut files = Vec::new();
        if kick_off.by_patient {
            by_patient(&mut files, dataset, &output, plan)?;
        } else {
            by_type(&mut files, &output, plan)?;
        }
        if !(plan.strikes)(Fault::NeverDeleted) {
            let also = output.first().filter(|_| (plan.strikes)(Fault::DeletedInOutput));
            let also = also.map(|resource| (&resource.key, dataset.transaction_time()));
            let deleted = bundles(plan.level.deleted(dataset, kick_off).chain(also), &url_form(plan.strikes));
            split(&mut files, Section::Deleted, "Bundle", "deleted", made(deleted), plan.rows_per_file);
        }
        let mut outcomes: Vec<Bytes> = kick_off.ignored.iter().map(Outcome::warning_line).collect();
        outcomes.extend(reported(&output, plan.strikes));
        split(&mut files, Section::Error, "OperationOutcome", "error", made(outcomes), plan.rows_per_file);
        let index = files.iter().enumerate().map(|(at, file)| (file.name.clone(), at)).collect();
        Ok(Job {
            index,
            files: files.into_iter().map(Arc::new).collect(),
            by_patient: kick_off.by_patient,
            partial: kick_off.partial,
            ..Job::empty(dataset.transaction_time(), request, scope)
        })
    }

    /// A job that has failed.
    pub(crate) fn failed(dataset: &Dataset, failure: Outcome, request: String, scope: String) -> Job {
        Job { failure: Some(failure), ..Job::empty(dataset.transaction_time(), request, scope) }
    }

    fn empty(transaction_time: DateTime<Utc>, request: String, scope: String) -> Job {
        Job {
            id: uuid::Uuid::new_v4().to_string(),
            request,
            scope,
            transaction_time,
            expires: SystemTime::now() + LIFETIME,
            files: Vec::new(),
            by_patient: false,
            partial: false,
            separate_status: false,
            failure: None,
            polls: AtomicU32::new(0),
            last_poll: Mutex::default(),
            index: HashMap::new(),
        }
    }

    /// Counts a status request; answers how many there were before it.
    pub(crate) fn poll(&self) -> u32 {
        self.polls.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the last status request is not so long ago; from now on, this one is the last.
    pub(crate) fn polled_within(&self, wait: Duration) -> bool {
        let mut last = self.last_poll.lock().unwrap_or_else(PoisonError::into_inner);
        last.replace(Instant::now()).is_some_and(|last| last.elapsed() < wait)
    }

    /// Whether nobody was told yet that the job has ended, after so many rounds of waiting.
    pub(crate) fn is_running(&self, rounds: u32) -> bool {
        self.failure.is_none() && self.polls.load(Ordering::Relaxed) <= rounds
    }

    pub(crate) fn file(&self, name: &str) -> Option<&Arc<JobFile>> {
        self.files.get(*self.index.get(name)?)
    }
}
