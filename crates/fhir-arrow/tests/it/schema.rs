//! Which columns the types have.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use arrow_schema::{DataType, Field, Fields};
use fhir_arrow::{SchemaError, TableSchema};
use fhir_definitions::{Definitions, FhirVersion};

use crate::{every_resource_type, schema, schema_of};

/// One column a line, nested by indentation.
fn outline(fields: &Fields, depth: usize, out: &mut String) {
    for field in fields {
        let (list, item) = match field.data_type() {
            DataType::List(element) => ("list of ", element.data_type()),
            other => ("", other),
        };
        let indent = "  ".repeat(depth);
        match item {
            DataType::Struct(inside) => {
                writeln!(out, "{indent}{}: {list}struct", field.name()).unwrap();
                outline(inside, depth + 1, out);
            }
            other => writeln!(out, "{indent}{}: {list}{other}", field.name()).unwrap(),
        }
    }
}

/// The columns of every type, with each struct written out where it comes first; after that it is named by that place.
#[derive(Default)]
struct Outlines {
    first: HashMap<Fields, String>,
    text: String,
}

impl Outlines {
    fn write(&mut self, place: &str, fields: &Fields, depth: usize) {
        for field in fields {
            let (list, item) = match field.data_type() {
                DataType::List(element) => ("list of ", element.data_type()),
                other => ("", other),
            };
            write!(self.text, "{}{}: {list}", "  ".repeat(depth), field.name()).unwrap();
            let DataType::Struct(inside) = item else {
                writeln!(self.text, "{item}").unwrap();
                continue;
            };
            if let Some(first) = self.first.get(inside) {
                writeln!(self.text, "struct as {first}").unwrap();
                continue;
            }
            let place = format!("{place}.{}", field.name());
            writeln!(self.text, "struct").unwrap();
            self.first.insert(inside.clone(), place.clone());
            self.write(&place, inside, depth + 1);
        }
    }
}

#[test]
fn every_type_of_r4_has_these_columns() {
    let mut outlines = Outlines::default();
    for name in Definitions::r4().resource_types() {
        writeln!(outlines.text, "{name}").unwrap();
        outlines.write(name, schema(name).arrow().fields(), 1);
    }
    insta::assert_snapshot!(outlines.text);
}

fn leaves(field: &Field) -> usize {
    match field.data_type() {
        DataType::List(element) => leaves(element),
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field)).sum(),
        _ => 1,
    }
}

fn outline_of(name: &str) -> String {
    let mut out = String::new();
    outline(schema(name).arrow().fields(), 0, &mut out);
    out
}

#[test]
fn patient_has_these_columns() {
    insta::assert_snapshot!(outline_of("Patient"));
}

#[test]
fn observation_has_these_columns() {
    insta::assert_snapshot!(outline_of("Observation"));
}

/// A line for each resource type: how many leaves its table has.
fn leaves_of_every_type(version: FhirVersion, at_most: usize) -> String {
    let mut table = String::new();
    for name in Definitions::of(version).resource_types() {
        let schema = schema_of(version, name);
        let count: usize = schema.arrow().fields().iter().map(|field| leaves(field)).sum();
        assert!(count <= at_most, "{version} {name}: {count}");
        writeln!(table, "{name} {count}").unwrap();
    }
    table
}

#[test]
fn every_type_has_a_table_of_at_most_1500_leaves() {
    let table = leaves_of_every_type(FhirVersion::R4, 1500);
    assert_eq!(table.lines().count(), 146);
    insta::assert_snapshot!(table);
}

#[test]
fn every_type_of_r4b_has_a_table_of_at_most_1500_leaves() {
    insta::assert_snapshot!(leaves_of_every_type(FhirVersion::R4B, 1500));
}

/// R5 defines more of ExplanationOfBenefit than fits into 1500, none of it by recursion, which could end earlier.
/// Contract and PlanDefinition are just above that.
#[test]
fn every_type_of_r5_has_a_table_of_at_most_1650_leaves() {
    insta::assert_snapshot!(leaves_of_every_type(FhirVersion::R5, 1650));
}

/// What Delta and Spark ask of names: unlike each other in a struct, also where case does not count; and no struct
/// without columns.
fn assert_distinct_names(path: &str, fields: &Fields) {
    assert!(!fields.is_empty(), "{path}");
    let names: HashSet<String> = fields.iter().map(|field| field.name().to_lowercase()).collect();
    assert_eq!(names.len(), fields.len(), "{path}");
    for field in fields {
        let item = match field.data_type() {
            DataType::List(element) => {
                assert!(element.name() == "element" && element.is_nullable(), "{path}.{}", field.name());
                element.data_type()
            }
            other => other,
        };
        if let DataType::Struct(inside) = item {
            assert_distinct_names(&format!("{path}.{}", field.name()), inside);
        }
        let is_type = field.name() == "resourceType" && !path.contains('.');
        assert_eq!(field.is_nullable(), !is_type, "{path}.{}", field.name());
    }
}

#[test]
fn names_are_distinct_and_all_but_the_type_may_be_null() {
    for (version, name) in every_resource_type() {
        assert_distinct_names(name, schema_of(version, name).arrow().fields());
    }
}

#[test]
fn the_columns_begin_with_type_id_and_meta_and_end_with_the_rest() {
    for (version, name) in every_resource_type() {
        let arrow = schema_of(version, name).arrow();
        let names: Vec<&str> = arrow.fields().iter().map(|field| field.name().as_str()).collect();
        assert!(names.starts_with(&["resourceType", "id", "meta"]), "{version} {name}");
        assert_eq!(names.last(), Some(&"__rest"), "{version} {name}");
    }
}

#[test]
fn what_is_no_resource_type_has_no_table() {
    for name in ["HumanName", "Resource", "DomainResource", "patient", "", "string"] {
        let error = TableSchema::new(Definitions::r4(), name).unwrap_err();
        assert_eq!(error, SchemaError::UnknownType { version: "4.0.1", name: name.to_owned() });
    }
}
