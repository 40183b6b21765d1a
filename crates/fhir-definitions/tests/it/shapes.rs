//! The trees of elements, as the specification shows them.

use fhir_definitions::{Definitions, Element, FhirVersion, TypeKind};

use crate::tree;

fn tree_of(version: FhirVersion, name: &str) -> String {
    tree::of(Definitions::of(version).definition(name).expect("the version defines the type"))
}

#[test]
fn patient() {
    insta::assert_snapshot!(tree_of(FhirVersion::R4, "Patient"));
}

#[test]
fn observation() {
    insta::assert_snapshot!(tree_of(FhirVersion::R4, "Observation"));
}

#[test]
fn r4b_patient() {
    insta::assert_snapshot!(tree_of(FhirVersion::R4B, "Patient"));
}

#[test]
fn r5_observation() {
    insta::assert_snapshot!(tree_of(FhirVersion::R5, "Observation"));
}

#[test]
fn r5_encounter() {
    insta::assert_snapshot!(tree_of(FhirVersion::R5, "Encounter"));
}

#[test]
fn r5_data_types() {
    let types = ["Attachment", "Availability", "CodeableReference", "RatioRange", "integer64", "Base"];
    insta::assert_snapshot!(types.map(|name| tree_of(FhirVersion::R5, name)).concat());
}

#[test]
fn every_resource_begins_with_what_it_inherits() {
    let names =
        |elements: &[Element]| elements.iter().map(|element| element.name.clone()).collect::<Vec<_>>();
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(*version);
        let resource = names(&definitions.definition("Resource").unwrap().elements);
        let domain_resource = names(&definitions.definition("DomainResource").unwrap().elements);
        assert_eq!(resource, ["id", "meta", "implicitRules", "language"]);
        let beyond = ["text", "contained", "extension", "modifierExtension"];
        assert_eq!(domain_resource, [resource.as_slice(), &beyond.map(str::to_owned)].concat());
        for name in definitions.resource_types() {
            let own = names(&definitions.definition(name).unwrap().elements);
            // The three resource types that are no DomainResource.
            let inherited = match name.as_str() {
                "Binary" | "Bundle" | "Parameters" => &resource,
                _ => &domain_resource,
            };
            assert!(own.starts_with(inherited), "{version} {name}: {own:?}");
        }
    }
}

#[test]
fn the_value_of_an_observation_has_eleven_names() {
    let value = Definitions::r4().element("Observation.value").unwrap();
    let names: Vec<String> = value.json_names().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "valueQuantity",
            "valueCodeableConcept",
            "valueString",
            "valueBoolean",
            "valueInteger",
            "valueRange",
            "valueRatio",
            "valueSampledData",
            "valueTime",
            "valueDateTime",
            "valuePeriod",
        ]
    );
}

/// The choices of so many types, with how many these are.
fn choices(version: FhirVersion, at_least: usize) -> Vec<(String, usize)> {
    fn walk(path: &str, elements: &[Element], at_least: usize, found: &mut Vec<(String, usize)>) {
        for element in elements {
            let path = format!("{path}.{}", element.name);
            if element.types.len() >= at_least {
                found.push((path.clone(), element.types.len()));
            }
            walk(&path, &element.children, at_least, found);
        }
    }
    let mut found = Vec::new();
    for definition in Definitions::of(version).types() {
        walk(&definition.name, &definition.elements, at_least, &mut found);
    }
    found
}

#[test]
fn open_choices_list_all_their_types() {
    let found = choices(FhirVersion::R4, 20);
    assert!(found.iter().all(|(_, types)| *types == 50), "{found:?}");
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "ElementDefinition.defaultValue",
            "ElementDefinition.fixed",
            "ElementDefinition.pattern",
            "ElementDefinition.example.value",
            "Extension.value",
            "Parameters.parameter.value",
            "StructureMap.group.rule.source.defaultValue",
            "Task.input.value",
            "Task.output.value",
        ]
    );
}

#[test]
fn no_choice_is_nearly_open() {
    for (version, open) in [(FhirVersion::R4, 9), (FhirVersion::R4B, 9), (FhirVersion::R5, 10)] {
        let found = choices(version, 20);
        assert_eq!(found.len(), open, "{version}: {found:?}");
        assert!(found.iter().all(|(_, types)| *types >= 50), "{version}: {found:?}");
    }
}

#[test]
fn every_primitive_but_xhtml_has_a_regular_expression() {
    for version in FhirVersion::ALL {
        let without: Vec<_> = Definitions::of(*version)
            .types()
            .iter()
            .filter(|definition| definition.kind == TypeKind::Primitive)
            .filter(|definition| definition.regex.is_none())
            .map(|definition| definition.name.as_str())
            .collect();
        assert_eq!(without, ["xhtml"], "{version}");
        let id = Definitions::of(*version).definition("id").unwrap();
        assert_eq!(id.regex.as_deref(), Some(r"[A-Za-z0-9\-\.]{1,64}"), "{version}");
    }
}

#[test]
fn a_type_of_fhirpath_is_given_as_the_fhir_primitive() {
    for (version, path, code) in [
        (FhirVersion::R4, "Patient.id", "string"),
        (FhirVersion::R4, "HumanName.id", "string"),
        (FhirVersion::R4, "Extension.url", "uri"),
        (FhirVersion::R4, "Element.id", "string"),
        (FhirVersion::R4B, "Patient.id", "id"),
        (FhirVersion::R5, "Patient.id", "id"),
        (FhirVersion::R5, "Extension.url", "uri"),
        (FhirVersion::R5, "integer64.value", "integer64"),
    ] {
        let element = Definitions::of(version).element(path).unwrap();
        assert_eq!(element.types[0].code, code, "{version} {path}");
    }
}
