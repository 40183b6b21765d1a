//! What has to hold beyond the shape, as the specification shows it.

use fhir_definitions::{Constraint, Definitions, Element, FhirVersion, Severity};

/// Calls `visit` with every constraint that is defined on a type or on an element of it.
fn each_constraint<'a>(definitions: &'a Definitions, visit: &mut dyn FnMut(&'a Constraint)) {
    fn walk<'a>(elements: &'a [Element], visit: &mut dyn FnMut(&'a Constraint)) {
        for element in elements {
            element.constraints.iter().for_each(&mut *visit);
            walk(&element.children, visit);
        }
    }
    for definition in definitions.types() {
        definition.constraints.iter().for_each(&mut *visit);
        walk(&definition.elements, visit);
    }
}

fn keys<'a>(constraints: impl IntoIterator<Item = &'a Constraint>) -> Vec<&'a str> {
    constraints.into_iter().map(|constraint| constraint.key.as_str()).collect()
}

#[test]
fn each_version_has_the_published_constraints_once() {
    for (version, errors, warnings) in
        [(FhirVersion::R4, 205, 34), (FhirVersion::R4B, 214, 174), (FhirVersion::R5, 285, 96)]
    {
        let mut found = (0, 0);
        each_constraint(Definitions::of(version), &mut |constraint| match constraint.severity {
            Severity::Error => found.0 += 1,
            Severity::Warning => found.1 += 1,
        });
        assert_eq!(found, (errors, warnings), "{version}");
    }
}

#[test]
fn every_constraint_has_a_key_an_expression_and_words() {
    for version in FhirVersion::ALL {
        each_constraint(Definitions::of(*version), &mut |constraint| {
            let texts = [&constraint.key, &constraint.expression, &constraint.human];
            assert!(texts.iter().all(|text| !text.trim().is_empty()), "{version}: {constraint:?}");
        });
    }
}

#[test]
fn an_observation_has_the_published_expressions() {
    for version in FhirVersion::ALL {
        let observation = Definitions::of(*version).definition("Observation").unwrap();
        let obs_6 = &observation.constraints[0];
        assert_eq!(obs_6.key, "obs-6", "{version}");
        assert_eq!(obs_6.severity, Severity::Error, "{version}");
        assert_eq!(obs_6.expression, "dataAbsentReason.empty() or value.empty()", "{version}");
        assert_eq!(
            obs_6.human, "dataAbsentReason SHALL only be present if Observation.value[x] is not present",
            "{version}"
        );
    }
    let r5 = Definitions::of(FhirVersion::R5).definition("Observation").unwrap();
    assert_eq!(keys(&r5.constraints), ["obs-6", "obs-7", "obs-8"]);
}

#[test]
fn a_constraint_on_an_element_stands_on_that_element() {
    for version in FhirVersion::ALL {
        let contact = Definitions::of(*version).element("Patient.contact").unwrap();
        let expression = "name.exists() or telecom.exists() or address.exists() or organization.exists()";
        assert_eq!(keys(&contact.constraints), ["pat-1"], "{version}");
        assert_eq!(contact.constraints[0].expression, expression, "{version}");
    }
}

#[test]
fn what_holds_of_every_element_is_defined_once() {
    for version in FhirVersion::ALL {
        let mut everywhere = Vec::new();
        each_constraint(Definitions::of(*version), &mut |constraint| {
            if constraint.key.starts_with("ele-") || constraint.key.starts_with("ext-") {
                everywhere.push(constraint.key.as_str());
            }
        });
        assert_eq!(everywhere, ["ele-1", "ext-1"], "{version}");
    }
}

#[test]
fn a_type_has_the_constraints_of_what_it_specialises() {
    const DOMAIN: [&str; 5] = ["dom-2", "dom-3", "dom-4", "dom-5", "dom-6"];
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(*version);
        for name in definitions.resource_types() {
            let keys = keys(definitions.constraints_of(name));
            let is_domain = !["Binary", "Bundle", "Parameters"].contains(&name.as_str());
            assert_eq!(keys.ends_with(&DOMAIN), is_domain, "{version} {name}: {keys:?}");
        }
        for (name, expected) in [
            ("Extension", &["ext-1", "ele-1"][..]),
            ("Age", &["age-1", "qty-3", "ele-1"]),
            ("code", &["ele-1"]),
            ("BackboneElement", &["ele-1"]),
            ("Nothing", &[]),
        ] {
            assert_eq!(keys(definitions.constraints_of(name)), expected, "{version} {name}");
        }
    }
}

#[test]
fn the_types_end_at_the_abstract_ones() {
    let bases = |version, name| {
        let types = Definitions::of(version).with_base_types(name);
        types.map(|definition| definition.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(bases(FhirVersion::R4, "Patient"), ["Patient", "DomainResource", "Resource"]);
    assert_eq!(bases(FhirVersion::R4, "code"), ["code", "string", "Element"]);
    assert_eq!(
        bases(FhirVersion::R5, "code"),
        ["code", "string", "PrimitiveType", "DataType", "Element", "Base"]
    );
    assert_eq!(
        bases(FhirVersion::R5, "Questionnaire"),
        ["Questionnaire", "DomainResource", "Resource", "Base"]
    );
    assert!(bases(FhirVersion::R5, "Nothing").is_empty());
}

#[test]
fn no_type_has_two_constraints_of_one_key() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(*version);
        for definition in definitions.types() {
            let mut keys = keys(definitions.constraints_of(&definition.name));
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all, "{version} {}", definition.name);
        }
    }
}
