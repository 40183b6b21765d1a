//! What a server did with what it was asked, found out from the data it sent: servers ignore parameters without a word
//! ([the specification allows it for some](https://hl7.org/fhir/uv/bulkdata/export.html#query-parameters)).
//!
//! Resources that contradict a parameter are counted. A few are no proof: a server may add what its resources refer to,
//! and resources without `meta.lastUpdated` always. It costs a full read of each line: give it a sample.

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::local_filter::LocalFilter;
use super::request::ExportRequest;

/// How many resources contradict a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The parameter, for example `_since`.
    pub parameter: String,
    /// How many resources contradict it.
    pub lines: u64,
    /// Of how many that could be judged.
    pub of: u64,
}

impl Contradiction {
    /// Whether so many contradict the parameter that the server has hardly applied it.
    pub fn is_ignored(&self) -> bool {
        self.lines * 2 > self.of
    }

    /// Both numbers in a sentence.
    pub fn text(&self) -> String {
        let Self { parameter, lines, of } = self;
        let verdict =
            if self.is_ignored() { "the server ignores it" } else { "the server may have added them" };
        format!("{lines} of {of} resources that were looked at contradict {parameter}: {verdict}")
    }
}

/// Compares resources with what was asked.
pub struct AppliedCheck {
    types: Vec<String>,
    since: Option<DateTime<FixedOffset>>,
    until: Option<DateTime<FixedOffset>>,
    elements: Vec<String>,
    patients: Vec<String>,
    filters: Vec<LocalFilter>,
    /// For each of [`PARAMETERS`]: how many contradict it, and how many were judged.
    counts: [(u64, u64); PARAMETERS.len()],
}

const PARAMETERS: [&str; 6] = ["_type", "_since", "_until", "_elements", "patient", "_typeFilter"];

/// Where a resource names its patient, in the types of the Patient compartment that are most frequent.
const PATIENT_ELEMENTS: [&str; 4] = ["subject", "patient", "beneficiary", "individual"];

impl AppliedCheck {
    /// For the resources of an export that asked for this.
    pub fn new(request: &ExportRequest) -> Self {
        let instant = |text: &Option<String>| DateTime::parse_from_rfc3339(text.as_deref()?).ok();
        let bare = |id: &String| id.rsplit('/').next().unwrap_or(id).to_owned();
        Self {
            types: request.types.clone(),
            since: instant(&request.since),
            until: instant(&request.until),
            elements: request.elements.clone(),
            patients: request.patients.iter().map(bare).collect(),
            filters: request.type_filters.iter().filter_map(|filter| LocalFilter::parse(filter)).collect(),
            counts: Default::default(),
        }
    }

    /// Whether anything was asked that can be judged.
    pub fn has_anything_to_judge(&self) -> bool {
        !(self.types.is_empty()
            && self.elements.is_empty()
            && self.patients.is_empty()
            && self.filters.is_empty())
            || self.since.is_some()
            || self.until.is_some()
    }

    /// Judges a line of a data file. What is no resource is passed over.
    pub fn line(&mut self, line: &[u8]) {
        let Ok(resource) = serde_json::from_slice::<Value>(line) else { return };
        let Some(type_) = resource["resourceType"].as_str().map(str::to_owned) else { return };
        let changed = resource["meta"]["lastUpdated"].as_str();
        let changed = changed.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let verdicts = [
            (!self.types.is_empty()).then(|| !self.types.contains(&type_)),
            self.since.zip(changed).map(|(since, changed)| changed < since),
            self.until.zip(changed).map(|(until, changed)| changed > until),
            self.has_other_elements(&type_, &resource),
            self.is_of_another_patient(&type_, &resource),
            self.is_filtered_out(&type_, &resource),
        ];
        for ((contradicting, judged), verdict) in self.counts.iter_mut().zip(verdicts) {
            *judged += u64::from(verdict.is_some());
            *contradicting += u64::from(verdict == Some(true));
        }
    }

    fn has_other_elements(&self, type_: &str, resource: &Value) -> Option<bool> {
        let own = |path: &&String| match path.split_once('.') {
            Some((of, _)) => of == type_,
            None => true,
        };
        let mut wanted = self.elements.iter().filter(own).peekable();
        wanted.peek()?;
        let wanted: Vec<&str> = wanted.map(|path| path.rsplit('.').next().unwrap_or(path)).collect();
        let tags = resource["meta"]["tag"].as_array();
        let subsetted = tags.into_iter().flatten().any(|tag| tag["code"] == "SUBSETTED");
        let names = resource.as_object()?.keys().map(|name| name.trim_start_matches('_'));
        let other = |name: &str| !matches!(name, "resourceType" | "id" | "meta") && !wanted.contains(&name);
        // Mandatory elements come unasked, with the tag.
        Some(!subsetted && names.filter(|name| other(name)).count() > 0)
    }

