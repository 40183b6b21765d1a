//! Writes resources out of the definitions: legal ones with every element, and such with one fault.

use fhir_definitions::{Definitions, Element, FhirVersion, Max, TypeKind, TypeRef};

use crate::fault::Fault;

/// Writes resources of one FHIR version.
pub struct Writer {
    definitions: &'static Definitions,
    /// Whether to write what has no column too: ids and extensions of elements, siblings of primitives, a third
    /// level of recursion, all of `Reference.identifier`.
    pub all: bool,
    pub choices: Choices,
    /// Whether codes are of their required bindings, and references to the types that they may be to.
    pub full: bool,
    /// The fault to make, if any.
    pub fault: Option<Fault>,
    /// The elements and data types that are being written.
    open: Vec<String>,
    /// The names of the elements that are being written, as FHIRPath has them.
    path: Vec<String>,
}

/// Which types of a choice are written.
#[derive(Debug, Clone, Copy)]
pub enum Choices {
    /// All of them, which is not legal.
    All,
    /// The one with this number, counted from the first again at the end.
    One(usize),
}

impl Writer {
    pub fn new(version: FhirVersion, all: bool, choices: Choices) -> Self {
        let definitions = Definitions::of(version);
        Self { definitions, all, choices, full: false, fault: None, open: Vec::new(), path: Vec::new() }
    }

    pub fn resource(&mut self, name: &str) -> String {
        let definition = self.definitions.definition(name).unwrap();
        self.path.push(name.to_owned());
        let members = self.members(name, &definition.elements).unwrap();
        self.path.pop();
        object(&[&[format!("\"resourceType\":\"{name}\"")], &members[..]].concat())
    }

    /// The members of an object; `None` if it must have itself within it, and is in itself too often.
    fn members(&mut self, path: &str, elements: &[Element]) -> Option<Vec<String>> {
        let inside = !self.open.is_empty();
        let before = self.fault.as_ref().and_then(|fault| fault.made.clone());
        let mut members = Vec::new();
        for element in elements {
            let has_column = match element.name.as_str() {
                "id" | "extension" => !inside,
                "modifierExtension" => false,
                _ => true,
            };
            if has_column || self.all || element.min > 0 {
                let written = self.element(&format!("{path}.{}", element.name), element);
                if written.is_empty() && element.min > 0 {
                    // What is not written has no fault either: it is made where there is another place.
                    if let (Some(fault), None) = (&mut self.fault, &before) {
                        fault.made = None;
                    }
                    return None;
                }
                members.extend(written);
            }
        }
        if let Some(fault) = &mut self.fault {
            members.extend(fault.member(&self.path));
        }
        Some(members)
    }

    /// The members of an element; an empty one if it is left out on purpose.
    fn element(&mut self, path: &str, element: &Element) -> Vec<String> {
        self.path.push(element.name.clone());
        let mut written = self.element_members(path, element);
        if let Some(fault) = &mut self.fault
            && !written.is_empty()
            && fault.leaves_out(&self.path, element)
        {
            written = vec![String::new()];
        }
        self.path.pop();
        written
    }

    fn element_members(&mut self, path: &str, element: &Element) -> Vec<String> {
        let place = match &element.content_reference {
            Some(target) => Some((target.as_str(), &self.definitions.element(target).unwrap().children)),
            None if !element.children.is_empty() => Some((path, &element.children)),
            None => None,
        };
        if let Some((path, children)) = place {
            let value = self.within(path, |writer| writer.members(path, children)).flatten();
            let value = value.map(|value| self.member(&element.name, element.max, "", &object(&value)));
            return value.into_iter().collect();
        }
        let names = element.json_names();
        let mut members = Vec::new();
        for number in 0..names.len() {
            let position = match self.choices {
                Choices::All => number,
                Choices::One(chosen) => (chosen + number) % names.len(),
            };
            let (name, type_ref) = &names[position];
            let written = self.value_members(path, element, name, type_ref);
            // Far inside of itself a type is not written any more: then it is the next one's turn.
            let done = element.choice && !written.is_empty() && matches!(self.choices, Choices::One(_));
            let two =
                done && self.fault.as_mut().is_some_and(|fault| fault.chooses_again(&self.path, names.len()));
            members.extend(written);
            if done && !two {
                break;
            }
        }
        members
    }

