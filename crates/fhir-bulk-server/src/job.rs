//! A job: the result of one kick-off, fixed at that moment.
//!
//! The lines of the result are chosen at kick-off and shared with the dataset, so later changes of the dataset
//! do not reach them, and no copy is made.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::dataset::Dataset;
use crate::deleted::bundles;
use crate::elements::redacted;
use crate::fault::Fault;
use crate::outcome::Outcome;
use crate::request::KickOff;
use crate::resource::{Key, Resource};
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
#[derive(Debug, Clone)]
pub(crate) struct JobFile {
    pub(crate) section: Section,
    pub(crate) resource_type: String,
    /// The last segment of its URL, `Patient.1.ndjson`.
    pub(crate) name: String,
    pub(crate) lines: Vec<Bytes>,
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

impl Job {
    /// Chooses what the kick-off asks for out of this snapshot.
    pub(crate) fn new(dataset: &Dataset, plan: &Plan<'_>, request: String, scope: String) -> Job {
        let kick_off = plan.kick_off;
        let output = plan.level.output(dataset, kick_off, plan.strikes);
        let mut files = Vec::new();
        if kick_off.by_patient {
            by_patient(&mut files, dataset, &output, plan);
        } else {
            by_type(&mut files, &output, plan);
        }
        if !(plan.strikes)(Fault::NeverDeleted) {
            let also = output.first().filter(|_| (plan.strikes)(Fault::DeletedInOutput));
            let also = also.map(|resource| (&resource.key, dataset.transaction_time()));
            let deleted = bundles(plan.level.deleted(dataset, kick_off).chain(also), &url_form(plan.strikes));
            split(&mut files, Section::Deleted, "Bundle", "deleted", deleted, plan.rows_per_file);
        }
        let mut outcomes: Vec<Bytes> = kick_off.ignored.iter().map(Outcome::warning_line).collect();
        outcomes.extend(reported(&output, plan.strikes));
        split(&mut files, Section::Error, "OperationOutcome", "error", outcomes, plan.rows_per_file);
        let index = files.iter().enumerate().map(|(at, file)| (file.name.clone(), at)).collect();
        Job {
            index,
            files: files.into_iter().map(Arc::new).collect(),
            by_patient: kick_off.by_patient,
            partial: kick_off.partial,
            ..Job::empty(dataset.transaction_time(), request, scope)
        }
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

    /// How many status requests there were.
    pub(crate) fn polls(&self) -> u32 {
        self.polls.load(Ordering::Relaxed)
    }

    pub(crate) fn file(&self, name: &str) -> Option<&Arc<JobFile>> {
        self.files.get(*self.index.get(name)?)
    }
}

/// How the URLs of deletions are written.
fn url_form(strikes: &dyn Fn(Fault) -> bool) -> impl Fn(&Key) -> String + use<> {
    let (absolute, conditional) = (strikes(Fault::DeletedAbsolute), strikes(Fault::DeletedConditional));
    move |key| {
        let (resource_type, id) = (&key.resource_type, &key.id);
        match (absolute, conditional) {
            (true, _) => format!("http://example.org/fhir/{resource_type}/{id}"),
            (_, true) => format!("{resource_type}?identifier={id}"),
            _ => format!("{resource_type}/{id}"),
        }
    }
}

/// The line of a resource, with the elements that are asked for.
fn line(resource: &Resource, plan: &Plan<'_>, tagged: bool) -> Bytes {
    let (elements, resource_type) = (&plan.kick_off.elements, &resource.key.resource_type);
    if elements.is_empty() || !elements.concern(resource_type) {
        return resource.line.clone();
    }
    elements.cut(resource_type, &resource.line, tagged)
}

fn by_type(files: &mut Vec<JobFile>, output: &[&Arc<Resource>], plan: &Plan<'_>) {
    let tagged = !(plan.strikes)(Fault::NoSubsettedTag);
    let mut lines: BTreeMap<&str, Vec<Bytes>> = BTreeMap::new();
    for resource in output {
        lines.entry(&resource.key.resource_type).or_default().push(line(resource, plan, tagged));
    }
    let asked = plan.kick_off.types.as_ref().is_none_or(|types| types.contains("SearchParameter"));
    if asked && matches!(plan.level, Level::System) && (plan.strikes)(Fault::OwnSearchParameters) {
        let own = json!({"resourceType": "SearchParameter", "id": "own", "status": "active", "code": "own"});
        lines.entry("SearchParameter").or_default().push(Bytes::from(own.to_string()));
    }
    if (plan.strikes)(Fault::RedactedTag) {
        lines.values_mut().flatten().for_each(|line| *line = redacted(line));
    }
    let twice = (plan.strikes)(Fault::DuplicateAcrossFiles);
    for (resource_type, lines) in lines {
        let first = lines.first().filter(|_| twice).cloned();
        split(files, Section::Output, resource_type, resource_type, lines, plan.rows_per_file);
        if let Some(line) = first {
            let name = format!("{resource_type}.again");
            split(files, Section::Output, resource_type, &name, vec![line], plan.rows_per_file);
        }
    }
}

/// Blocks of one patient each, headed by a Parameters resource (Bulk Data 3.0.0, `organizeOutputBy`). What is of no
/// patient is left out; what is of several is in the block of each.
fn by_patient(files: &mut Vec<JobFile>, dataset: &Dataset, output: &[&Arc<Resource>], plan: &Plan<'_>) {
    let tagged = !(plan.strikes)(Fault::NoSubsettedTag);
    let mut blocks: BTreeMap<&str, Vec<Bytes>> = BTreeMap::new();
    for resource in output {
        let mut patients: Vec<&String> = dataset.patients_of(resource).collect();
        patients.sort();
        patients.dedup();
        for patient in patients.into_iter().filter(|id| plan.level.wants_patient(plan.kick_off, id)) {
            blocks.entry(patient).or_default().push(line(resource, plan, tagged));
        }
    }
    let limit = if plan.rows_per_file == 0 { usize::MAX } else { plan.rows_per_file };
    for (patient, lines) in blocks {
        let header = json!({"resourceType": "Parameters", "parameter": [
            {"name": "header", "valueReference": {"reference": format!("Patient/{patient}")}},
        ]});
        let header = Bytes::from(header.to_string());
        for (index, part) in lines.chunks(limit).enumerate() {
            let name = format!("Patient.{}.ndjson", files.len() + 1);
            match files.last_mut() {
                Some(last) if index > 0 => last.continues_in = Some(name.clone()),
                _ => {}
            }
            let lines: Vec<Bytes> = std::iter::once(&header).chain(part).cloned().collect();
            files.push(JobFile { count: part.len(), ..file(Section::Output, "Patient", name, lines) });
        }
    }
}

/// The outcomes that faults report.
fn reported(output: &[&Arc<Resource>], strikes: &dyn Fn(Fault) -> bool) -> Vec<Bytes> {
    let mut lines = Vec::new();
    if strikes(Fault::OutcomeNamed)
        && let Some(resource) = output.first()
    {
        let name = format!("{}/{}", resource.key.resource_type, resource.key.id);
        lines.push(json!({"resourceType": "OperationOutcome", "issue": [{
            "severity": "error", "code": "processing",
            "diagnostics": format!("{name} could not be exported"), "expression": [name],
        }]}));
    }
    let mut add = |severity: &str, code: &str, text: &str| {
        let issue = json!([{"severity": severity, "code": code, "diagnostics": text}]);
        lines.push(json!({"resourceType": "OperationOutcome", "issue": issue}));
    };
    if strikes(Fault::OutcomeUnnamed) {
        add("error", "exception", "some resources could not be exported");
    }
    if strikes(Fault::OutcomeMild) {
        add("warning", "business-rule", "the data of one system is a day old");
        add("information", "informational", "the export ran at night");
    }
    lines.into_iter().map(|line| Bytes::from(line.to_string())).collect()
}

/// Cuts lines into files of at most `rows_per_file` lines; 0 is no limit.
fn split(
    files: &mut Vec<JobFile>,
    section: Section,
    resource_type: &str,
    name: &str,
    lines: Vec<Bytes>,
    rows_per_file: usize,
) {
    let limit = if rows_per_file == 0 { lines.len().max(1) } else { rows_per_file };
    for (index, lines) in lines.chunks(limit).enumerate() {
        let name = format!("{name}.{}.ndjson", index + 1);
        files.push(file(section, resource_type, name, lines.to_vec()));
    }
}

fn file(section: Section, resource_type: &str, name: String, lines: Vec<Bytes>) -> JobFile {
    let count = lines.len();
    JobFile { section, resource_type: resource_type.to_owned(), name, lines, count, continues_in: None }
}
