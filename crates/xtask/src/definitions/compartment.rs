//! The Patient compartment: the published CompartmentDefinition names search parameters, the published
//! SearchParameters say which elements these read (<https://hl7.org/fhir/R4/compartmentdefinition-patient.html>).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use fhir_definitions::{Compartment, CompartmentParameter};

use super::node::Node;

/// What R5 lists for the resource that the compartment is about: no parameter, but the resource itself.
const ITSELF: &str = "{def}";

/// The compartment of patients.
///
/// # Errors
/// Where there is not one CompartmentDefinition for it, a parameter is not published, or its expression is none
/// that only names elements.
pub fn patient(compartments: &[Node], parameters: &[Node]) -> Result<Compartment> {
    let mut published = compartments.iter().filter(|compartment| compartment.text("code") == Some("Patient"));
    let (Some(published), None) = (published.next(), published.next()) else {
        bail!("there is not one CompartmentDefinition for Patient");
    };
    let mut members = BTreeMap::new();
    // A type without a parameter is listed to say that it is not in the compartment.
    for resource in published.all("resource").filter(|resource| resource.child("param").is_some()) {
        let resource_type = resource.required("code")?;
        let found = resource
            .texts("param")
            .filter(|code| *code != ITSELF)
            .map(|code| parameter(resource_type, code, parameters))
            .collect::<Result<Vec<_>>>()?;
        if members.insert(resource_type.to_owned(), found).is_some() {
            bail!("the Patient compartment has {resource_type} twice");
        }
    }
    Ok(Compartment { code: "Patient".to_owned(), members })
}

fn parameter(resource_type: &str, code: &str, published: &[Node]) -> Result<CompartmentParameter> {
    let what = || format!("search parameter {code} of {resource_type}");
    let parameter = published
        .iter()
        .find(|parameter| {
            parameter.text("code") == Some(code) && parameter.texts("base").any(|base| base == resource_type)
        })
        .with_context(|| format!("{} is not published", what()))?;
    let paths = element_paths(resource_type, parameter.required("expression")?).with_context(what)?;
    Ok(CompartmentParameter { name: code.to_owned(), paths })
}

/// The References that an expression reads in resources of this type, as paths below the resource.
///
/// `AllergyIntolerance.patient | CarePlan.subject.where(resolve() is Patient)` is `subject` for CarePlan.
fn element_paths(resource_type: &str, expression: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for part in expression.split('|').map(str::trim) {
        let Some(path) = json_path(part) else { continue };
        if path.is_empty() || !path.split('.').all(is_name) {
            bail!("the expression {part} does not only name elements");
        }
        if let Some(path) = path.strip_prefix(resource_type).and_then(|rest| rest.strip_prefix('.')) {
            paths.push(path.to_owned());
        }
    }
    if paths.is_empty() {
        bail!("the expression {expression} names no element of {resource_type}");
    }
    Ok(paths)
}

/// The part of an expression without its filter, in the names of JSON: the Reference of a choice has its type in its
/// name. `None` where another type of a choice is read, which cannot name a patient.
fn json_path(part: &str) -> Option<String> {
    let part = part.strip_suffix(".where(resolve() is Patient)").unwrap_or(part);
    let cast = part.strip_prefix('(').and_then(|part| part.strip_suffix(" as Reference)"));
    if let Some(choice) = cast.or_else(|| part.strip_suffix(".ofType(Reference)")) {
        return Some(format!("{choice}Reference"));
    }
    let of_another = part.strip_suffix(')').and_then(|part| part.rsplit_once(".ofType("));
    match of_another {
        Some((_, name)) if is_name(name) => None,
        _ => Some(part.to_owned()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_elements_of_the_type_are_kept() {
        let expression = "AllergyIntolerance.patient | CarePlan.subject.where(resolve() is Patient)";
        assert_eq!(element_paths("CarePlan", expression).unwrap(), ["subject"]);
        assert_eq!(element_paths("AllergyIntolerance", expression).unwrap(), ["patient"]);
    }

    #[test]
    fn a_type_whose_name_begins_with_another_is_not_that_other() {
        let expression = "Medication.a | MedicationRequest.subject";
        assert_eq!(element_paths("Medication", expression).unwrap(), ["a"]);
    }

    #[test]
    fn every_element_of_an_expression_is_kept() {
        let expression = "AuditEvent.agent.who.where(resolve() is Patient) | AuditEvent.entity.what.where(resolve() is Patient)";
        assert_eq!(element_paths("AuditEvent", expression).unwrap(), ["agent.who", "entity.what"]);
    }

    #[test]
    fn the_reference_of_a_choice_has_the_name_of_json() {
        let cast = "(Goal.reported as Reference) | Other.source";
        assert_eq!(element_paths("Goal", cast).unwrap(), ["reportedReference"]);
        let typed = "Goal.actor.ofType(Reference) | Goal.actor.ofType(canonical) | Goal.who";
        assert_eq!(element_paths("Goal", typed).unwrap(), ["actorReference", "who"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for expression in [
            "Goal.value as Reference",
            "(Goal.x)",
            "Goal.where(a = b).c",
            "Goal.x.ofType(canonical)",
            "",
            "Other.subject",
        ] {
            assert!(element_paths("Goal", expression).is_err(), "{expression}");
        }
    }
}
