//! Resources with every element that the definitions have, for every resource type.

use arrow_array::Array as _;
use fhir_definitions::{Definitions, Element, FhirVersion, Max, TypeKind};

use crate::{assert_round_trip, every_resource_type, schema_of};

/// Writes resources out of the definitions.
struct Writer {
    definitions: &'static Definitions,
    /// Whether to write what has no column too: ids and extensions of elements, siblings of primitives, a third
    /// level of recursion, all of `Reference.identifier`.
    all: bool,
    /// The elements and data types that are being written.
    open: Vec<String>,
}

impl Writer {
    fn new(version: FhirVersion, all: bool) -> Self {
        Self { definitions: Definitions::of(version), all, open: Vec::new() }
    }

    fn resource(&mut self, name: &str) -> String {
        let definition = self.definitions.definition(name).unwrap();
        let members = self.members(name, &definition.elements);
        format!("{{\"resourceType\":\"{name}\",{}}}", members.join(","))
    }

    fn members(&mut self, path: &str, elements: &[Element]) -> Vec<String> {
        let inside = !self.open.is_empty();
        let mut members = Vec::new();
        for element in elements {
            let has_column = match element.name.as_str() {
                "id" | "extension" => !inside,
                "modifierExtension" => false,
                _ => true,
            };
            if has_column || self.all {
                self.element(&format!("{path}.{}", element.name), element, &mut members);
            }
        }
        members
    }

    fn element(&mut self, path: &str, element: &Element, members: &mut Vec<String>) {
        if let Some(target) = &element.content_reference {
            let children = &self.definitions.element(target).unwrap().children;
            let value = self.within(target, |writer| writer.members(target, children));
            members.extend(value.map(|value| self.member(&element.name, element.max, &object(&value))));
        } else if !element.children.is_empty() {
            let value = self.within(path, |writer| writer.members(path, &element.children));
            members.extend(value.map(|value| self.member(&element.name, element.max, &object(&value))));
        } else {
            for (name, type_ref) in element.json_names() {
                let is_primitive =
                    self.definitions.definition(&type_ref.code).unwrap().kind == TypeKind::Primitive;
                let Some(value) = self.value(path, &type_ref.code) else { continue };
                members.push(self.member(&name, element.max, &value));
                if is_primitive && self.all {
                    members.push(self.member(&format!("_{name}"), element.max, r#"{"id":"x"}"#));
                }
            }
        }
    }

    /// Writes what is inside an element or a data type, unless that is in itself too often.
    fn within<T>(&mut self, path: &str, write: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let is_type = !path.contains('.');
        let limit = if is_type { 1 } else { 2 } + usize::from(self.all);
        if self.open.iter().filter(|open| *open == path).count() >= limit {
            return None;
        }
        self.open.push(path.to_owned());
        let value = write(self);
        self.open.pop();
        Some(value)
    }

    /// Writes a member, with two values where it may have many; far inside with one, or the text would explode.
    fn member(&self, name: &str, max: Max, value: &str) -> String {
        match max {
            Max::One => format!("\"{name}\":{value}"),
            Max::Many if self.open.len() > 1 => format!("\"{name}\":[{value}]"),
            Max::Many => format!("\"{name}\":[{value},{value}]"),
        }
    }

    fn value(&mut self, path: &str, code: &str) -> Option<String> {
        if path.ends_with(".id") && self.open.is_empty() {
            return Some(r#""id-1""#.to_owned());
        }
        let definition = self.definitions.definition(code).unwrap();
        let value = match (definition.kind, code) {
            (TypeKind::Primitive, "boolean") => "true".to_owned(),
            (TypeKind::Primitive, "integer" | "positiveInt" | "unsignedInt") => "-2147483648".to_owned(),
            (TypeKind::Primitive, "integer64") => r#""-9223372036854775808""#.to_owned(),
            (TypeKind::Primitive, "decimal") => "1.500".to_owned(),
            (TypeKind::Primitive, "base64Binary") => r#""AAE=""#.to_owned(),
            (TypeKind::Primitive, "dateTime" | "instant") => r#""2024-05-01T10:00:00.5+02:00""#.to_owned(),
            (TypeKind::Primitive, _) => r#""2024""#.to_owned(),
            (TypeKind::Resource, _) => r#"{ "resourceType" : "Basic", "x":[1,null]}"#.to_owned(),
            (TypeKind::DataType, "Extension") => EXTENSION.to_owned(),
            (TypeKind::DataType, "Identifier") if !self.all && path == "Reference.identifier" => {
                r#"{"system":"s","value":"v"}"#.to_owned()
            }
            (TypeKind::DataType, _) => {
                let elements = &definition.elements;
                object(&self.within(code, |writer| writer.members(code, elements))?)
            }
        };
        Some(value)
    }
}

/// An extension with a value that has columns, and one in it.
const EXTENSION: &str =
    r#"{"url":"u","valueQuantity":{"value":1.0},"extension":[{"url":"v","valueDate":"2024"}]}"#;

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

#[test]
fn every_element_of_every_type_has_its_column() {
    for (version, name) in every_resource_type() {
        let line = Writer::new(version, false).resource(name);
        let batch = assert_round_trip(&schema_of(version, name), &[&line]);
        let rest = batch.column_by_name("__rest").unwrap();
        assert_eq!(rest.null_count(), 1, "{version} {name}: {rest:?}");
    }
}

/// A test for a version each, as this takes seconds; R4B has nothing that is in neither.
fn what_has_no_column_comes_back_too(version: FhirVersion) {
    for name in Definitions::of(version).resource_types() {
        let line = Writer::new(version, true).resource(name);
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
