//! Resources with every element that the definitions have, for every resource type.

use arrow_array::Array as _;
use fhir_definitions::{Definitions, FhirVersion};

use crate::writer::{Choices, Writer};
use crate::{assert_round_trip, every_resource_type, schema_of};

#[test]
fn every_element_of_every_type_has_its_column() {
    for (version, name) in every_resource_type() {
        let line = Writer::new(version, false, Choices::All).resource(name);
        let batch = assert_round_trip(&schema_of(version, name), &[&line]);
        let rest = batch.column_by_name("__rest").unwrap();
        assert_eq!(rest.null_count(), 1, "{version} {name}: {rest:?}");
    }
}

/// A test for a version each, as this takes seconds; R4B has nothing that is in neither.
fn what_has_no_column_comes_back_too(version: FhirVersion) {
    for name in Definitions::of(version).resource_types() {
        let line = Writer::new(version, true, Choices::All).resource(name);
        let batch = assert_round_trip(&schema_of(version, name), &[&line, &line]);
        let rest = batch.column_by_name("__rest").unwrap();
        assert_eq!(rest.null_count(), 0, "{version} {name}");
    }
}

#[test]
fn what_has_no_column_comes_back_too_for_every_type() {
    what_has_no_column_comes_back_too(FhirVersion::R4);
}

#[test]
fn what_has_no_column_comes_back_too_for_every_type_of_r5() {
    what_has_no_column_comes_back_too(FhirVersion::R5);
}
