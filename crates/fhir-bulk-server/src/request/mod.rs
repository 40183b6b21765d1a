//! The kick-off request: what is asked for, and what cannot be honoured.
//!
//! Specification: Bulk Data 2.0.0 and 3.0.0, section "Bulk Data Kick-off Request". Parameters that are not
//! supported are an error, unless the client says `Prefer: handling=lenient`: then each is left out and named
//! by a warning in the manifest's `error` files.

mod values;

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderMap, header::HeaderName};
use chrono::{DateTime, Utc};

use crate::elements::Elements;
use crate::fault::Fault;
use crate::outcome::Outcome;
use crate::parameters::Parameter;
use crate::search::Query;
use values::{comma, flag, instant, not_supported, refused};

/// The values of `_outputFormat` that every server shall accept; all mean NDJSON.
const OUTPUT_FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

/// Parameters that a fault refuses.
const REFUSED: &[(&str, Fault)] = &[
    ("_since", Fault::RefuseSince),
    ("_elements", Fault::RefuseElements),
    ("_typeFilter", Fault::RefuseTypeFilter),
    ("patient", Fault::RefusePatient),
];

/// Parameters that a fault ignores, without a word.
const IGNORED: &[(&str, Fault)] = &[
    ("_since", Fault::IgnoreSince),
    ("_until", Fault::IgnoreUntil),
    ("_type", Fault::IgnoreType),
    ("_typeFilter", Fault::IgnoreTypeFilter),
    ("_elements", Fault::IgnoreElements),
    ("patient", Fault::IgnorePatient),
    ("includeAssociatedData", Fault::IgnoreOptional),
    ("organizeOutputBy", Fault::IgnoreOptional),
    ("allowPartialManifests", Fault::IgnoreOptional),
];

/// Which Provenance resources come with what is exported, whatever `_type` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Associated {
    /// The latest one of each resource.
    LatestProvenance,
    /// All of them.
    RelevantProvenance,
}

/// What a kick-off request asks for, whatever its level.
#[derive(Debug, Default)]
pub(crate) struct KickOff {
    /// `_type`: absent, all types are exported.
    pub(crate) types: Option<BTreeSet<String>>,
    /// `_since`: resources changed and deleted at this instant or later.
    pub(crate) since: Option<DateTime<Utc>>,
    /// `_until`: resources changed and deleted before this instant.
    pub(crate) until: Option<DateTime<Utc>>,
    /// `_elements`.
    pub(crate) elements: Elements,
    /// `_typeFilter` by type: one of the queries finds each resource.
    pub(crate) filters: BTreeMap<String, Vec<Query>>,
    /// `patient`: absent, all patients of the level.
    pub(crate) patients: Option<BTreeSet<String>>,
    /// `includeAssociatedData`; of several values the least restrictive.
    pub(crate) associated: Option<Associated>,
    /// `organizeOutputBy=Patient`.
    pub(crate) by_patient: bool,
    /// `allowPartialManifests`: the manifest may come in pages.
    pub(crate) partial: bool,
    /// What a lenient client asked for and does not get.
    pub(crate) ignored: Vec<Outcome>,
}

/// How the parameters of a request are taken.
pub(crate) struct Reading<'a> {
    /// Whether they came by POST, where `patient` belongs.
    pub(crate) post: bool,
    /// Whether the level is a Group.
    pub(crate) group: bool,
    /// Whether a fault strikes this request.
    pub(crate) strikes: &'a dyn Fn(Fault) -> bool,
}

impl KickOff {
    /// Reads headers and parameters of a kick-off request.
    pub(crate) fn parse(
        headers: &HeaderMap,
        parameters: &[Parameter],
        reading: &Reading<'_>,
    ) -> Result<KickOff, Outcome> {
        let preferences = preferences(headers);
        if !preferences.contains("respond-async") {
            return Err(Outcome::bad_request(
                "required",
                "the export needs the header Prefer: respond-async",
            ));
        }
        let lenient = preferences.contains("handling=lenient");
        let mut kick_off = KickOff::default();
        for (name, value) in parameters {
            if let Err(outcome) = kick_off.read(name, value, reading) {
                if !lenient {
                    return Err(outcome);
                }
                kick_off.ignored.push(outcome);
            }
        }
        kick_off.refuse_supporting(reading)?;
        Ok(kick_off)
    }

