//! Whether a value of a search parameter matches a resource.

use serde_json::Value;

use crate::compartment::local_reference;
use crate::search::date::{Condition, Span};
use crate::search::parameter::{Kind, Parameter};

/// Whether any of the parameter's elements matches the value.
pub(super) fn matches(parameter: &Parameter, value: &str, resource: &Value) -> bool {
    parameter.paths.iter().any(|path| {
        any(resource, path, &mut |element| match parameter.kind {
            Kind::Token => token(value, element),
            Kind::Text => text(value, element),
            Kind::Reference => reference(value, element),
            Kind::Date => {
                let condition = Condition::parse(value);
                condition.zip(Span::of(element)).is_some_and(|(condition, span)| condition.holds(span))
            }
        })
    })
}

/// Whether the test holds of any value at the path, through arrays of any depth.
fn any(value: &Value, path: &[String], test: &mut impl FnMut(&Value) -> bool) -> bool {
    if let Value::Array(items) = value {
        return items.iter().any(|item| any(item, path, test));
    }
    match path.split_first() {
        Some((name, rest)) => value.get(name).is_some_and(|child| any(child, rest, test)),
        None => test(value),
    }
}

/// `code`, `system|code`, `|code` or `system|` against a code, Coding, CodeableConcept or Identifier.
fn token(value: &str, element: &Value) -> bool {
    if let Some(codings) = element.get("coding").and_then(Value::as_array) {
        return codings.iter().any(|coding| token(value, coding));
    }
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    let (system, code) = match element {
        Value::String(code) => (None, Some(code.as_str())),
        Value::Bool(true) => (None, Some("true")),
        Value::Bool(false) => (None, Some("false")),
        _ => (text("system"), text("code").or_else(|| text("value"))),
    };
    match value.split_once('|') {
        None => code == Some(value),
        // An element of type code has its system in the definition alone.
        Some((wanted, "")) => system == Some(wanted),
        Some(("", wanted)) => system.is_none() && code == Some(wanted),
        Some((wanted, value)) => code == Some(value) && (system == Some(wanted) || element.is_string()),
    }
}

/// The start of a string.
fn text(value: &str, element: &Value) -> bool {
    let element = element.as_str().unwrap_or("");
    element.to_lowercase().starts_with(&value.to_lowercase())
}

/// `Type/id`, `id` or an absolute URL against a Reference.
fn reference(value: &str, element: &Value) -> bool {
    let Some(reference) = element.get("reference").and_then(Value::as_str) else { return false };
    let reference = reference.split("/_history/").next().unwrap_or(reference);
    // The same id at another server is another resource.
    let id = local_reference(reference).map(|(_, id)| id);
    reference == value || (!value.contains('/') && id == Some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_match_by_code_and_system() {
        let concept = json!({"coding": [{"code": "x"}, {"system": "s", "code": "c"}]});
        for (value, matched) in
            [("c", true), ("s|c", true), ("|c", false), ("|x", true), ("s|", true), ("t|c", false)]
        {
            assert_eq!(token(value, &concept), matched, "{value}");
        }
        assert!(token("n", &json!({"system": "s", "value": "n"})));
        assert!(token("true", &json!(true)));
    }

    #[test]
    fn references_match_by_id_with_or_without_their_type() {
        let element = json!({"reference": "Patient/1/_history/2"});
        assert!(reference("Patient/1", &element) && reference("1", &element));
        assert!(!reference("1", &json!({"reference": "http://another.example.org/Patient/1"})));
        assert!(!reference("Group/1", &element) && !reference("2", &element));
    }
}
