//! The R4 Patient compartment: which elements of which types tie a resource to a patient.
//!
//! Specification: R4 `compartmentdefinition-patient.html`; the Bulk Data specification takes it as the point of
//! reference for what a Patient-level and a Group-level export holds. A resource belongs to a patient's
//! compartment if one of the paths holds a Reference to that patient; the Patient itself always belongs.
//! Only relative references are followed: an absolute one may name a patient of another server with the same
//! id, and giving away the wrong patient's data is worse than leaving a resource out.

use std::collections::BTreeSet;

use fhir_definitions::Definitions;
use serde_json::Value;

/// The ids of the patients in whose compartment the resource is.
pub(crate) fn patients(resource_type: &str, id: &str, resource: &Value) -> BTreeSet<String> {
    let mut patients = BTreeSet::new();
    if resource_type == "Patient" {
        patients.insert(id.to_owned());
    }
    for path in Definitions::r4().patient_compartment().paths(resource_type) {
        let names: Vec<&str> = path.split('.').collect();
        each_reference(resource, &names, &mut |reference| {
            if let Some(("Patient", id)) = local_reference(reference) {
                patients.insert(id.to_owned());
            }
        });
    }
    patients
}

/// Calls `found` with the text of each Reference at the path, through arrays of any depth.
pub(crate) fn each_reference<'a>(value: &'a Value, path: &[&str], found: &mut impl FnMut(&'a str)) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| each_reference(item, path, found));
        return;
    }
    match path.split_first() {
        Some((name, rest)) => {
            if let Some(child) = value.get(name) {
                each_reference(child, rest, found);
            }
        }
        None => {
            if let Some(reference) = value.get("reference").and_then(Value::as_str) {
                found(reference);
            }
        }
    }
}

/// Type and id of a relative reference, `Patient/1` or `Patient/1/_history/2`.
pub(crate) fn local_reference(reference: &str) -> Option<(&str, &str)> {
    let (resource_type, rest) = reference.split_once('/')?;
    let (id, version) = rest.split_once('/').unwrap_or((rest, "_history/"));
    let named = resource_type.starts_with(|first: char| first.is_ascii_uppercase()) && !id.is_empty();
    (named && !id.contains(['?', '#']) && version.starts_with("_history/")).then_some((resource_type, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_references_are_local() {
        assert_eq!(local_reference("Patient/1"), Some(("Patient", "1")));
        assert_eq!(local_reference("Patient/1/_history/2"), Some(("Patient", "1")));
        for other in ["http://else.where/Patient/1", "urn:uuid:1", "#p", "Patient", "Patient/", "Patient/1/x"]
        {
            assert_eq!(local_reference(other), None, "{other}");
        }
    }

    #[test]
    fn every_path_of_the_compartment_ends_at_a_reference_that_json_spells_alike() {
        let definitions = Definitions::r4();
        let compartment = definitions.patient_compartment();
        for resource_type in compartment.types() {
            for path in compartment.paths(resource_type) {
                let element = definitions.element(&format!("{resource_type}.{path}"));
                let element = element.unwrap_or_else(|| panic!("{resource_type}.{path} is no element"));
                assert!(!element.choice, "{resource_type}.{path} has several names in JSON");
                assert!(
                    element.types.iter().any(|r#type| r#type.code == "Reference"),
                    "{resource_type}.{path}"
                );
            }
        }
    }

    #[test]
    fn a_resource_is_in_the_compartment_of_every_patient_it_names() {
        let appointment = serde_json::json!({"participant": [
            {"actor": {"reference": "Patient/1"}},
            {"actor": {"reference": "Practitioner/9"}},
            {"actor": {"reference": "Patient/2"}},
        ]});
        let found = patients("Appointment", "a", &appointment);
        assert_eq!(found, BTreeSet::from(["1", "2"].map(String::from)));
        assert!(patients("Organization", "o", &appointment).is_empty());
        assert_eq!(patients("Patient", "p", &serde_json::json!({})), BTreeSet::from(["p".to_owned()]));
    }

    #[test]
    fn references_are_found_through_arrays() {
        let value = serde_json::json!({"a": [{"b": {"reference": "Patient/1"}}, {"b": [{"reference": "Patient/2"}]}]});
        let mut found = Vec::new();
        each_reference(&value, &["a", "b"], &mut |reference| found.push(reference));
        assert_eq!(found, ["Patient/1", "Patient/2"]);
    }
}