    fn read(&mut self, name: &str, value: &str, reading: &Reading<'_>) -> Result<(), Outcome> {
        let struck = |table: &[(&str, Fault)]| {
            table.iter().any(|(of, fault)| *of == name && (reading.strikes)(*fault))
        };
        if struck(REFUSED) {
            return Err(not_supported(name));
        }
        if struck(IGNORED) {
            return Ok(());
        }
        match name {
            "_type" => self.read_types(value, reading),
            "_since" => {
                self.since = Some(instant(name, value)?);
                Ok(())
            }
            "_until" => {
                self.until = Some(instant(name, value)?);
                Ok(())
            }
            "_elements" if value.contains(',') && (reading.strikes)(Fault::RefuseComma) => Err(comma(name)),
            "_elements" => self.elements.read(value),
            "_typeFilter" => self.read_filters(value, reading),
            "patient" if reading.group && (reading.strikes)(Fault::IgnorePatientInGroup) => Ok(()),
            "patient" => self.read_patients(value, reading),
            "includeAssociatedData" => value.split(',').try_for_each(|code| self.read_associated(code)),
            "organizeOutputBy" if value == "Patient" => flag(&mut self.by_patient, "true"),
            "organizeOutputBy" => Err(refused("organizeOutputBy: only Patient is supported")),
            "allowPartialManifests" => flag(&mut self.partial, value),
            "_outputFormat" if OUTPUT_FORMATS.contains(&value) => Ok(()),
            "_outputFormat" => Err(refused(format!(
                "_outputFormat is one of {}; + is written %2B in a URL",
                OUTPUT_FORMATS.join(", ")
            ))),
            _ if (reading.strikes)(Fault::IgnoreUnknown) => Ok(()),
            // The name comes from the client and goes back to it alone.
            _ => Err(not_supported(name)),
        }
    }
}

/// Whether the client wants the state of its job in a header of its own.
pub(crate) fn prefers_separate_status(headers: &HeaderMap) -> bool {
    preferences(headers).contains("separate-export-status")
}

/// The preferences of all `Prefer` headers (RFC 7240), without white space and in lower case.
fn preferences(headers: &HeaderMap) -> BTreeSet<String> {
    let values = headers.get_all(HeaderName::from_static("prefer")).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .map(|preference| preference.replace(['"', ' ', '\t'], "").to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(prefer: &[&'static str], query: &str) -> Result<KickOff, Outcome> {
        let mut headers = HeaderMap::new();
        for value in prefer {
            headers.append("prefer", value.parse().unwrap());
        }
        let parameters = crate::parameters::from_query(query);
        KickOff::parse(&headers, &parameters, &Reading { post: false, group: false, strikes: &|_| false })
    }

    #[test]
    fn types_come_by_comma_and_by_repetition() {
        let kick_off = parse(&["respond-async"], "_type=Patient,Observation&_type=Condition").unwrap();
        let types: Vec<_> = kick_off.types.unwrap().into_iter().collect();
        assert_eq!(types, ["Condition", "Observation", "Patient"]);
    }

    #[test]
    fn an_unescaped_plus_is_refused() {
        assert!(parse(&["respond-async"], "_outputFormat=application/fhir+ndjson").is_err());
        assert!(parse(&["respond-async"], "_outputFormat=application%2Ffhir%2Bndjson").is_ok());
        assert!(parse(&["respond-async"], "_since=2026-01-01T00:00:00+00:00").is_err());
        assert!(parse(&["respond-async"], "_since=2026-01-01T00:00:00%2B00:00").is_ok());
    }

    #[test]
    fn a_lenient_client_is_told_what_was_left_out() {
        for prefer in [&["respond-async, handling=lenient"][..], &["respond-async", "handling=lenient"]] {
            let kick_off = parse(prefer, "_bogus=id&_type=Patient,Bogus").unwrap();
            assert_eq!(kick_off.ignored.len(), 2);
            assert_eq!(kick_off.types, Some(BTreeSet::from(["Patient".to_owned()])));
        }
        assert!(parse(&["respond-async"], "_bogus=id").is_err());
        assert!(parse(&["handling=lenient"], "").is_err());
    }
}
