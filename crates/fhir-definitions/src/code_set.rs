//! Code sets: the codes that a value set has in all (<https://hl7.org/fhir/R4/valueset.html>).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The codes of a value set that some element is bound to by a `required` binding.
///
/// Codes and systems are compared by their bytes: case matters in all code systems that are enumerated here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSet {
    /// The canonical URL of the value set, without a version: the one is meant that is published with the FHIR version.
    pub value_set: String,
    /// The code systems, by their URL, with the codes of each that are in the value set, sorted (by bytes).
    pub systems: BTreeMap<String, Vec<String>>,
}

impl CodeSet {
    /// Whether the code is in the value set, of whatever system: what has to hold of an element of type `code`, which
    /// does not say a system.
    #[must_use]
    pub fn contains(&self, code: &str) -> bool {
        self.systems.values().any(|codes| is_among(codes, code))
    }

    /// Whether the code of this system is in the value set: what has to hold of a `Coding`, and of one of the codings
    /// of a `CodeableConcept`.
    #[must_use]
    pub fn contains_coded(&self, system: &str, code: &str) -> bool {
        self.systems.get(system).is_some_and(|codes| is_among(codes, code))
    }
}

fn is_among(codes: &[String], code: &str) -> bool {
    codes.binary_search_by(|known| known.as_str().cmp(code)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_looked_up_with_or_without_its_system() {
        let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
        let set = CodeSet {
            value_set: "http://a/days".to_owned(),
            systems: BTreeMap::from([
                ("http://a/long".to_owned(), codes(&["Monday", "Sunday", "monday"])),
                ("http://a/short".to_owned(), codes(&["mo"])),
            ]),
        };
        for code in ["Monday", "Sunday", "monday", "mo"] {
            assert!(set.contains(code), "{code}");
        }
        for code in ["", "Mo", "sunday", "Monda"] {
            assert!(!set.contains(code), "{code}");
        }
        assert!(set.contains_coded("http://a/short", "mo"));
        assert!(!set.contains_coded("http://a/long", "mo"));
        assert!(!set.contains_coded("http://a/other", "mo"));
    }
}
