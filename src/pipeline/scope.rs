//! What a run is asked for. A run that was interrupted is continued only by the same.

use fhir_bulk_client::{ExportRequest, Level};
use serde::{Deserialize, Serialize};

use super::plan::{ALL_TYPES, Job};

/// What a run is asked for.
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
    /// How many seconds before a watermark changes are asked for, for servers whose clocks or indexes lag behind.
    #[serde(default)]
    pub overlap_seconds: i64,
    /// What else the kick-off says.
    #[serde(default)]
    pub query: Query,
    /// Whether only ids are asked for, to find out what is no longer there.
    #[serde(default)]
    pub ids_only: bool,
}

/// What a kick-off says beside types and `_since`: see [`ExportRequest`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Query {
    /// `_until`.
    pub until: Option<String>,
    /// `_typeFilter`.
    pub type_filters: Vec<String>,
    /// `_elements`.
    pub elements: Vec<String>,
    /// `patient`.
    pub patients: Vec<String>,
    /// `includeAssociatedData`.
    pub include_associated_data: Vec<String>,
    /// `organizeOutputBy`.
    pub organize_output_by: Option<String>,
    /// Further parameters.
    pub parameters: Vec<(String, String)>,
}

impl Scope {
    /// The watermark of a type (or of all types): that of what the run asks of it. What was asked by filters, or in parts,
    /// is not what was asked whole.
    pub fn watermark(&self, name: &str) -> String {
        let of_type =
            |filter: &&String| name == ALL_TYPES || filter.split_once('?').is_some_and(|(of, _)| of == name);
        let mut parts: Vec<String> = self.query.type_filters.iter().filter(of_type).cloned().collect();
        parts.sort();
        if !self.query.elements.is_empty() {
            let mut elements = self.query.elements.clone();
            elements.sort();
            parts.push(format!("_elements={}", elements.join(",")));
        }
        if parts.is_empty() { name.to_owned() } else { format!("{name} {}", parts.join(" ")) }
    }

    /// The watermarks that say up to when the lake has what the run asks of a type, the best of which holds.
    pub fn watermarks_of(&self, name: &str) -> Vec<String> {
        let own = self.watermark(name);
        // Whole resources are more than parts, and all of a type more than what a filter lets through.
        let mut all = vec![own];
        if self.query.elements.is_empty() {
            all.extend([name.to_owned(), ALL_TYPES.to_owned()]);
        }
        all.dedup();
        all
    }

    /// Why the run does not bring everything up to its transaction time, so that no watermark may move.
    pub fn holds_watermarks(&self) -> Option<&'static str> {
        let Query { until, patients, parameters, .. } = &self.query;
        match (until, patients.is_empty(), parameters.is_empty()) {
            (Some(_), ..) => Some("what changed after --until was not asked for: the watermark stays"),
            (None, false, _) => Some("other patients were not asked for: the watermark stays"),
            (None, true, false) => Some("what --param leaves out is not known: the watermark stays"),
            (None, true, true) => None,
        }
    }

    /// Whether the run asks for everything that its types have.
    pub fn is_whole(&self) -> bool {
        self.holds_watermarks().is_none()
            && self.query.type_filters.is_empty()
            && self.query.elements.is_empty()
    }

    /// One of the run's kick-offs.
    pub fn request(&self, level: &Level, job: &Job) -> ExportRequest {
        let Query { until, type_filters, elements, patients, .. } = &self.query;
        // A filter of a type that this kick-off does not ask for would be refused.
        let is_asked = |filter: &&String| {
            job.types.is_empty()
                || filter.split_once('?').is_none_or(|(of, _)| job.types.iter().any(|name| name == of))
        };
        let patients = if job.patients.is_empty() { patients } else { &job.patients };
        ExportRequest {
            level: level.clone(),
            types: job.types.clone(),
            since: job.since.clone(),
            until: until.clone(),
            type_filters: type_filters.iter().filter(is_asked).cloned().collect(),
            elements: elements.clone(),
            patients: patients.clone(),
            include_associated_data: self.query.include_associated_data.clone(),
            organize_output_by: self.query.organize_output_by.clone(),
            parameters: self.query.parameters.clone(),
            ..ExportRequest::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(types: &[&str], filters: &[&str], elements: &[&str]) -> Scope {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let query = Query { type_filters: all(filters), elements: all(elements), ..Query::default() };
        Scope { level: "system".into(), types: all(types), query, ..Scope::default() }
    }

    #[test]
    fn what_was_asked_in_parts_has_its_own_watermark() {
        let plain = scope(&["Patient"], &[], &[]);
        assert_eq!(plain.watermark("Patient"), "Patient");
        assert_eq!(plain.watermarks_of("Patient"), ["Patient", "*"]);
        let labs = scope(&["Observation", "Patient"], &["Observation?category=laboratory"], &[]);
        assert_eq!(labs.watermark("Observation"), "Observation Observation?category=laboratory");
        assert_eq!(labs.watermark("Patient"), "Patient");
        assert_eq!(labs.watermarks_of("Observation")[1..], ["Observation", "*"]);
        let parts = scope(&["Patient"], &[], &["name", "id"]);
        assert_eq!(parts.watermarks_of("Patient"), ["Patient _elements=id,name"]);
        assert!(!labs.is_whole() && !parts.is_whole() && plain.is_whole());
    }

    #[test]
    fn a_kick_off_has_the_filters_of_its_types_alone() {
        let scope = scope(&["A", "B"], &["A?x=1", "B?y=2"], &[]);
        let job = Job { types: vec!["A".into()], ..Job::default() };
        assert_eq!(scope.request(&Level::System, &job).type_filters, ["A?x=1"]);
    }

    #[test]
    fn a_run_of_some_patients_or_up_to_an_instant_moves_no_watermark() {
        let mut some = scope(&[], &[], &[]);
        some.query.patients = vec!["p".into()];
        assert!(some.holds_watermarks().is_some() && !some.is_whole());
    }
}
