//! `_elements`: resources of which only some elements are given, marked as SUBSETTED.
//!
//! Specification: Bulk Data 3.0.0, `_elements`: root elements, with or without their type. Elements that are
//! mandatory are given whether or not they are asked for. Values keep the bytes they came as.

use std::collections::BTreeSet;

use bytes::Bytes;
use fhir_definitions::Definitions;
use serde_json::{Value, json};

use crate::members::{label, members};
use crate::outcome::Outcome;

/// What `_elements` asks for; empty, all elements are given.
#[derive(Debug, Default, Clone)]
pub(crate) struct Elements {
    /// Pairs of a type, or none for all types, and the name of a root element.
    wanted: BTreeSet<(Option<String>, String)>,
}

impl Elements {
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Adds the elements of one value: a comma separates them.
    pub(crate) fn read(&mut self, value: &str) -> Result<(), Outcome> {
        for name in value.split(',') {
            let (resource_type, element) = match name.split_once('.') {
                Some((resource_type, element)) => (Some(resource_type.to_owned()), element),
                None => (None, name),
            };
            let known = resource_type.as_ref().is_none_or(|name| Definitions::r4().is_resource(name));
            if element.is_empty() || element.contains('.') || !known {
                return Err(Outcome::bad_request("value", format!("_elements: {name} is no root element")));
            }
            self.wanted.insert((resource_type, element.to_owned()));
        }
        Ok(())
    }

    /// Whether the elements of a type are cut down: not if only those of other types are.
    pub(crate) fn concern(&self, resource_type: &str) -> bool {
        self.wanted.iter().any(|(wanted, _)| wanted.as_deref().is_none_or(|wanted| wanted == resource_type))
    }

    /// The line with the elements that are asked for. A line that is no object stays as it is.
    pub(crate) fn cut(&self, resource_type: &str, line: &Bytes, tagged: bool) -> Bytes {
        let Ok(members) = members(line) else { return line.clone() };
        let mut cut = String::from("{");
        let mut add = |name: &str, value: &str| {
            let comma = if cut.len() > 1 { "," } else { "" };
            cut.push_str(&format!("{comma}{}:{value}", Value::from(name)));
        };
        let (mut meta, mut kept) = (json!({}), Vec::new());
        for (name, value) in &members {
            match name.as_str() {
                "meta" => meta = serde_json::from_str(value.get()).unwrap_or_else(|_| json!({})),
                "resourceType" | "id" => add(name, value.get()),
                _ if self.wants(resource_type, name) => kept.push((name, value)),
                _ => {}
            }
        }
        if tagged {
            label(&mut meta, "tag", "SUBSETTED");
        }
        if meta.as_object().is_some_and(|meta| !meta.is_empty()) {
            add("meta", &meta.to_string());
        }
        for (name, value) in kept {
            add(name, value.get());
        }
        cut.push('}');
        Bytes::from(cut)
    }

    /// Whether a member in JSON is asked for or mandatory. `_birthDate` goes with `birthDate`, `valueQuantity` with
    /// `value`.
    fn wants(&self, resource_type: &str, member: &str) -> bool {
        let member = member.trim_start_matches('_');
        let named = |element: &str| {
            let rest = member.strip_prefix(element);
            rest.is_some_and(|rest| {
                rest.is_empty() || (is_choice(resource_type, element) && starts_upper(rest))
            })
        };
        let asked = self.wanted.iter().any(|(wanted, element)| {
            wanted.as_deref().is_none_or(|wanted| wanted == resource_type) && named(element)
        });
        let definition = Definitions::r4().definition(resource_type);
        let mut elements = definition.into_iter().flat_map(|definition| &definition.elements);
        asked || elements.any(|element| element.min > 0 && named(&element.name))
    }
}

fn starts_upper(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
}

fn is_choice(resource_type: &str, element: &str) -> bool {
    Definitions::r4().element(&format!("{resource_type}.{element}")).is_some_and(|element| element.choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(elements: &str, line: &str) -> String {
        let mut wanted = Elements::default();
        wanted.read(elements).unwrap();
        let line = wanted.cut("Observation", &Bytes::copy_from_slice(line.as_bytes()), false);
        String::from_utf8(line.to_vec()).unwrap()
    }

    #[test]
    fn decimals_keep_their_digits_and_mandatory_elements_stay() {
        let line = r#"{"id":"1","resourceType":"Observation","status":"final","code":{},"note":[],"valueQuantity":{"value":7.40}}"#;
        let expected = r#"{"id":"1","resourceType":"Observation","status":"final","code":{},"valueQuantity":{"value":7.40}}"#;
        assert_eq!(cut("Observation.value", line), expected);
        assert_eq!(cut("value,Patient.name", line), expected);
    }

    #[test]
    fn only_root_elements_are_accepted() {
        for value in ["Patient.name.family", "", "Patient."] {
            assert!(Elements::default().read(value).is_err(), "{value}");
        }
    }
}
