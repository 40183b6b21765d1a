//! Search parameters: their kind and the elements that they read.
//!
//! Most parameters of R4 are named as the element they read; those that are not, and that exports filter by, are
//! in a table. The kind is that of the element's type.

use fhir_definitions::{Definitions, Element};

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    /// The start of a string, whatever its case.
    Text,
    Date,
    Reference,
}

/// A search parameter of a type.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) kind: Kind,
    /// Paths of JSON members, `["effectiveDateTime"]`.
    pub(crate) paths: Vec<Vec<String>>,
}

/// Parameters whose name is not that of an element: code, the types, the element.
const NAMED: &[(&str, &[&str], &str)] = &[
    ("date", &["Observation", "DiagnosticReport"], "effective"),
    ("date", &["Procedure"], "performed"),
    ("date", &["Encounter", "CarePlan", "EpisodeOfCare", "CareTeam"], "period"),
    ("date", &["Immunization"], "occurrence"),
    ("date", &["DocumentReference", "Composition"], "date"),
    ("date", &["AllergyIntolerance"], "recordedDate"),
    ("date", &["Provenance"], "occurred"),
    ("authoredon", &["MedicationRequest"], "authoredOn"),
    ("birthdate", &["Patient", "Practitioner", "Person", "RelatedPerson"], "birthDate"),
    ("recorded-date", &["Condition"], "recordedDate"),
    ("onset-date", &["Condition"], "onset"),
    ("effective-time", &["MedicationAdministration"], "effective"),
    ("created", &["Claim", "ExplanationOfBenefit", "Media"], "created"),
    ("code", &["MedicationRequest", "MedicationAdministration", "MedicationStatement"], "medication"),
    ("vaccine-code", &["Immunization"], "vaccineCode"),
    ("class", &["Encounter"], "class"),
];

/// The parameter of this code, if it is known of the type.
pub(crate) fn find(resource_type: &str, code: &str) -> Option<Parameter> {
    let path = |kind, path: &str| {
        Some(Parameter { kind, paths: vec![path.split('.').map(str::to_owned).collect()] })
    };
    match code {
        "_id" => return path(Kind::Token, "id"),
        "_lastUpdated" => return path(Kind::Date, "meta.lastUpdated"),
        "_tag" => return path(Kind::Token, "meta.tag"),
        "_security" => return path(Kind::Token, "meta.security"),
        "_profile" => return path(Kind::Token, "meta.profile"),
        _ => {}
    }
    let compartment = Definitions::r4().patient_compartment().parameters(resource_type);
    if let Some(parameter) = compartment.iter().find(|parameter| parameter.name == code) {
        return Some(Parameter {
            kind: Kind::Reference,
            paths: parameter.paths.iter().map(|p| segments(p)).collect(),
        });
    }
    let named = NAMED.iter().find(|(name, types, _)| *name == code && types.contains(&resource_type));
    if let Some((_, _, element)) = named {
        return of_element(resource_type, element);
    }
    // `patient` is a subject, where it is no element itself.
    let subject =
        ["patient", "subject"].into_iter().find(|element| code == "patient" && has(resource_type, element));
    of_element(resource_type, subject.unwrap_or(&camel(code)))
}

fn segments(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

fn has(resource_type: &str, element: &str) -> bool {
    Definitions::r4().element(&format!("{resource_type}.{element}")).is_some()
}

fn of_element(resource_type: &str, name: &str) -> Option<Parameter> {
    let element = Definitions::r4().element(&format!("{resource_type}.{name}"))?;
    let kind = kind(element)?;
    let names = element.json_names().into_iter();
    Some(Parameter { kind, paths: names.map(|(name, _)| vec![name]).collect() })
}

fn kind(element: &Element) -> Option<Kind> {
    element.types.iter().find_map(|of| match of.code.as_str() {
        "date" | "dateTime" | "instant" | "Period" | "Timing" => Some(Kind::Date),
        "Reference" => Some(Kind::Reference),
        "string" => Some(Kind::Text),
        "code" | "Coding" | "CodeableConcept" | "Identifier" | "boolean" | "id" => Some(Kind::Token),
        _ => None,
    })
}

/// `clinical-status` as `clinicalStatus`.
fn camel(code: &str) -> String {
    let mut parts = code.split('-');
    let mut name = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let mut characters = part.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_the_elements_that_r4_names() {
        let paths = |resource_type, code| find(resource_type, code).unwrap().paths.concat();
        assert_eq!(paths("Condition", "clinical-status"), ["clinicalStatus"]);
        assert!(paths("Observation", "date").contains(&"effectiveDateTime".to_owned()));
        assert!(paths("Condition", "patient").contains(&"subject".to_owned()));
        assert_eq!(find("Observation", "date").unwrap().kind, Kind::Date);
        assert_eq!(find("Observation", "encounter").unwrap().kind, Kind::Reference);
        assert!(find("Observation", "_include").is_none());
    }

    #[test]
    fn every_named_parameter_reads_an_element() {
        for (code, types, _) in NAMED {
            for resource_type in *types {
                assert!(find(resource_type, code).is_some(), "{resource_type} {code}");
            }
        }
    }
}
