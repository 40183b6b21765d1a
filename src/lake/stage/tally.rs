//! What came: lines by type, refused ones among them, and what else a run wants to know of its lines.

use std::collections::{BTreeMap, BTreeSet};

use fhir_arrow::{Findings, Header, Instant, IssueCode, LineError};

use super::judge::{Counted, FindingKey};
use crate::raw::Line;

/// The resource type that a line is counted under if nothing says one.
pub const UNKNOWN: &str = "unknown";

/// Findings that are told apart. Names of unknown elements may be endless: those beyond are counted without their path.
const MOST_FINDINGS: usize = 10_000;

/// What the lines of a run say, counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Resource type → lines, refused ones included.
    pub lines: BTreeMap<String, u64>,
    /// Resource type → refused lines.
    pub refused: BTreeMap<String, u64>,
    /// Raw file → refused lines.
    pub refused_of_file: BTreeMap<u32, u64>,
    /// Raw file → refused lines that are no resource of any kind.
    pub unreadable_of_file: BTreeMap<u32, u64>,
    /// Raw file → the end of its last refused line that is no well-formed JSON.
    pub broken_until: BTreeMap<u32, u64>,
    /// The patients that came.
    pub patients: BTreeSet<String>,
    /// What validation has found.
    pub findings: BTreeMap<FindingKey, Counted>,
    /// The first resource for which the run is refused: raw file, line, and why; and how many there are.
    pub failing: Option<((u32, u64, String), u64)>,
    /// Resources that are older than the `_since` that was sent.
    pub before_since: u64,
}

impl Tally {
    /// Counts a resource.
    pub fn resource(&mut self, header: &Header<'_>, since: Option<Instant>) {
        self.count(&header.resource_type);
        if let (Some(since), Some(updated)) = (since, header.last_updated) {
            self.before_since += u64::from(updated < since);
        }
        if header.resource_type == "Patient" {
            self.patients.insert(header.id.to_string());
        }
    }

    fn count(&mut self, resource_type: &str) {
        match self.lines.get_mut(resource_type) {
            Some(lines) => *lines += 1,
            None => drop(self.lines.insert(resource_type.to_owned(), 1)),
        }
    }

    /// Counts what was found in a resource.
    pub fn found(&mut self, resource_type: &str, file: u32, line: &Line<'_>, findings: &Findings) {
        for finding in findings {
            let mut key = FindingKey::of(resource_type, finding);
            if self.findings.len() >= MOST_FINDINGS && !self.findings.contains_key(&key) {
                "…".clone_into(&mut key.element_path);
            }
            let counted = Counted {
                count: 1,
                first: (file, line.number, finding.offset as u64),
                issue_code: finding.code().to_string(),
                reason: finding.reason.to_string(),
            };
            count_in(&mut self.findings, key, counted);
        }
    }

    /// Counts a resource for which the run is refused.
    pub fn fails(&mut self, file: u32, line: &Line<'_>, error: &LineError) {
        let this = Some(((file, line.number, error.to_string()), 1));
        self.failing = both(self.failing.take(), this);
    }

    /// Counts a refused line, unless it is counted as a resource already.
    pub fn refused(
        &mut self,
        file: u32,
        resource_type: Option<&str>,
        counted: bool,
        line: &Line<'_>,
        error: &LineError,
    ) {
        let resource_type = resource_type.unwrap_or(UNKNOWN);
        if !counted {
            self.count(resource_type);
        }
        *self.refused.entry(resource_type.to_owned()).or_default() += 1;
        *self.refused_of_file.entry(file).or_default() += 1;
        if !counted {
            *self.unreadable_of_file.entry(file).or_default() += 1;
        }
        if error.code == IssueCode::Structure && !counted {
            let end = line.offset + line.bytes.len() as u64;
            let until = self.broken_until.entry(file).or_default();
            *until = end.max(*until);
        }
    }

    /// All refused lines.
    pub fn all_refused(&self) -> u64 {
        self.refused_of_file.values().sum()
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Self) {
        add(&mut self.lines, other.lines);
        add(&mut self.refused, other.refused);
        add(&mut self.refused_of_file, other.refused_of_file);
        add(&mut self.unreadable_of_file, other.unreadable_of_file);
        for (file, until) in other.broken_until {
            let ours = self.broken_until.entry(file).or_default();
            *ours = until.max(*ours);
        }
        for (key, counted) in other.findings {
            count_in(&mut self.findings, key, counted);
        }
        self.failing = both(self.failing.take(), other.failing);
        self.patients.extend(other.patients);
        self.before_since += other.before_since;
    }
}

type Failing = Option<((u32, u64, String), u64)>;

/// The earlier of two, and how many there are together.
fn both(one: Failing, other: Failing) -> Failing {
    match (one, other) {
        (Some((first, count)), Some((second, more))) => Some((first.min(second), count + more)),
        (one, other) => one.or(other),
    }
}

fn count_in(findings: &mut BTreeMap<FindingKey, Counted>, key: FindingKey, counted: Counted) {
    match findings.get_mut(&key) {
        Some(known) => {
            known.count += counted.count;
            if counted.first < known.first {
                *known = Counted { count: known.count, ..counted };
            }
        }
        None => drop(findings.insert(key, counted)),
    }
}

fn add<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key).or_default() += count;
    }
}
