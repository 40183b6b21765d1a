//! How many there are of each, as published: a source that adds or lacks something shows here.

use fhir_definitions::{Definitions, FhirVersion, TypeKind};

fn count(version: FhirVersion, kind: TypeKind) -> usize {
    Definitions::of(version).types().iter().filter(|definition| definition.kind == kind).count()
}

#[test]
fn each_version_has_the_published_number_of_types() {
    for (version, resources, data_types, primitives) in
        [(FhirVersion::R4, 148, 41, 20), (FhirVersion::R4B, 143, 42, 20), (FhirVersion::R5, 162, 48, 21)]
    {
        assert_eq!(count(version, TypeKind::Resource), resources, "{version}");
        assert_eq!(count(version, TypeKind::DataType), data_types, "{version}");
        assert_eq!(count(version, TypeKind::Primitive), primitives, "{version}");
    }
}

#[test]
fn the_abstract_types_are_no_resource_types() {
    const R4: &[&str] = &["BackboneElement", "DomainResource", "Element", "Resource"];
    const R5: &[&str] = &[
        "BackboneElement",
        "BackboneType",
        "Base",
        "CanonicalResource",
        "DataType",
        "DomainResource",
        "Element",
        "MetadataResource",
        "PrimitiveType",
        "Resource",
    ];
    for (version, resource_types, of_nothing) in
        [(FhirVersion::R4, 146, R4), (FhirVersion::R4B, 141, R4), (FhirVersion::R5, 158, R5)]
    {
        let definitions = Definitions::of(version);
        assert_eq!(definitions.resource_types().len(), resource_types, "{version}");
        assert!(definitions.resource_types().is_sorted(), "{version}");
        for name in ["HumanName", "string", "patient", "", "MetadataResource"].iter().chain(of_nothing) {
            assert!(!definitions.is_resource(name), "{version} {name}");
        }
        for name in ["Patient", "Account", "VisionPrescription"] {
            assert!(definitions.is_resource(name), "{version} {name}");
        }
        let found: Vec<_> = definitions
            .types()
            .iter()
            .filter(|definition| definition.is_abstract)
            .map(|definition| definition.name.as_str())
            .collect();
        assert_eq!(found, of_nothing, "{version}");
    }
}

#[test]
fn a_profile_on_a_type_is_no_type() {
    for version in FhirVersion::ALL {
        for name in ["SimpleQuantity", "MoneyQuantity", "vitalsigns"] {
            assert!(Definitions::of(*version).definition(name).is_none(), "{version} {name}");
        }
    }
}

#[test]
fn meta_has_no_element_that_is_not_published() {
    for version in FhirVersion::ALL {
        let meta = Definitions::of(*version).definition("Meta").unwrap();
        let names: Vec<_> = meta.elements.iter().map(|element| element.name.as_str()).collect();
        assert_eq!(
            names,
            ["id", "extension", "versionId", "lastUpdated", "source", "profile", "security", "tag"],
            "{version}"
        );
    }
}

/// The types of a version's compartment, a line each with the paths to the patient.
fn patient_compartment(version: FhirVersion) -> String {
    let compartment = Definitions::of(version).patient_compartment();
    assert_eq!(compartment.code, "Patient");
    assert!(compartment.contains("Patient"));
    for outside in ["Organization", "Practitioner", "Medication", "Location", "Device"] {
        assert!(!compartment.contains(outside), "{version} {outside}");
    }
    let lines: Vec<String> = compartment
        .types()
        .map(|name| format!("{name}: {}", compartment.paths(name).collect::<Vec<_>>().join(", ")))
        .collect();
    lines.join("\n")
}

#[test]
fn the_patient_compartment_is_the_published_one() {
    let lines = patient_compartment(FhirVersion::R4);
    assert_eq!(lines.lines().count(), 66);
    insta::assert_snapshot!(lines);
}

#[test]
fn the_patient_compartment_of_r5_has_types_of_its_own() {
    assert_eq!(patient_compartment(FhirVersion::R4B).lines().count(), 66);
    let lines = patient_compartment(FhirVersion::R5);
    assert_eq!(lines.lines().count(), 73);
    insta::assert_snapshot!(lines);
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
fn the_embedded_files_stay_small() {
    // What every process that links the crate carries; each is read once, by who asks for its version.
    for file in [
        &include_bytes!("../../data/r4.json.zst")[..],
        include_bytes!("../../data/r4b.json.zst"),
        include_bytes!("../../data/r5.json.zst"),
    ] {
        assert!(file.len() < 150_000, "{}", file.len());
    }
}