    fn is_of_another_patient(&self, type_: &str, resource: &Value) -> Option<bool> {
        if self.patients.is_empty() {
            return None;
        }
        if type_ == "Patient" {
            return Some(!self.patients.iter().any(|id| resource["id"] == id.as_str()));
        }
        let references = PATIENT_ELEMENTS.iter().filter_map(|name| resource[*name]["reference"].as_str());
        let ids = references.filter_map(|reference| {
            let (before, id) = reference.rsplit_once('/')?;
            before.ends_with("Patient").then_some(id)
        });
        let ids: Vec<&str> = ids.collect();
        (!ids.is_empty()).then(|| !ids.iter().any(|id| self.patients.iter().any(|asked| asked == id)))
    }

    fn is_filtered_out(&self, type_: &str, resource: &Value) -> Option<bool> {
        let mut of_type = self.filters.iter().filter(|filter| filter.type_ == type_).peekable();
        of_type.peek()?;
        // Several are alternatives. One that cannot be judged may let anything pass.
        let verdicts: Vec<Option<bool>> = of_type.map(|filter| filter.matches(resource)).collect();
        if verdicts.contains(&Some(true)) {
            return Some(false);
        }
        if verdicts.contains(&None) { None } else { Some(true) }
    }

    /// The parameters that could be judged, also those that no resource contradicts: their numbers can be added up over
    /// files.
    pub fn finish(self) -> Vec<Contradiction> {
        let counted = PARAMETERS.iter().zip(self.counts);
        let judged = counted.filter(|(_, (_, of))| *of > 0);
        judged
            .map(|(parameter, (lines, of))| Contradiction { parameter: (*parameter).to_owned(), lines, of })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contradictions(request: &ExportRequest, lines: &[&str]) -> Vec<(String, u64, u64)> {
        let mut check = AppliedCheck::new(request);
        lines.iter().for_each(|line| check.line(line.as_bytes()));
        check
            .finish()
            .into_iter()
            .filter(|one| one.lines > 0)
            .map(|one| (one.parameter, one.lines, one.of))
            .collect()
    }

    #[test]
    fn what_was_not_applied_is_found_in_the_data() {
        let own = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let lines = [
            r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2026-01-01T00:00:00Z"},"gender":"male"}"#,
            r#"{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/b"},"meta":{"lastUpdated":"2026-03-01T00:00:00+02:00"}}"#,
            r#"{"resourceType":"Observation","id":"p","status":"final","subject":{"reference":"https://h/Patient/a"}}"#,
            "junk",
        ];
        let found = |request| contradictions(&request, &lines);
        let of = |parameter: &str, lines, of| vec![(parameter.to_owned(), lines, of)];
        let base = ExportRequest::default;
        assert_eq!(found(base()), []);
        assert_eq!(found(ExportRequest { types: own(&["Patient"]), ..base() }), of("_type", 2, 3));
        let since = Some("2026-02-01T00:00:00Z".to_owned());
        assert_eq!(found(ExportRequest { since: since.clone(), ..base() }), of("_since", 1, 2));
        assert_eq!(found(ExportRequest { until: since, ..base() }), of("_until", 1, 2));
        assert_eq!(
            found(ExportRequest { elements: own(&["Patient.birthDate"]), ..base() }),
            of("_elements", 1, 1)
        );
        assert_eq!(found(ExportRequest { elements: own(&["Patient.gender"]), ..base() }), []);
        assert_eq!(found(ExportRequest { patients: own(&["Patient/a"]), ..base() }), of("patient", 1, 3));
        let filters = own(&["Observation?status=amended,final", "Patient?gender=female"]);
        assert_eq!(found(ExportRequest { type_filters: filters, ..base() }), of("_typeFilter", 1, 3));
        let filters = own(&["Patient?gender=female", "Patient?near=x"]);
        assert_eq!(found(ExportRequest { type_filters: filters, ..base() }), []);
    }

    #[test]
    fn few_are_no_proof() {
        let one = |lines, of| Contradiction { parameter: "_since".into(), lines, of };
        assert!(one(51, 100).is_ignored() && !one(3, 100).is_ignored());
        insta::assert_snapshot!(one(3, 100).text(), @"3 of 100 resources that were looked at contradict _since: the server may have added them");
    }
}
