//! `plan.json`: what a run was started for. Written first, and never again.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fhir_arrow::parse_instant;
use fhir_bulk_client::Level;
use serde::{Deserialize, Serialize};

use super::scope::Scope;

/// The watermark of a run without a type filter.
pub const ALL_TYPES: &str = "*";

/// The pipeline, and the level, of runs that ask for ids alone.
pub const RECONCILE: &str = "reconcile";

/// A run's plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The run's name; the folder of its raw files.
    pub export_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The run's number in it.
    pub seq: i64,
    /// When it was planned.
    pub started_at: DateTime<Utc>,
    /// What it was asked for.
    pub scope: Scope,
    /// The kick-offs it takes.
    pub jobs: Vec<Job>,
    /// The version of the program.
    pub fhirlake: String,
}

/// One kick-off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// `_type`; empty for all types.
    pub types: Vec<String>,
    /// `_since`, as it is sent.
    pub since: Option<String>,
    /// `patient`: only these; empty for those of the scope.
    #[serde(default)]
    pub patients: Vec<String>,
    /// The watermarks that its `transactionTime` moves. None where it was asked for less than what is new.
    pub watermarks: Vec<String>,
    /// What the user should know of it.
    pub warning: Option<String>,
}

/// The name of the pipeline of an export that has no name of its own.
///
/// One that asks for ids alone is [`RECONCILE`].
pub fn pipeline_of(level: &Level) -> String {
    match level {
        Level::System => "system".to_owned(),
        Level::Patient => "patient".to_owned(),
        Level::Group(id) => format!("group-{id}"),
    }
}

/// The value of `Scope::since` for a full run.
pub const FULL: &str = "full";

/// The kick-off of a scope whose start the user has chosen.
fn job_since(scope: &Scope, since: &str, watermarks: &BTreeMap<String, String>) -> Job {
    let full = since == FULL;
    let of = |name: &str| best(&scope.watermarks_of(name), watermarks).and_then(|at| parse_instant(&at));
    // Without a type filter the run speaks for every type: those with a watermark of their own, and all others.
    let standing: Vec<_> = match scope.types.as_slice() {
        [] => watermarks.keys().map(|name| of(name)).chain([of(ALL_TYPES)]).collect(),
        types => types.iter().map(|name| of(name)).collect(),
    };
    // A later instant than a watermark would leave a gap between them: the watermarks stay.
    let gap = standing.iter().flatten().any(|watermark| parse_instant(since) > Some(*watermark));
    let warning = match (full, gap) {
        (true, _) => None,
        (_, true) => {
            Some("what changed between the watermark and --since was not asked for: the watermark stays")
        }
        (_, false) if standing.contains(&None) => Some(
            "what is older than --since was not asked for, and will not be, of the types that had no watermark",
        ),
        (_, false) => None,
    };
    Job {
        types: scope.types.clone(),
        since: (!full).then(|| since.to_owned()),
        watermarks: if full || !gap { moved(scope, &scope.types) } else { Vec::new() },
        warning: warning.map(str::to_owned),
        ..Job::default()
    }
}

