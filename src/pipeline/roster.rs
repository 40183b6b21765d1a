//! Who belongs to a Group: newcomers get their history, leavers are noted
//! (<https://hl7.org/fhir/uv/bulkdata/export.html#group-membership-request-pattern>).

use std::collections::{BTreeMap, BTreeSet};

use fhir_bulk_client::{BulkClient, Level};
use serde::{Deserialize, Serialize};

use super::plan::{ALL_TYPES, Job, pipeline_of};
use super::scope::Scope;
use crate::error::Result;
use crate::lake::Lake;
use crate::lake::members::MemberRow;
use crate::lake::own;

/// Newcomers that are asked for one by one. Where there are more, everybody's history is.
const MOST_NEWCOMERS: usize = 500;

/// `roster.json`: who belongs to the Group, as the server says before the kick-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// The patients' ids.
    pub patients: BTreeSet<String>,
}

/// The Group's roster, where the server shows it.
pub async fn read(client: &BulkClient, level: &Level) -> Option<Roster> {
    let Level::Group(id) = level else { return None };
    match client.group(id).await {
        Ok(group) => {
            let patients: BTreeSet<String> = group.patients().map(str::to_owned).collect();
            (!patients.is_empty()).then_some(Roster { patients })
        }
        Err(error) => {
            tracing::info!(%error, "the Group cannot be read: who joined it is not known");
            None
        }
    }
}

/// The kick-offs of an export of a Group, with one for those who have joined since the last one.
pub async fn with_newcomers(
    lake: &Lake,
    client: &BulkClient,
    level: &Level,
    scope: &Scope,
    watermarks: &BTreeMap<String, String>,
    roster: Option<&Roster>,
    mut jobs: Vec<Job>,
) -> Result<Vec<Job>> {
    let incremental = jobs.iter().any(|job| job.since.is_some()) && scope.is_whole();
    let (Some(roster), true) = (roster, incremental) else { return Ok(jobs) };
    let members: Vec<MemberRow> = own::rows(&lake.root).await?;
    let pipeline = pipeline_of(level);
    let here = members.iter().filter(|row| row.pipeline == pipeline && row.left_export.is_none());
    let here: BTreeSet<&String> = here.map(|row| &row.patient_id).collect();
    let new: Vec<String> = roster.patients.iter().filter(|id| !here.contains(id)).cloned().collect();
    if new.is_empty() || here.is_empty() {
        return Ok(jobs);
    }
    let quirks = client.quirks();
    let unknown = [quirks.refused_parameters, quirks.ignored_parameters, quirks.ignored_parameters_of_groups];
    if new.len() > MOST_NEWCOMERS || unknown.iter().any(|names| names.contains(&"patient")) {
        for job in jobs.iter_mut().filter(|job| job.since.is_some()) {
            job.since = None;
            job.warning =
                Some(format!("{} patients have joined the Group: everything is asked for", new.len()));
        }
        return Ok(jobs);
    }
    jobs.push(Job {
        types: known_types(watermarks),
        warning: Some(format!("{} patients have joined the Group: their history is asked for", new.len())),
        patients: new,
        ..Job::default()
    });
    Ok(jobs)
}

/// The types of which the pipeline has the others' history already: all of them, where the list is empty.
fn known_types(watermarks: &BTreeMap<String, String>) -> Vec<String> {
    if watermarks.contains_key(ALL_TYPES) {
        return Vec::new();
    }
    watermarks.keys().filter(|name| !name.contains(' ')).cloned().collect()
}
