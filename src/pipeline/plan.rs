//! `plan.json`: what a run was started for. Written first, and never again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fhir_arrow::parse_instant;
use fhir_bulk_client::Level;
use serde::{Deserialize, Serialize};

/// The watermark of a run without a type filter.
pub const ALL_TYPES: &str = "*";

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

/// What a run was asked for: a run that was interrupted is continued only by the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `system`, `group`, `patient`, `ingest`.
    pub level: String,
    /// The Group, at Group level.
    pub group_id: Option<String>,
    /// The type filter; empty for all types.
    pub types: Vec<String>,
    /// `--full`, or an instant of `--since`.
    pub since: Option<String>,
}

/// One kick-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// `_type`; empty for all types.
    pub types: Vec<String>,
    /// `_since`, as it is sent.
    pub since: Option<String>,
    /// Whether its `transactionTime` becomes the watermark. It does not where the user asked for less than what is new.
    pub moves_watermarks: bool,
    /// What the user should know of it.
    pub warning: Option<String>,
}

impl Job {
    /// The watermarks that the job's transaction time moves.
    pub fn watermarks(&self) -> Vec<String> {
        match (self.moves_watermarks, self.types.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => vec![ALL_TYPES.to_owned()],
            (true, false) => self.types.clone(),
        }
    }
}

/// The name of the pipeline of an export that has no name of its own.
pub fn pipeline_of(level: &Level) -> String {
    match level {
        Level::System => "system".to_owned(),
        Level::Patient => "patient".to_owned(),
        Level::Group(id) => format!("group-{id}"),
    }
}

/// The value of [`Scope::since`] for a full run.
pub const FULL: &str = "full";

/// The kick-off of a scope whose start the user has chosen.
fn job_since(scope: &Scope, since: &str, watermarks: &BTreeMap<String, String>) -> Job {
    let full = since == FULL;
    let of_all = watermarks.get(ALL_TYPES).and_then(|at| parse_instant(at));
    let of = |name: &String| watermarks.get(name).and_then(|at| parse_instant(at)).max(of_all);
    // Without a type filter the run speaks for every type: those with a watermark of their own, and all others.
    let standing: Vec<_> = match scope.types.as_slice() {
        [] => watermarks.keys().map(of).chain([of_all]).collect(),
        types => types.iter().map(of).collect(),
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
        moves_watermarks: full || !gap,
        warning: warning.map(str::to_owned),
    }
}

/// The kick-offs that a scope takes: types that have a watermark are asked for since the oldest of theirs, the others
/// in full.
pub fn jobs(scope: &Scope, watermarks: &BTreeMap<String, String>) -> Vec<Job> {
    let of_all = watermarks.get(ALL_TYPES);
    if let Some(since) = &scope.since {
        return vec![job_since(scope, since, watermarks)];
    }
    if scope.types.is_empty() {
        return vec![Job {
            types: Vec::new(),
            since: of_all.cloned(),
            moves_watermarks: true,
            warning: None,
        }];
    }
    let (mut known, mut new, mut oldest) = (Vec::new(), Vec::new(), None::<String>);
    for name in &scope.types {
        let own = watermarks.get(name).into_iter().chain(of_all).max_by_key(|w| parse_instant(w));
        match own {
            Some(watermark) => {
                known.push(name.clone());
                let earlier =
                    oldest.as_ref().is_none_or(|oldest| parse_instant(watermark) < parse_instant(oldest));
                oldest = if earlier { Some(watermark.clone()) } else { oldest };
            }
            None => new.push(name.clone()),
        }
    }
    [(known, oldest), (new, None)]
        .into_iter()
        .filter(|(types, _)| !types.is_empty())
        .map(|(types, since)| Job { types, since, moves_watermarks: true, warning: None })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAY: &str = "2026-05-01T00:00:00.000+02:00";
    const JUNE: &str = "2026-06-01T00:00:00Z";

    fn scope(types: &[&str], since: Option<&str>) -> Scope {
        let types = types.iter().map(|&name| name.to_owned()).collect();
        Scope { level: "system".into(), group_id: None, types, since: since.map(str::to_owned) }
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
    fn an_instant_that_would_leave_a_gap_does_not_move_the_watermark() {
        assert!(!jobs(&scope(&[], Some(JUNE)), &marks(&[("*", MAY)]))[0].moves_watermarks);
        assert!(jobs(&scope(&[], Some(MAY)), &marks(&[("*", JUNE)]))[0].moves_watermarks);
        assert!(jobs(&scope(&[], Some(MAY)), &marks(&[]))[0].moves_watermarks);
        assert!(jobs(&scope(&[], Some(FULL)), &marks(&[("*", JUNE)]))[0].moves_watermarks);
        let of_one_type = jobs(&scope(&[], Some(JUNE)), &marks(&[("Patient", MAY)]));
        assert!(!of_one_type[0].moves_watermarks, "May to June of Patient would never be asked for");
        let job = &jobs(&scope(&[], Some(MAY)), &marks(&[("Patient", JUNE)]))[0];
        assert!(job.moves_watermarks && job.warning.is_some(), "the other types begin in May");
    }
}
