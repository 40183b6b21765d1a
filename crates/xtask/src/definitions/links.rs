//! Whatever a document refers to is in it: types, elements, references to patients.

use anyhow::{Context, Result, ensure};
use fhir_definitions::{Definitions, Element, TypeDefinition};

/// Fails where the definitions refer to what they do not have.
pub fn verify(definitions: &Definitions) -> Result<()> {
    for definition in definitions.types() {
        verify_base(definitions, definition)?;
        verify_elements(definitions, &definition.elements).with_context(|| definition.name.clone())?;
    }
    verify_compartment(definitions)
}

/// What a type specialises is known, and in the end something that specialises nothing.
fn verify_base(definitions: &Definitions, definition: &TypeDefinition) -> Result<()> {
    let last = definitions.with_base_types(&definition.name).nth(definitions.types().len());
    ensure!(last.is_none(), "{} specialises itself", definition.name);
    if let Some(base) = &definition.base {
        let known = definitions.definition(base).is_some();
        ensure!(known, "{} specialises the unknown type {base}", definition.name);
    }
    Ok(())
}

/// Every type, target and content reference leads somewhere.
fn verify_elements(definitions: &Definitions, elements: &[Element]) -> Result<()> {
    for element in elements {
        let known = |name: &str| definitions.definition(name).is_some();
        for type_ref in &element.types {
            ensure!(known(&type_ref.code), "{} is of the unknown type {}", element.name, type_ref.code);
            for target in &type_ref.targets {
                ensure!(known(target), "{} points to the unknown type {target}", element.name);
            }
        }
        if let Some(path) = &element.content_reference {
            ensure!(
                definitions.element(path).is_some(),
                "{} has the content of {path}, which is unknown",
                element.name
            );
        }
        verify_elements(definitions, &element.children).with_context(|| element.name.clone())?;
    }
    Ok(())
}

/// Every path of the compartment is a reference that may point to a patient.
fn verify_compartment(definitions: &Definitions) -> Result<()> {
    let compartment = definitions.patient_compartment();
    for resource_type in compartment.types() {
        ensure!(definitions.is_resource(resource_type), "{resource_type} is no resource type");
        for path in compartment.paths(resource_type) {
            let path = format!("{resource_type}.{path}");
            let element =
                element_of_json(definitions, &path).with_context(|| format!("there is no element {path}"))?;
            // What the reference inside of a CodeableReference may name is said of the whole.
            let around = path.strip_suffix(".reference").and_then(|around| definitions.element(around));
            ensure!(
                names_patient(element, "Reference")
                    || around.is_some_and(|around| names_patient(around, "CodeableReference")),
                "{path} is no reference to a Patient"
            );
        }
    }
    Ok(())
}

fn names_patient(element: &Element, type_code: &str) -> bool {
    let mut targets =
        element.types.iter().filter(|found| found.code == type_code).flat_map(|found| &found.targets);
    targets.any(|target| target == "Patient" || target == "Resource")
}

/// The element at a path in the names of JSON, where only the last may be that of a choice.
fn element_of_json<'a>(definitions: &'a Definitions, path: &str) -> Option<&'a Element> {
    let choice = path.strip_suffix("Reference").and_then(|name| definitions.element(name));
    match choice {
        Some(element) if element.choice => Some(element),
        _ => definitions.element(path).filter(|element| !element.choice),
    }
}

#[cfg(test)]
mod tests {
    use fhir_definitions::FhirVersion;
    use fhir_definitions::document::Document;

    use super::*;

    /// The verdict on the committed document after a change to it.
    fn verdict(change: impl FnOnce(&mut Document)) -> Result<(), String> {
        let committed = std::fs::read(super::super::target_of(FhirVersion::R4)).unwrap();
        let mut document = Document::from_zstd(&committed).unwrap();
        change(&mut document);
        verify(&Definitions::from_document(document).unwrap()).map_err(|error| format!("{error:#}"))
    }

    fn definition<'a>(document: &'a mut Document, name: &str) -> &'a mut TypeDefinition {
        document.types.iter_mut().find(|definition| definition.name == name).unwrap()
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        let error =
            verdict(|document| definition(document, "Patient").elements[1].types[0].code = "Mete".to_owned());
        assert_eq!(error, Err("Patient: meta is of the unknown type Mete".to_owned()));

        for (base, what) in [("Thing", "the unknown type Thing"), ("Basic", "itself")] {
            let error = verdict(|document| definition(document, "Basic").base = Some(base.to_owned()));
            assert_eq!(error, Err(format!("Basic specialises {what}")));
        }

        let error = verdict(|document| {
            let parameters = document.compartments[0].members.get_mut("Basic").unwrap();
            parameters[0].paths = vec!["code".to_owned()];
        });
        assert_eq!(error, Err("Basic.code is no reference to a Patient".to_owned()));

        let error = verdict(|document| {
            let elements = &mut definition(document, "Bundle").elements;
            let entry = elements.iter_mut().find(|element| element.name == "entry").unwrap();
            let link = entry.children.iter_mut().find(|element| element.name == "link").unwrap();
            link.content_reference = Some("Bundle.links".to_owned());
        });
        assert!(
            error.is_err_and(|error| error.ends_with("has the content of Bundle.links, which is unknown"))
        );
    }
}
