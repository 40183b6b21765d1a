//! A line that may become a row, and which of two versions of a resource stands.

use fhir_arrow::Instant;
use serde::{Deserialize, Serialize};

/// A line of a raw file, known by its header.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The resource's id.
    pub id: Box<str>,
    /// `meta.lastUpdated`.
    pub last_updated: Option<Instant>,
    /// xxh3 of the line.
    pub row_hash: i64,
    /// Index of its file in the run's input.
    pub file: u32,
    /// The line's number in its file, from 1.
    pub line: u64,
    /// Where the line begins.
    pub offset: u64,
    /// Its length, without its end.
    pub length: u64,
}

/// What decides between two versions of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// `meta.lastUpdated`.
    pub last_updated: Option<Instant>,
    /// When the server took the snapshot that brought it; none for a row whose run is not finished.
    pub transaction_time: Option<Instant>,
}

impl Version {
    /// Whether this version takes the place of `other`, which came before it: the later `lastUpdated` wins, then the
    /// later transaction time, then the one that came later.
    pub fn replaces(&self, other: &Self) -> bool {
        (self.as_of(), self.transaction_time) >= (other.as_of(), other.transaction_time)
    }

    /// Whether a deletion at `deleted_at` covers this version. Tombstones are kept in microseconds, so these decide.
    pub fn is_deleted_at(&self, deleted_at: Instant) -> bool {
        self.as_of().is_some_and(|at| at.micros() <= deleted_at.micros())
    }

    /// The latest instant at which the version is known to have been the server's: `lastUpdated`, or where the server
    /// gives none, the transaction time. One key for both makes the order a total one, whatever is missing where.
    fn as_of(&self) -> Option<Instant> {
        self.last_updated.or(self.transaction_time)
    }
}

impl Candidate {
    /// The candidate's version, in a run of that transaction time.
    pub fn version(&self, transaction_time: Instant) -> Version {
        Version { last_updated: self.last_updated, transaction_time: Some(transaction_time) }
    }
}

/// A line that cannot become a row, and why: never with its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The type that the line, or else the manifest, says.
    pub resource_type: Option<String>,
    /// The id, where it can be read.
    pub id: Option<String>,
    /// Index of its file in the run's input.
    pub file: u32,
    /// The line's number in its file, from 1.
    pub line: u64,
    /// Where the line begins.
    pub offset: u64,
    /// Its length, without its end.
    pub length: u64,
    /// FHIR's issue type.
    pub issue_code: String,
    /// Where in the resource, as far as it is known.
    pub element_path: Option<String>,
    /// What is wrong.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use fhir_arrow::parse_instant;

    use super::*;

    fn version(last_updated: Option<&str>, transaction_time: &str) -> Version {
        Version {
            last_updated: last_updated.and_then(parse_instant),
            transaction_time: parse_instant(transaction_time),
        }
    }

    const MAY: &str = "2026-05-01T00:00:00Z";
    const JUNE: &str = "2026-06-01T00:00:00Z";

    #[test]
    fn the_later_last_updated_stands_whatever_came_last() {
        let (old, new) = (version(Some(MAY), JUNE), version(Some(JUNE), MAY));
        assert!(new.replaces(&old));
        assert!(!old.replaces(&new));
    }

    #[test]
    fn last_updated_is_compared_as_an_instant() {
        let (utc, zone) =
            (version(Some("2026-05-01T12:00:00Z"), JUNE), version(Some("2026-05-01T13:00:00+02:00"), JUNE));
        assert!(utc.replaces(&zone) && !zone.replaces(&utc));
    }

    #[test]
    fn without_last_updated_the_later_transaction_time_stands_then_what_came_later() {
        let (old, new) = (version(None, MAY), version(Some(MAY), JUNE));
        assert!(new.replaces(&old) && !old.replaces(&new));
        assert!(old.replaces(&old));
    }

    #[test]
    fn the_order_is_total_where_last_updated_is_missing_in_between() {
        let (newest, undated, oldest) =
            (version(Some(JUNE), JUNE), version(None, MAY), version(Some(MAY), JUNE));
        assert!(newest.replaces(&undated) && newest.replaces(&oldest));
        assert!(!undated.replaces(&newest) && !oldest.replaces(&newest));
    }

    #[test]
    fn a_deletion_covers_what_is_not_newer() {
        let deleted_at = parse_instant(MAY).unwrap();
        assert!(version(Some(MAY), JUNE).is_deleted_at(deleted_at));
        assert!(!version(Some(JUNE), JUNE).is_deleted_at(deleted_at));
        assert!(version(None, MAY).is_deleted_at(deleted_at));
    }
}
