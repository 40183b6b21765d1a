//! The kick-off request: what is asked for, and what cannot be honoured.
//!
//! Specification: Bulk Data 2.0.0 and 3.0.0, section "Bulk Data Kick-off Request". Parameters that are not
//! supported are an error, unless the client says `Prefer: handling=lenient`: then each is left out and named
//! by a warning in the manifest's `error` files.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, header::HeaderName};
use chrono::{DateTime, Utc};
use url::form_urlencoded;

use crate::clock::parse_instant;
use crate::outcome::Outcome;

/// The values of `_outputFormat` that every server shall accept; all mean NDJSON.
const OUTPUT_FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

/// What a kick-off request asks for, whatever its level.
#[derive(Debug, Default)]
pub(crate) struct KickOff {
    /// `_type`: absent, all types are exported.
    pub(crate) types: Option<BTreeSet<String>>,
    /// `_since`: resources changed and deleted at this instant or later.
    pub(crate) since: Option<DateTime<Utc>>,
    /// What a lenient client asked for and does not get.
    pub(crate) ignored: Vec<Outcome>,
}

impl KickOff {
    /// Reads headers and query of a kick-off request; `known_type` says whether a name is a resource type.
    pub(crate) fn parse(
        headers: &HeaderMap,
        query: &str,
        known_type: impl Fn(&str) -> bool,
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
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Err(outcome) = kick_off.read(&name, &value, &known_type) {
                if !lenient {
                    return Err(outcome);
                }
                kick_off.ignored.push(outcome);
            }
        }
        Ok(kick_off)
    }

    fn read(&mut self, name: &str, value: &str, known_type: &impl Fn(&str) -> bool) -> Result<(), Outcome> {
        match name {
            "_type" => self.read_types(value, known_type),
            "_since" => {
                let instant = parse_instant(value).ok_or_else(|| {
                    Outcome::bad_request(
                        "value",
                        "_since is no instant; a + in its zone is written %2B in a URL",
                    )
                })?;
                self.since = Some(instant);
                Ok(())
            }
            "_outputFormat" if OUTPUT_FORMATS.contains(&value) => Ok(()),
            "_outputFormat" => Err(Outcome::bad_request(
                "not-supported",
                format!("_outputFormat is one of {}; + is written %2B in a URL", OUTPUT_FORMATS.join(", ")),
            )),
            // The name comes from the client and goes back to it alone.
            _ => Err(Outcome::bad_request("not-supported", format!("the parameter {name} is not supported"))),
        }
    }

    /// Adds the types of one value: a comma separates them, and the parameter may be repeated.
    fn read_types(&mut self, value: &str, known_type: &impl Fn(&str) -> bool) -> Result<(), Outcome> {
        let types = self.types.get_or_insert_default();
        let (known, unknown): (Vec<&str>, Vec<&str>) = value.split(',').partition(|name| known_type(name));
        types.extend(known.into_iter().map(str::to_owned));
        match unknown.first() {
            None => Ok(()),
            Some(name) => {
                Err(Outcome::bad_request("value", format!("_type: {name} is no FHIR R4 resource type")))
            }
        }
    }
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
        KickOff::parse(&headers, query, |name| ["Patient", "Observation", "Condition"].contains(&name))
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
            let kick_off = parse(prefer, "_elements=id&_type=Patient,Bogus").unwrap();
            assert_eq!(kick_off.ignored.len(), 2);
            assert_eq!(kick_off.types, Some(BTreeSet::from(["Patient".to_owned()])));
        }
        assert!(parse(&["respond-async"], "_elements=id").is_err());
        assert!(parse(&["handling=lenient"], "").is_err());
    }
}