/// An instant so many seconds earlier; as it is where it is none.
fn earlier(instant: &str, seconds: i64) -> String {
    let parsed = DateTime::parse_from_rfc3339(instant).ok();
    let moved = parsed.and_then(|at| at.checked_sub_signed(TimeDelta::try_seconds(seconds)?));
    moved.map_or_else(|| instant.to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The watermarks that a kick-off of these types moves.
fn moved(scope: &Scope, types: &[String]) -> Vec<String> {
    match types {
        [] => vec![scope.watermark(ALL_TYPES)],
        types => types.iter().map(|name| scope.watermark(name)).collect(),
    }
}

/// The latest of some watermarks.
fn best(names: &[String], watermarks: &BTreeMap<String, String>) -> Option<String> {
    names.iter().filter_map(|name| watermarks.get(name)).max_by_key(|at| parse_instant(at)).cloned()
}

/// The kick-offs that a scope takes: types that have a watermark are asked for since the oldest of theirs, the others
/// in full.
pub fn jobs(scope: &Scope, watermarks: &BTreeMap<String, String>) -> Vec<Job> {
    let mut jobs = match &scope.since {
        Some(since) => vec![job_since(scope, since, watermarks)],
        None => jobs_since_watermarks(scope, watermarks),
    };
    for job in jobs.iter_mut().filter(|_| scope.since.is_none() && scope.overlap_seconds > 0) {
        job.since = job.since.as_deref().map(|since| earlier(since, scope.overlap_seconds));
    }
    if scope.ids_only {
        jobs.iter_mut().for_each(|job| job.watermarks.clear());
    }
    if let Some(why) = scope.holds_watermarks() {
        for job in &mut jobs {
            job.watermarks.clear();
            job.warning.get_or_insert_with(|| why.to_owned());
        }
    }
    jobs
}

fn jobs_since_watermarks(scope: &Scope, watermarks: &BTreeMap<String, String>) -> Vec<Job> {
    let job =
        |types: Vec<String>, since| Job { watermarks: moved(scope, &types), types, since, ..Job::default() };
    if scope.types.is_empty() {
        return vec![job(Vec::new(), best(&scope.watermarks_of(ALL_TYPES), watermarks))];
    }
    let (mut known, mut new, mut oldest) = (Vec::new(), Vec::new(), None::<String>);
    for name in &scope.types {
        match best(&scope.watermarks_of(name), watermarks) {
            Some(watermark) => {
                known.push(name.clone());
                let earlier =
                    oldest.as_ref().is_none_or(|oldest| parse_instant(&watermark) < parse_instant(oldest));
                oldest = if earlier { Some(watermark) } else { oldest };
            }
            None => new.push(name.clone()),
        }
    }
    let jobs = [(known, oldest), (new, None)].into_iter().filter(|(types, _)| !types.is_empty());
    jobs.map(|(types, since)| job(types, since)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAY: &str = "2026-05-01T00:00:00.000+02:00";
    const JUNE: &str = "2026-06-01T00:00:00Z";

    fn scope(types: &[&str], since: Option<&str>) -> Scope {
        let types = types.iter().map(|&name| name.to_owned()).collect();
        Scope { level: "system".into(), types, since: since.map(str::to_owned), ..Scope::default() }
    }

    fn marks(marks: &[(&str, &str)]) -> BTreeMap<String, String> {
        marks.iter().map(|(name, at)| ((*name).to_owned(), (*at).to_owned())).collect()
    }

    #[test]
    fn a_first_run_is_full_and_the_next_sends_the_watermark_literally() {
        assert_eq!(jobs(&scope(&[], None), &marks(&[]))[0].since, None);
        assert_eq!(jobs(&scope(&[], None), &marks(&[("*", MAY)]))[0].since.as_deref(), Some(MAY));
    }

    #[test]
    fn a_type_without_a_watermark_gets_its_own_full_kick_off() {
        let jobs = jobs(&scope(&["Patient", "Condition"], None), &marks(&[("Patient", MAY)]));
        assert_eq!(jobs.len(), 2);
        assert_eq!(
            (jobs[0].types.as_slice(), jobs[0].since.as_deref()),
            (&["Patient".to_owned()][..], Some(MAY))
        );
        assert_eq!(
            (jobs[1].types.as_slice(), jobs[1].since.as_deref()),
            (&["Condition".to_owned()][..], None)
        );
    }

    #[test]
    fn the_oldest_watermark_of_the_types_is_sent() {
        let jobs =
            jobs(&scope(&["Patient", "Condition"], None), &marks(&[("Patient", MAY), ("Condition", JUNE)]));
        assert_eq!((jobs.len(), jobs[0].since.as_deref()), (1, Some(MAY)));
    }

    #[test]
    fn the_watermark_of_all_types_holds_for_each() {
        let jobs = jobs(&scope(&["Patient"], None), &marks(&[("*", JUNE), ("Patient", MAY)]));
        assert_eq!(jobs[0].since.as_deref(), Some(JUNE));
    }

    #[test]
    fn what_was_loaded_whole_is_asked_since_then_by_filters_too_and_not_in_parts() {
        let mut filtered = scope(&["Observation"], None);
        filtered.query.type_filters = vec!["Observation?category=laboratory".into()];
        let of_all = marks(&[("*", MAY)]);
        let job = &jobs(&filtered, &of_all)[0];
        assert_eq!(job.since.as_deref(), Some(MAY));
        assert_eq!(job.watermarks, ["Observation Observation?category=laboratory"]);
        assert_eq!(jobs(&scope(&["Observation"], None), &marks(&[(&job.watermarks[0], MAY)]))[0].since, None);
        let mut parts = scope(&[], None);
        parts.query.elements = vec!["id".into()];
        assert_eq!(jobs(&parts, &of_all)[0].since, None);
    }

    #[test]
    fn an_overlap_asks_for_what_is_a_little_older_than_the_watermark() {
        let overlapping = Scope { overlap_seconds: 90, ..scope(&[], None) };
        assert_eq!(
            jobs(&overlapping, &marks(&[("*", JUNE)]))[0].since.as_deref(),
            Some("2026-05-31T23:58:30Z")
        );
        assert_eq!(jobs(&overlapping, &marks(&[]))[0].since, None);
    }

    #[test]
    fn a_run_of_one_patient_moves_no_watermark() {
        let mut one = scope(&[], None);
        one.query.patients = vec!["p".into()];
        let job = &jobs(&one, &marks(&[]))[0];
        assert!(job.watermarks.is_empty() && job.warning.is_some());
    }

    #[test]
    fn an_instant_that_would_leave_a_gap_does_not_move_the_watermark() {
        assert!(jobs(&scope(&[], Some(JUNE)), &marks(&[("*", MAY)]))[0].watermarks.is_empty());
        assert!(!jobs(&scope(&[], Some(MAY)), &marks(&[("*", JUNE)]))[0].watermarks.is_empty());
        assert!(!jobs(&scope(&[], Some(MAY)), &marks(&[]))[0].watermarks.is_empty());
        assert!(!jobs(&scope(&[], Some(FULL)), &marks(&[("*", JUNE)]))[0].watermarks.is_empty());
        let of_one_type = jobs(&scope(&[], Some(JUNE)), &marks(&[("Patient", MAY)]));
        assert!(of_one_type[0].watermarks.is_empty(), "May to June of Patient would never be asked for");
        let job = &jobs(&scope(&[], Some(MAY)), &marks(&[("Patient", JUNE)]))[0];
        assert!(!job.watermarks.is_empty() && job.warning.is_some(), "the other types begin in May");
    }
}
