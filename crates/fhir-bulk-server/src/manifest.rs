//! The manifest of a finished job.
//!
//! Specification: Bulk Data 2.0.0 and 3.0.0, section "Response - Complete Status".

use serde::Serialize;

use crate::clock::format_instant;
use crate::job::{Job, JobFile, Section};

/// The body of the answer when a job is complete.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest<'a> {
    transaction_time: String,
    request: &'a str,
    requires_access_token: bool,
    output: Vec<Entry<'a>>,
    deleted: Vec<Entry<'a>>,
    error: Vec<Entry<'a>>,
}

/// A file of the manifest.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    #[serde(rename = "type")]
    resource_type: &'a str,
    url: String,
    count: usize,
}

impl<'a> Manifest<'a> {
    /// The manifest of a job; `url` gives the absolute URL of a file.
    pub(crate) fn new(
        job: &'a Job,
        requires_access_token: bool,
        url: impl Fn(&JobFile) -> String,
    ) -> Manifest<'a> {
        let section = |section: Section| {
            let files = job.files.iter().filter(|file| file.section == section);
            files
                .map(|file| Entry {
                    resource_type: &file.resource_type,
                    url: url(file),
                    count: file.lines.len(),
                })
                .collect()
        };
        Manifest {
            transaction_time: format_instant(job.transaction_time),
            request: &job.request,
            requires_access_token,
            output: section(Section::Output),
            deleted: section(Section::Deleted),
            error: section(Section::Error),
        }
    }
}
