//! How many there are of each, as published: a source that adds or lacks something shows here.

use fhir_definitions::{Definitions, FhirVersion, TypeKind};

fn count(kind: TypeKind) -> usize {
    Definitions::r4().types().iter().filter(|definition| definition.kind == kind).count()
}

#[test]
fn r4_has_the_published_number_of_types() {
    assert_eq!(count(TypeKind::Resource), 148);
    assert_eq!(count(TypeKind::DataType), 41);
    assert_eq!(count(TypeKind::Primitive), 20);
}

#[test]
fn the_abstract_types_are_no_resource_types() {
    let r4 = Definitions::r4();
    assert_eq!(r4.resource_types().len(), 146);
    assert!(r4.resource_types().is_sorted());
    for name in ["Resource", "DomainResource", "HumanName", "string", "patient", "", "MetadataResource"] {
        assert!(!r4.is_resource(name), "{name}");
    }
    assert!(r4.is_resource("Patient") && r4.is_resource("Account") && r4.is_resource("VisionPrescription"));
    let mut of_nothing: Vec<_> =
        r4.types().iter().filter(|definition| definition.is_abstract).map(|d| d.name.as_str()).collect();
    of_nothing.sort_unstable();
    assert_eq!(of_nothing, ["BackboneElement", "DomainResource", "Element", "Resource"]);
}

#[test]
fn a_profile_on_a_type_is_no_type() {
    for name in ["SimpleQuantity", "MoneyQuantity"] {
        assert!(Definitions::r4().definition(name).is_none(), "{name}");
    }
}

#[test]
fn meta_has_no_element_that_is_not_published() {
    let meta = Definitions::r4().definition("Meta").unwrap();
    let names: Vec<_> = meta.elements.iter().map(|element| element.name.as_str()).collect();
    assert_eq!(
        names,
        ["id", "extension", "versionId", "lastUpdated", "source", "profile", "security", "tag"]
    );
}

#[test]
fn the_patient_compartment_is_the_published_one() {
    let compartment = Definitions::r4().patient_compartment();
    assert_eq!(compartment.code, "Patient");
    assert_eq!(compartment.types().len(), 66);
    assert!(compartment.contains("Patient"));
    for outside in ["Task", "Organization", "Practitioner", "Medication", "Location", "Device"] {
        assert!(!compartment.contains(outside), "{outside}");
    }
    let lines: Vec<String> = compartment
        .types()
        .map(|name| format!("{name}: {}", compartment.paths(name).collect::<Vec<_>>().join(", ")))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_definitions_of_every_version_can_be_read() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(*version);
        assert_eq!(definitions.version(), *version);
        assert!(definitions.sources().iter().all(|source| source.sha256.len() == 64));
        assert!(!definitions.sources().is_empty());
    }
    assert!(std::ptr::eq(Definitions::of(FhirVersion::R4), Definitions::r4()));
}

#[test]
fn the_embedded_file_stays_small() {
    // What every process that links the crate carries and reads once.
    assert!(include_bytes!("../../data/r4.json.zst").len() < 300_000);
}
