//! The codes of `required` bindings, as the specification lists them.

use std::collections::BTreeSet;

use fhir_definitions::{Binding, CodeSet, Definitions, Element, FhirVersion};

/// The `required` bindings of a version, with the codes of the types that they are on.
fn required(definitions: &Definitions) -> Vec<(&Binding, Vec<&str>)> {
    fn walk<'a>(elements: &'a [Element], found: &mut Vec<(&'a Binding, Vec<&'a str>)>) {
        for element in elements {
            if let Some(binding) = element.binding.as_ref().filter(|binding| binding.strength == "required") {
                let types = element.types.iter().map(|type_ref| type_ref.code.as_str()).collect();
                found.push((binding, types));
            }
            walk(&element.children, found);
        }
    }
    let mut found = Vec::new();
    definitions.types().iter().for_each(|definition| walk(&definition.elements, &mut found));
    found
}

fn value_set(name: &str) -> String {
    format!("http://hl7.org/fhir/ValueSet/{name}")
}

/// The codes of the only system that a value set has codes of.
fn codes(set: &CodeSet) -> &[String] {
    assert_eq!(set.systems.len(), 1, "{}", set.value_set);
    set.systems.values().next().expect("there is one")
}

#[test]
fn each_version_has_the_codes_of_nearly_all_required_bindings() {
    for (version, sets, codes) in
        [(FhirVersion::R4, 220, 2066), (FhirVersion::R4B, 227, 2097), (FhirVersion::R5, 245, 2542)]
    {
        let found = Definitions::of(version).code_sets();
        assert_eq!(found.len(), sets, "{version}");
        assert_eq!(
            found.iter().flat_map(|set| set.systems.values()).map(Vec::len).sum::<usize>(),
            codes,
            "{version}"
        );
        assert!(found.iter().flat_map(|set| set.systems.values()).all(|codes| codes.is_sorted()));
    }
}

#[test]
fn a_patient_has_one_of_four_genders() {
    for version in FhirVersion::ALL {
        let gender = Definitions::of(*version).code_set(&value_set("administrative-gender")).unwrap();
        assert_eq!(codes(gender), ["female", "male", "other", "unknown"], "{version}");
        assert!(gender.contains_coded("http://hl7.org/fhir/administrative-gender", "male"), "{version}");
        for code in ["Male", "m", "", "malemale"] {
            assert!(!gender.contains(code), "{version} {code}");
        }
    }
}

#[test]
fn an_observation_has_one_of_the_published_states() {
    for version in FhirVersion::ALL {
        let status = Definitions::of(*version).code_set(&value_set("observation-status")).unwrap();
        // The code `corrected` stands below `amended`.
        assert_eq!(
            codes(status),
            [
                "amended",
                "cancelled",
                "corrected",
                "entered-in-error",
                "final",
                "preliminary",
                "registered",
                "unknown"
            ],
            "{version}"
        );
    }
}

#[test]
fn a_set_may_have_codes_of_several_systems() {
    let r4 = Definitions::r4();
    let types = r4.code_set(&value_set("all-types")).unwrap();
    assert!(types.contains_coded("http://hl7.org/fhir/resource-types", "Patient"));
    assert!(types.contains_coded("http://hl7.org/fhir/data-types", "HumanName"));
    assert!(!types.contains_coded("http://hl7.org/fhir/data-types", "Patient"));
    assert!(types.contains("Patient") && types.contains("HumanName"));
}

#[test]
fn the_version_behind_a_value_set_is_not_looked_at() {
    let r5 = Definitions::of(FhirVersion::R5);
    let plain = r5.code_set(&value_set("encounter-status")).unwrap();
    let versioned = r5.code_set(&value_set("encounter-status|5.0.0")).unwrap();
    assert!(std::ptr::eq(plain, versioned));
    assert!(r5.code_set(&value_set("encounter-statu")).is_none() && r5.code_set("").is_none());
}

#[test]
fn the_types_of_a_version_are_the_codes_of_its_own_value_sets() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(*version);
        let resource_types = definitions.code_set(&value_set("resource-types")).unwrap();
        assert!(definitions.resource_types().iter().all(|name| resource_types.contains(name)), "{version}");
    }
    let r5 = Definitions::of(FhirVersion::R5);
    let all = codes(r5.code_set(&value_set("fhir-types")).unwrap());
    assert!(r5.types().iter().map(|definition| &definition.name).eq(all));
}

#[test]
fn only_codes_and_what_holds_codes_are_bound() {
    for version in FhirVersion::ALL {
        for (binding, types) in required(Definitions::of(*version)) {
            let coded = ["code", "Coding", "CodeableConcept"];
            assert!(types.iter().all(|code| coded.contains(code)), "{version} {binding:?}: {types:?}");
        }
    }
}

#[test]
fn the_readme_names_the_value_sets_without_codes() {
    let readme = include_str!("../../README.md");
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(*version);
        let required = required(definitions);
        let bound = required.iter().filter_map(|(binding, _)| binding.value_set.as_deref());
        let without: BTreeSet<_> = bound.filter(|url| definitions.code_set(url).is_none()).collect();
        let row =
            readme.lines().find(|line| line.starts_with(&format!("| {version} without codes |"))).unwrap();
        let mut named = row.matches('`').count() / 2;
        for url in without {
            let url = url.split('|').next().unwrap();
            let name = url.strip_prefix(&value_set("")).unwrap_or(url);
            assert!(row.contains(&format!("`{name}`")), "{version}: {name}");
            named -= 1;
        }
        assert_eq!(named, 0, "{row}");
    }
}
