//! A job: the result of one kick-off, fixed at that moment.
//!
//! The lines of the result are chosen at kick-off and shared with the dataset, so later changes of the dataset
//! do not reach them, and no copy is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::dataset::Dataset;
use crate::deleted::bundles;
use crate::outcome::Outcome;
use crate::request::KickOff;
use crate::selection::Level;

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
#[derive(Debug)]
pub(crate) struct JobFile {
    pub(crate) section: Section,
    pub(crate) resource_type: String,
    /// The last segment of its URL, `Patient.1.ndjson`.
    pub(crate) name: String,
    pub(crate) lines: Vec<Bytes>,
}

impl JobFile {
    /// The length of the file in bytes: each line and its `\n`.
    pub(crate) fn byte_length(&self) -> usize {
        self.lines.iter().map(|line| line.len() + 1).sum()
    }
}

/// A result and how often it was asked for.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// The full URL of the kick-off request.
    pub(crate) request: String,
    pub(crate) transaction_time: DateTime<Utc>,
    pub(crate) expires: SystemTime,
    pub(crate) files: Vec<Arc<JobFile>>,
    polls: AtomicU32,
}

impl Job {
    /// Chooses what the kick-off asks for out of this snapshot.
    pub(crate) fn new(
        dataset: &Dataset,
        level: &Level,
        kick_off: &KickOff,
        request: String,
        rows_per_file: usize,
    ) -> Job {
        let mut files = Vec::new();
        for (resource_type, lines) in level.output(dataset, kick_off) {
            split(&mut files, Section::Output, &resource_type, &resource_type, lines, rows_per_file);
        }
        let deleted = bundles(level.deleted(dataset, kick_off));
        split(&mut files, Section::Deleted, "Bundle", "deleted", deleted, rows_per_file);
        let ignored = kick_off.ignored.iter().map(Outcome::warning_line).collect();
        split(&mut files, Section::Error, "OperationOutcome", "error", ignored, rows_per_file);
        Job {
            id: uuid::Uuid::new_v4().to_string(),
            request,
            transaction_time: dataset.transaction_time(),
            expires: SystemTime::now() + LIFETIME,
            files,
            polls: AtomicU32::new(0),
        }
    }

    /// Counts a status request; answers how many there were before it.
    pub(crate) fn poll(&self) -> u32 {
        self.polls.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn file(&self, name: &str) -> Option<&Arc<JobFile>> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// Cuts lines into files of at most `rows_per_file` lines; 0 is no limit.
fn split(
    files: &mut Vec<Arc<JobFile>>,
    section: Section,
    resource_type: &str,
    name: &str,
    lines: Vec<Bytes>,
    rows_per_file: usize,
) {
    let limit = if rows_per_file == 0 { lines.len().max(1) } else { rows_per_file };
    for (index, lines) in lines.chunks(limit).enumerate() {
        files.push(Arc::new(JobFile {
            section,
            resource_type: resource_type.to_owned(),
            name: format!("{name}.{}.ndjson", index + 1),
            lines: lines.to_vec(),
        }));
    }
}
