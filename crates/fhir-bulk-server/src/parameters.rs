//! The parameters of a kick-off as names and texts, out of a query or a Parameters resource.
//!
//! Specification: Bulk Data 3.0.0, "Bulk Data Kick-off Request": GET carries texts, POST typed values.

use serde_json::Value;
use url::form_urlencoded;

use crate::outcome::Outcome;

/// One parameter: its name and the text of its value.
pub(crate) type Parameter = (String, String);

/// The parameters of a GET.
pub(crate) fn from_query(query: &str) -> Vec<Parameter> {
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The parameters of a POST. A value that is a Reference becomes its reference, a Coding its code.
pub(crate) fn from_body(body: &[u8]) -> Result<Vec<Parameter>, Outcome> {
    let invalid = |text: &str| Outcome::bad_request("structure", text);
    let body: Value = serde_json::from_slice(body).map_err(|_| invalid("the body is not JSON"))?;
    if body["resourceType"] != "Parameters" {
        return Err(invalid("the body is not a Parameters resource"));
    }
    let entries = body["parameter"].as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().map(parameter).collect()
}

fn parameter(entry: &Value) -> Result<Parameter, Outcome> {
    let invalid = |text: String| Outcome::bad_request("structure", text);
    let name = entry["name"].as_str().ok_or_else(|| invalid("a parameter has no name".to_owned()))?;
    let value = entry.as_object().into_iter().flatten().find(|(key, _)| key.starts_with("value"));
    let (key, value) = value.ok_or_else(|| invalid(format!("the parameter {name} has no value")))?;
    let text = match (key.as_str(), value) {
        (key, Value::String(text)) if allows(name, key) => text.clone(),
        ("valueBoolean", Value::Bool(flag)) if name == "allowPartialManifests" => flag.to_string(),
        ("valueReference", value) if name == "patient" => text_of(value, "reference", name)?,
        ("valueCoding", value) if name == "includeAssociatedData" => text_of(value, "code", name)?,
        _ => return Err(invalid(format!("the parameter {name} cannot be a {key}"))),
    };
    Ok((name.to_owned(), text))
}

/// Whether a parameter may have a value of this type that is a JSON string. Of an unknown one all is allowed.
fn allows(name: &str, key: &str) -> bool {
    match name {
        "_since" | "_until" => key == "valueInstant",
        "_type" | "_elements" | "_typeFilter" | "organizeOutputBy" | "_outputFormat" => key == "valueString",
        "includeAssociatedData" => ["valueCode", "valueString"].contains(&key),
        "patient" | "allowPartialManifests" => false,
        _ => true,
    }
}

fn text_of(value: &Value, member: &str, name: &str) -> Result<String, Outcome> {
    let text = value[member].as_str().map(str::to_owned);
    text.ok_or_else(|| Outcome::bad_request("structure", format!("the parameter {name} has no {member}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parameter: &str) -> Result<Vec<Parameter>, Outcome> {
        from_body(format!(r#"{{"resourceType":"Parameters","parameter":[{parameter}]}}"#).as_bytes())
    }

    #[test]
    fn values_have_the_types_of_the_specification() {
        for (parameter, text) in [
            (r#"{"name":"_since","valueInstant":"2026-01-01T00:00:00+02:00"}"#, "2026-01-01T00:00:00+02:00"),
            (r#"{"name":"patient","valueReference":{"reference":"Patient/1"}}"#, "Patient/1"),
            (r#"{"name":"allowPartialManifests","valueBoolean":true}"#, "true"),
            (r#"{"name":"includeAssociatedData","valueCoding":{"code":"_x"}}"#, "_x"),
            (r#"{"name":"_typeFilter","valueString":"Observation?code=a,b"}"#, "Observation?code=a,b"),
        ] {
            assert_eq!(body(parameter).unwrap()[0].1, text);
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for parameter in [
            r#"{"name":"_since","valueString":"2026-01-01T00:00:00Z"}"#,
            r#"{"name":"patient","valueString":"Patient/1"}"#,
            r#"{"name":"patient","valueReference":{}}"#,
            r#"{"name":"_type"}"#,
            r#"{"valueString":"x"}"#,
        ] {
            assert!(body(parameter).is_err(), "{parameter}");
        }
        assert!(from_body(b"{}").is_err());
        assert!(from_body(b"_type=Patient").is_err());
    }
}
