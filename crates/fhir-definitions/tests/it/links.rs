//! Whatever the data refers to is in it.

use std::collections::{BTreeSet, HashSet};

use fhir_definitions::{Definitions, Element, FhirVersion, TypeKind};

fn every_version() -> impl Iterator<Item = &'static Definitions> {
    FhirVersion::ALL.iter().map(|version| Definitions::of(*version))
}

/// Calls `visit` with the path of every element of every type of a version, and the element.
fn each_element(definitions: &Definitions, visit: &mut dyn FnMut(&str, &Element)) {
    fn walk(path: &str, elements: &[Element], visit: &mut dyn FnMut(&str, &Element)) {
        for element in elements {
            let path = format!("{path}.{}", element.name);
            visit(&path, element);
            walk(&path, &element.children, visit);
        }
    }
    for definition in definitions.types() {
        walk(&definition.name, &definition.elements, visit);
    }
}

#[test]
fn every_type_and_every_target_has_a_definition() {
    for definitions in every_version() {
        let mut checked = 0;
        each_element(definitions, &mut |path, element| {
            for type_ref in &element.types {
                assert!(definitions.definition(&type_ref.code).is_some(), "{path}: {}", type_ref.code);
                for target in &type_ref.targets {
                    let target = definitions.definition(target);
                    assert!(
                        target.is_some_and(|found| found.kind == TypeKind::Resource),
                        "{path}: {target:?}"
                    );
                    checked += 1;
                }
            }
        });
        assert!(checked > 1_000, "{checked}");
    }
}

#[test]
fn every_content_reference_leads_to_an_element_with_children() {
    for (version, expected) in [(FhirVersion::R4, 55), (FhirVersion::R4B, 58), (FhirVersion::R5, 78)] {
        let definitions = Definitions::of(version);
        let mut references = 0;
        each_element(definitions, &mut |path, element| {
            if let Some(target) = &element.content_reference {
                references += 1;
                assert!(element.types.is_empty() && element.children.is_empty(), "{path}");
                let found =
                    definitions.element(target).unwrap_or_else(|| panic!("{path}: {target} leads nowhere"));
                assert!(!found.children.is_empty(), "{path}: {target}");
            } else {
                assert!(!element.types.is_empty(), "{path}");
            }
        });
        assert_eq!(references, expected, "{version}");
    }
}

#[test]
fn only_elements_defined_in_place_have_children() {
    for definitions in every_version() {
        each_element(definitions, &mut |path, element| {
            let in_place = matches!(element.types.as_slice(), [only] if ["BackboneElement", "Element"].contains(&only.code.as_str()));
            assert_eq!(!element.children.is_empty(), in_place, "{path}");
        });
    }
}

#[test]
fn of_the_abstract_types_elements_have_only_those_that_json_fills() {
    for definitions in every_version() {
        let mut found = BTreeSet::new();
        each_element(definitions, &mut |_, element| {
            let types = element.types.iter().map(|type_ref| type_ref.code.as_str());
            found.extend(
                types
                    .filter(|code| definitions.definition(code).is_some_and(|d| d.is_abstract))
                    .map(str::to_owned),
            );
        });
        // An element in place has its own children, and a resource says its type itself.
        assert_eq!(found.iter().collect::<Vec<_>>(), ["BackboneElement", "Element", "Resource"]);
    }
}

#[test]
fn no_two_elements_share_a_json_name() {
    fn check(path: &str, elements: &[Element]) {
        let mut names = HashSet::new();
        for element in elements {
            let own = element.json_names().into_iter().map(|(name, _)| name);
            let own: Vec<String> =
                if element.content_reference.is_some() { vec![element.name.clone()] } else { own.collect() };
            for name in own {
                assert!(names.insert(name.clone()), "{path}.{name}");
            }
            check(&format!("{path}.{}", element.name), &element.children);
        }
    }
    for definition in every_version().flat_map(Definitions::types) {
        check(&definition.name, &definition.elements);
    }
}

#[test]
fn a_path_goes_on_inside_data_types_and_behind_content_references() {
    let r4 = Definitions::r4();
    let code_of = |path: &str| r4.element(path).map(|element| element.types[0].code.as_str());
    assert_eq!(code_of("Patient.contact.name.period.start"), Some("dateTime"));
    assert_eq!(code_of("Questionnaire.item.item.item.linkId"), Some("string"));
    assert_eq!(code_of("Observation.value"), Some("Quantity"));
    for nowhere in [
        "",
        "Patient",
        "Patient.",
        "Patient.nme",
        "Nothing.id",
        "Observation.value.unit",
        "Patient.birthDate.day",
    ] {
        assert!(r4.element(nowhere).is_none(), "{nowhere}");
    }
}
