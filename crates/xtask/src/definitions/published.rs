//! What was published, per FHIR version: a row each. A document that differs is not written.

use anyhow::{Context, Result, ensure};
use fhir_definitions::document::Document;
use fhir_definitions::{Definitions, Element, FhirVersion, TypeDefinition, TypeKind};

/// The files to read and the numbers that they must give.
///
/// The numbers of types are also those of the code systems that are published with each version, `resource-types` and
/// `data-types` (which counts primitives and two profiles in), in R5 `fhir-types`; that of the compartment is counted
/// in its table, <https://hl7.org/fhir/R4/compartmentdefinition-patient.html>, `…/R4B/…` and `…/R5/…`.
pub struct Published {
    /// The version.
    pub version: FhirVersion,
    /// The names of the published files, or patterns of names.
    pub files: &'static [&'static str],
    /// Resource types, with the abstract ones (Resource, DomainResource, …).
    resources: usize,
    /// Data types, with the abstract ones, without profiles on them.
    data_types: usize,
    primitives: usize,
    /// Elements of Meta, `id` and `extension` included. Sources that add elements of their own show here first.
    meta_elements: usize,
    /// Types of the Patient compartment, Patient included.
    patient_compartment: usize,
}

const PUBLISHED: &[Published] = &[
    Published {
        version: FhirVersion::R4,
        files: &["profiles-resources.xml", "profiles-types.xml", "search-parameters.json"],
        resources: 148,
        data_types: 41,
        primitives: 20,
        meta_elements: 8,
        patient_compartment: 66,
    },
    Published {
        version: FhirVersion::R4B,
        files: &["profiles-resources.xml", "profiles-types.xml", "search-parameters.xml"],
        resources: 143,
        data_types: 42,
        primitives: 20,
        meta_elements: 8,
        patient_compartment: 66,
    },
    Published {
        version: FhirVersion::R5,
        files: &[
            "CompartmentDefinition-patient.json",
            "SearchParameter-*.json",
            "StructureDefinition-*.json",
        ],
        resources: 162,
        data_types: 48,
        primitives: 21,
        meta_elements: 8,
        patient_compartment: 73,
    },
];

impl Published {
    /// The row of a version.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(version: FhirVersion) -> Result<&'static Self> {
        PUBLISHED
            .iter()
            .find(|row| row.version == version)
            .with_context(|| format!("it is not known here what was published for {version}: add a row"))
    }

    /// Fails where the document is not what was published, or refers to what it does not have.
    pub fn verify(&self, document: Document) -> Result<()> {
        let definitions = Definitions::from_document(document)?;
        self.verify_counts(&definitions)?;
        for definition in definitions.types() {
            verify_base(&definitions, definition)?;
            verify_elements(&definitions, &definition.elements).with_context(|| definition.name.clone())?;
        }
        verify_compartment(&definitions)
    }

    fn verify_counts(&self, definitions: &Definitions) -> Result<()> {
        let of_kind = |kind| definitions.types().iter().filter(|definition| definition.kind == kind).count();
        let meta = definitions.definition("Meta").map_or(0, |meta| meta.elements.len());
        for (what, expected, found) in [
            ("resource types", self.resources, of_kind(TypeKind::Resource)),
            ("data types", self.data_types, of_kind(TypeKind::DataType)),
            ("primitive types", self.primitives, of_kind(TypeKind::Primitive)),
            ("elements of Meta", self.meta_elements, meta),
            (
                "types of the Patient compartment",
                self.patient_compartment,
                definitions.patient_compartment().types().len(),
            ),
        ] {
            ensure!(expected == found, "{} has {expected} {what}, the source {found}", self.version);
        }
        Ok(())
    }
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
    use super::*;

    /// The verdict on the committed document of a version after a change to it.
    fn verdict_on(version: FhirVersion, change: impl FnOnce(&mut Document)) -> Result<(), String> {
        let committed = std::fs::read(super::super::target_of(version)).unwrap();
        let mut document = Document::from_zstd(&committed).unwrap();
        change(&mut document);
        Published::of(version).unwrap().verify(document).map_err(|error| format!("{error:#}"))
    }

    fn verdict(change: impl FnOnce(&mut Document)) -> Result<(), String> {
        verdict_on(FhirVersion::R4, change)
    }

    fn elements<'a>(document: &'a mut Document, name: &str) -> &'a mut Vec<Element> {
        &mut document.types.iter_mut().find(|definition| definition.name == name).unwrap().elements
    }

    #[test]
    fn the_committed_documents_are_what_was_published() {
        for version in FhirVersion::ALL {
            assert_eq!(verdict_on(*version, |_| {}), Ok(()), "{version}");
        }
    }

    #[test]
    fn an_element_that_a_source_adds_to_meta_is_refused() {
        let error = verdict(|document| {
            let meta = elements(document, "Meta");
            let added = Element { name: "project".to_owned(), ..meta[3].clone() };
            meta.push(added);
        });
        assert_eq!(error, Err("R4 has 8 elements of Meta, the source 9".to_owned()));
    }

    #[test]
    fn a_type_too_many_in_the_patient_compartment_is_refused() {
        let error = verdict(|document| {
            document.compartments[0].members.insert("Task".to_owned(), Vec::new());
        });
        assert_eq!(error, Err("R4 has 66 types of the Patient compartment, the source 67".to_owned()));
    }

    #[test]
    fn a_missing_resource_type_is_refused() {
        let error = verdict(|document| document.types.retain(|definition| definition.name != "Basic"));
        assert_eq!(error, Err("R4 has 148 resource types, the source 147".to_owned()));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        let error = verdict(|document| elements(document, "Patient")[1].types[0].code = "Mete".to_owned());
        assert_eq!(error, Err("Patient: meta is of the unknown type Mete".to_owned()));

        for (base, what) in [("Thing", "the unknown type Thing"), ("Basic", "itself")] {
            let error = verdict(|document| {
                let basic = document.types.iter_mut().find(|definition| definition.name == "Basic").unwrap();
                basic.base = Some(base.to_owned());
            });
            assert_eq!(error, Err(format!("Basic specialises {what}")));
        }

        let error = verdict(|document| {
            let parameters = document.compartments[0].members.get_mut("Basic").unwrap();
            parameters[0].paths = vec!["code".to_owned()];
        });
        assert_eq!(error, Err("Basic.code is no reference to a Patient".to_owned()));

        let error = verdict(|document| {
            let link =
                elements(document, "Bundle").iter_mut().find(|element| element.name == "entry").unwrap();
            let link = link.children.iter_mut().find(|element| element.name == "link").unwrap();
            link.content_reference = Some("Bundle.links".to_owned());
        });
        assert!(
            error.is_err_and(|error| error.ends_with("has the content of Bundle.links, which is unknown"))
        );
    }
}