    /// The value of an element of this type under this name, with what stands beside it.
    fn value_members(
        &mut self,
        path: &str,
        element: &Element,
        name: &str,
        type_ref: &TypeRef,
    ) -> Vec<String> {
        let code = type_ref.code.as_str();
        if element.choice {
            let step = self.path.last_mut().unwrap();
            *step = format!("{}.ofType({code})", element.name);
        }
        let is_primitive = self.definitions.definition(code).unwrap().kind == TypeKind::Primitive;
        let mut members = Vec::new();
        let value = match self.full_value(element, type_ref) {
            Some(value) => Some(value),
            None => self.value(path, code),
        };
        if let Some(value) = value {
            members.push(self.member(name, element.max, code, &value));
            if is_primitive && self.all {
                members.push(self.array(&format!("_{name}"), element.max, r#"{"id":"x"}"#));
            }
        }
        *self.path.last_mut().unwrap() = element.name.clone();
        members
    }

    /// A value that is looked at in full: with the first code of a required binding, or a reference to the first type
    /// that it may be to.
    fn full_value(&mut self, element: &Element, type_ref: &TypeRef) -> Option<String> {
        if !self.full {
            return None;
        }
        let binding = element.binding.as_ref().filter(|binding| binding.strength == "required");
        let value_set = binding.and_then(|binding| binding.value_set.as_deref());
        if let Some(codes) = value_set.and_then(|value_set| self.definitions.code_set(value_set)) {
            let (system, codes) = codes.systems.iter().next()?;
            let wrong = self.fault.as_mut().is_some_and(|fault| fault.miscodes(&self.path));
            let code = if wrong { "no-such-code" } else { codes.first()? };
            let coding = format!(r#"{{"system":"{system}","code":"{code}"}}"#);
            return Some(match type_ref.code.as_str() {
                "CodeableReference" => format!(r#"{{"concept":{{"coding":[{coding}]}}}}"#),
                "CodeableConcept" => format!(r#"{{"coding":[{{"code":"x"}},{coding}]}}"#),
                "Coding" | "Quantity" => coding,
                _ => format!("\"{code}\""),
            });
        }
        let suffix = match type_ref.code.as_str() {
            "Reference" => "",
            "CodeableReference" => ".reference",
            _ => return None,
        };
        let first = type_ref.targets.first().filter(|target| *target != "Resource")?;
        let wrong = self.fault.as_mut().is_some_and(|fault| fault.misdirects(&self.path, suffix));
        let types = self.definitions.resource_types();
        let target = if wrong { types.iter().find(|name| !type_ref.targets.contains(name))? } else { first };
        let reference = format!(r#"{{"reference":"{target}/1"}}"#);
        Some(if suffix.is_empty() { reference } else { format!(r#"{{"reference":{reference}}}"#) })
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

    fn member(&mut self, name: &str, max: Max, code: &str, value: &str) -> String {
        match &mut self.fault {
            Some(fault) => match fault.value(&self.path, max, code) {
                Some(wrong) => format!("\"{name}\":{wrong}"),
                None => self.array(name, max, value),
            },
            None => self.array(name, max, value),
        }
    }

    /// Writes a member, with two values where it may have many; far inside with one, or the text would explode.
    fn array(&self, name: &str, max: Max, value: &str) -> String {
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
            (TypeKind::Primitive, _) => primitive(code).to_owned(),
            (TypeKind::Resource, _) => r#"{ "resourceType" : "Basic", "code":{"text":"x"}}"#.to_owned(),
            (TypeKind::DataType, "Extension") => self.extension()?,
            (TypeKind::DataType, "Identifier") if !self.all && path == "Reference.identifier" => {
                r#"{"system":"s","value":"v"}"#.to_owned()
            }
            (TypeKind::DataType, _) => {
                let elements = &definition.elements;
                object(&self.within(code, |writer| writer.members(code, elements))??)
            }
        };
        Some(value)
    }

    /// An extension with a value that has columns and one in it, which is not legal; or one with an extension of the
    /// chosen type in it.
    fn extension(&mut self) -> Option<String> {
        const BOTH: &str =
            r#"{"url":"u","valueQuantity":{"value":1.0},"extension":[{"url":"v","valueDate":"2024"}]}"#;
        let Choices::One(_) = self.choices else { return Some(BOTH.to_owned()) };
        let value = self
            .definitions
            .definition("Extension")
            .and_then(|extension| extension.element("value"))
            .unwrap();
        self.within("Extension", |writer| {
            // What is in an extension is no place for a fault: the path would not be that of the extension's element.
            let fault = writer.fault.take();
            writer.path.push("value".to_owned());
            let members = writer.element_members("Extension.value", value);
            writer.path.pop();
            writer.fault = fault;
            format!(r#"{{"url":"u","extension":[{{"url":"v",{}}}]}}"#, members.join(","))
        })
    }
}

/// A legal value of each primitive type.
fn primitive(code: &str) -> &'static str {
    match code {
        "boolean" => "true",
        "integer" => "-2147483648",
        "positiveInt" | "unsignedInt" => "2147483647",
        "integer64" => r#""-9223372036854775808""#,
        "decimal" => "1.500",
        "base64Binary" => r#""AAE=""#,
        "dateTime" | "instant" => r#""2024-05-01T10:00:00.5+02:00""#,
        "time" => r#""10:00:00""#,
        "oid" => r#""urn:oid:1.2.3""#,
        "uuid" => r#""urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#,
        "xhtml" => r#""<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>""#,
        _ => r#""2024""#,
    }
}

fn object(members: &[String]) -> String {
    let members: Vec<&str> = members.iter().map(String::as_str).filter(|member| !member.is_empty()).collect();
    format!("{{{}}}", members.join(","))
}
