//! The trees of elements, as the specification shows them.

use fhir_definitions::{Definitions, Element};

use crate::tree;

fn tree_of(name: &str) -> String {
    tree::of(Definitions::r4().definition(name).expect("R4 defines the type"))
}

#[test]
fn patient() {
    insta::assert_snapshot!(tree_of("Patient"));
}

#[test]
fn observation() {
    insta::assert_snapshot!(tree_of("Observation"));
}

#[test]
fn every_resource_begins_with_what_it_inherits() {
    let r4 = Definitions::r4();
    let names =
        |elements: &[Element]| elements.iter().map(|element| element.name.clone()).collect::<Vec<_>>();
    let resource = names(&r4.definition("Resource").unwrap().elements);
    let domain_resource = names(&r4.definition("DomainResource").unwrap().elements);
    assert_eq!(resource, ["id", "meta", "implicitRules", "language"]);
    let beyond = ["text", "contained", "extension", "modifierExtension"];
    assert_eq!(domain_resource, [resource.as_slice(), &beyond.map(str::to_owned)].concat());
    for name in r4.resource_types() {
        let own = names(&r4.definition(name).unwrap().elements);
        // The three resource types that are no DomainResource.
        let inherited = match name.as_str() {
            "Binary" | "Bundle" | "Parameters" => &resource,
            _ => &domain_resource,
        };
        assert!(own.starts_with(inherited), "{name}: {own:?}");
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

#[test]
fn open_choices_list_all_fifty_types() {
    fn walk(path: &str, elements: &[Element], found: &mut Vec<String>) {
        for element in elements {
            let path = format!("{path}.{}", element.name);
            // No choice in between: the widest other has fewer than half as many.
            if element.types.len() > 20 {
                assert_eq!(element.types.len(), 50, "{path}");
                found.push(path.clone());
            }
            walk(&path, &element.children, found);
        }
    }
    let mut found = Vec::new();
    for definition in Definitions::r4().types() {
        walk(&definition.name, &definition.elements, &mut found);
    }
    assert_eq!(
        found,
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
fn every_primitive_but_xhtml_has_a_regular_expression() {
    let without: Vec<_> = Definitions::r4()
        .types()
        .iter()
        .filter(|definition| definition.kind == fhir_definitions::TypeKind::Primitive)
        .filter(|definition| definition.regex.is_none())
        .map(|definition| definition.name.as_str())
        .collect();
    assert_eq!(without, ["xhtml"]);
    let id = Definitions::r4().definition("id").unwrap();
    assert_eq!(id.regex.as_deref(), Some(r"[A-Za-z0-9\-\.]{1,64}"));
}

#[test]
fn a_type_of_fhirpath_is_given_as_the_fhir_primitive() {
    let r4 = Definitions::r4();
    for (path, code) in [
        ("Patient.id", "string"),
        ("HumanName.id", "string"),
        ("Extension.url", "uri"),
        ("Element.id", "string"),
    ] {
        assert_eq!(r4.element(path).unwrap().types[0].code, code, "{path}");
    }
}
