//! What an export was: asked and received, for the report of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::applied::Contradiction;
use super::manifest::Section;
use super::record::{FileRecord, JobRecord};
use super::request::ExportRequest;
use super::status::ManifestPages;

/// What an export was.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExportReport {
    /// What was asked, redacted.
    pub request: String,
    /// The manifest's `transactionTime`, literally: what the next export sends as `_since`, if it is an instant.
    pub transaction_time: String,
    /// All files, in the manifest's order.
    pub files: Vec<FileRecord>,
    /// How many resources of each type came.
    pub resources: BTreeMap<String, u64>,
    /// How many issues of each severity the server reports of what it could not export.
    pub severities: BTreeMap<String, u64>,
    /// Types that were asked for and of which nothing came: there are none, or the server ignored them.
    pub types_without_resources: Vec<String>,
    /// Types that came though others were asked for.
    pub types_not_asked_for: Vec<String>,
    /// What the data contradicts of what was asked.
    pub contradictions: Vec<Contradiction>,
    /// What may not be as the caller means.
    pub warnings: Vec<String>,
    /// How long the kick-off took, with waiting for other exports.
    pub kick_off: Duration,
    /// How long the server took.
    pub waiting: Duration,
    /// How long the downloads took.
    pub downloading: Duration,
}

impl ExportReport {
    pub(crate) fn new(
        request: &ExportRequest,
        job: &JobRecord,
        manifest: &ManifestPages,
        files: Vec<FileRecord>,
    ) -> Self {
        let (mut resources, mut severities) = (BTreeMap::new(), BTreeMap::new());
        let mut warnings = job.warnings.clone();
        for file in &files {
            if file.key.section == Section::Output {
                add(&mut resources, &file.contents.types);
            }
            add(&mut severities, &file.contents.severities);
            warnings.extend(file.warnings.iter().map(|warning| format!("{}: {warning}", file.name)));
        }
        let contradictions = sum_of(&files);
        warnings.extend(contradictions.iter().map(Contradiction::text));
        if let Some(first) = manifest.pages.first()
            && let Err(error) = first.manifest.transaction_instant()
        {
            warnings.push(format!("{error}: nothing can be asked for since then"));
        }
        let asked = &request.types;
        let missing = asked.iter().filter(|name| !resources.contains_key(*name)).cloned().collect();
        let unasked =
            |name: &&String| !asked.is_empty() && !asked.contains(*name) && *name != "OperationOutcome";
        Self {
            request: job.request.clone(),
            transaction_time: manifest.transaction_time().unwrap_or_default().to_owned(),
            types_without_resources: missing,
            types_not_asked_for: resources.keys().filter(unasked).cloned().collect(),
            files,
            resources,
            severities,
            contradictions,
            warnings,
            kick_off: Duration::ZERO,
            waiting: Duration::ZERO,
            downloading: Duration::ZERO,
        }
    }

    /// Bytes of all files.
    pub fn byte_count(&self) -> u64 {
        self.files.iter().map(|file| file.byte_count).sum()
    }

    /// How often something was asked for again.
    pub fn retries(&self) -> u64 {
        self.files.iter().map(|file| u64::from(file.retries)).sum()
    }

    /// Whether the server says that it could not export something.
    pub fn has_server_errors(&self) -> bool {
        ["error", "fatal"].iter().any(|severity| self.severities.contains_key(*severity))
    }
}

/// The contradictions of all files by parameter.
fn sum_of(files: &[FileRecord]) -> Vec<Contradiction> {
    let mut sum: Vec<Contradiction> = Vec::new();
    for one in files.iter().flat_map(|file| &file.contradictions) {
        match sum.iter_mut().find(|other| other.parameter == one.parameter) {
            Some(other) => {
                other.lines += one.lines;
                other.of += one.of;
            }
            None => sum.push(one.clone()),
        }
    }
    sum.retain(|one| one.lines > 0);
    sum
}

fn add(sum: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        *sum.entry(name.clone()).or_default() += count;
    }
}
