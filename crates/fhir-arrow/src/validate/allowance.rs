//! What is tolerated.

use std::collections::HashSet;

use super::finding::Finding;

/// Findings that are known and tolerated, each by the name of its kind and its path without positions.
///
/// What is tolerated is still told, as [`Severity::Information`](super::Severity::Information): it can be counted, and
/// does not make a resource invalid. Beyond [`MAX_FINDINGS`](super::MAX_FINDINGS) of one resource nothing is tolerated,
/// as nothing is looked up there.
///
/// ```
/// use fhir_arrow::{Allowances, Findings, Reader, Severity, ValidationLevel, Validator};
/// use fhir_definitions::Definitions;
///
/// let mut allowances = Allowances::default();
/// allowances.allow("json-type", "Patient.multipleBirth.ofType(integer)");
/// let validator = Validator::new(Definitions::r4(), ValidationLevel::Structure).with_allowances(allowances);
///
/// let (mut reader, mut findings) = (Reader::default(), Findings::default());
/// let line = br#"{"resourceType":"Patient","multipleBirthInteger":"2"}"#;
/// validator.validate(&reader.read(line)?, &mut findings);
/// assert!(findings.is_valid());
/// assert_eq!(findings.worst(), Some(Severity::Information));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowances {
    /// Kind and path, with a space between.
    known: HashSet<String>,
}

impl Allowances {
    /// Tolerates findings of a kind ([`FindingKind::as_str`](super::FindingKind::as_str)) at a path
    /// ([`Finding::path_without_positions`]).
    pub fn allow(&mut self, kind: &str, path: &str) {
        self.known.insert(key(kind, path));
    }

    /// Whether nothing is tolerated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether a finding is tolerated.
    #[must_use]
    pub fn allows(&self, finding: &Finding) -> bool {
        !self.is_empty()
            && self.known.contains(&key(finding.kind.as_str(), &finding.path_without_positions()))
    }
}

fn key(kind: &str, path: &str) -> String {
    format!("{kind} {path}")
}

impl<K: AsRef<str>, P: AsRef<str>> FromIterator<(K, P)> for Allowances {
    fn from_iter<I: IntoIterator<Item = (K, P)>>(pairs: I) -> Self {
        let known = pairs.into_iter().map(|(kind, path)| key(kind.as_ref(), path.as_ref()));
        Self { known: known.collect() }
    }
}
