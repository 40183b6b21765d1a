//! JSON values as they have to come back: numbers by their literal, strings by their text, members in any order.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`, `true`, `false`, a number as it is written, or a string that is no text, as it is written.
    Literal(String),
    Text(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

/// Reads a text with serde_json, so that the crate's own reader is not its own judge.
pub fn read(text: &str) -> Json {
    let raw: &RawValue = serde_json::from_str(text).unwrap();
    let raw = raw.get();
    match raw.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw).unwrap();
            Json::Object(members.into_iter().map(|(name, value)| (name, read(value.get()))).collect())
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(raw).unwrap();
            Json::Array(values.into_iter().map(|value| read(value.get())).collect())
        }
        Some(b'"') => serde_json::from_str(raw).map_or_else(|_| Json::Literal(raw.to_owned()), Json::Text),
        _ => Json::Literal(raw.to_owned()),
    }
}

#[test]
fn numbers_are_different_when_they_are_written_differently() {
    assert_ne!(read("1.50"), read("1.5"));
    assert_eq!(read(r#"{"a":"\u0041","b":[1]}"#), read(r#" {"b":[ 1 ], "a":"A"}"#));
    assert_ne!(read(r#"["\ud800"]"#), read(r#"["\udfff"]"#));
}
