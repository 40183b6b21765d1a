//! The tests of the crate as its users see it.

#![allow(clippy::unwrap_used, reason = "a test that unwraps what is not there has failed")]

mod columns;
mod damaged;
mod every_type;
mod fault;
mod instants;
mod json;
mod judged;
mod near_fhir;
mod real;
mod schema;
mod writer;

use std::sync::Arc;

use arrow_array::RecordBatch;
use fhir_arrow::{Flattener, TableSchema, scan, unflatten};
use fhir_definitions::{Definitions, FhirVersion};

/// The schema of an R4 resource type.
fn schema(name: &str) -> Arc<TableSchema> {
    schema_of(FhirVersion::R4, name)
}

/// The schema of a resource type of a FHIR version.
fn schema_of(version: FhirVersion, name: &str) -> Arc<TableSchema> {
    Arc::new(TableSchema::new(Definitions::of(version), name).unwrap())
}

/// Every resource type of every FHIR version.
fn every_resource_type() -> impl Iterator<Item = (FhirVersion, &'static str)> {
    FhirVersion::ALL.iter().flat_map(|version| {
        let types = Definitions::of(*version).resource_types();
        types.iter().map(|name| (*version, name.as_str()))
    })
}

/// The batch of these lines, which are all accepted, by scan and by the flattener.
fn flatten(schema: &Arc<TableSchema>, lines: &[&str]) -> RecordBatch {
    let mut flattener = Flattener::new(Arc::clone(schema), None);
    for line in lines {
        assert_eq!(scan(line.as_bytes()).unwrap().resource_type, schema.resource_type());
        flattener.append(line.as_bytes()).unwrap();
    }
    assert_eq!(flattener.len(), lines.len());
    flattener.finish()
}

/// Turns the lines into one batch and back, and compares each value.
fn assert_round_trip(schema: &Arc<TableSchema>, lines: &[&str]) -> RecordBatch {
    let batch = flatten(schema, lines);
    for (row, line) in lines.iter().enumerate() {
        let resource = unflatten(schema, &batch, row).unwrap();
        assert_eq!(json::read(&resource), json::read(line), "\n line: {line}\n back: {resource}");
    }
    batch
}
