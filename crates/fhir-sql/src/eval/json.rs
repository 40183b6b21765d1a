//! JSON text that has no column: `__rest`, choices of any type, contained resources.
//!
//! The one invariant: values are slices of the text, so that numbers keep their literals. What is not the JSON that it should be
//! has no values.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The member of that name of an object; empty where it has none.
pub(super) fn member<'a>(object: &'a str, name: &str) -> &'a str {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let found = deserializer.deserialize_map(Find { name, found: "" });
    found.ok().filter(|found| *found != "null").unwrap_or_default()
}

struct Find<'n, 'a> {
    name: &'n str,
    found: &'a str,
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Visitor<'a> for Find<'_, 'a> {
    type Value = &'a str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            if key == self.name {
                self.found = map.next_value::<&RawValue>()?.get();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(self.found)
    }
}

/// The elements of an array, empty where they are `null`; `None` for what is none.
pub(super) fn elements(text: &str) -> Option<Vec<&str>> {
    if !text.starts_with('[') {
        return None;
    }
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(elements.into_iter().map(RawValue::get).map(|text| if text == "null" { "" } else { text }).collect())
}

/// A string's text, or the literal of another scalar.
pub(super) fn scalar(text: &str) -> Option<Cow<'_, str>> {
    match text.as_bytes().first()? {
        b'"' => match text.get(1..text.len() - 1) {
            Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
            _ => serde_json::from_str(text).ok().map(Cow::Owned),
        },
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_slices_of_the_text() {
        let object = r#"{"a":1.50,"b":{"a":2},"c":["x",null],"é\"":true,"n":null}"#;
        assert_eq!(member(object, "a"), "1.50");
        assert_eq!(member(member(object, "b"), "a"), "2");
        assert_eq!(elements(member(object, "c")), Some(vec![r#""x""#, ""]));
        assert_eq!(member(object, "é\""), "true");
        assert_eq!((member(object, "n"), member(object, "z"), member("[1]", "a")), ("", "", ""));
    }

    #[test]
    fn scalars_are_texts_without_their_quotes() {
        assert_eq!(scalar(r#""a""#).as_deref(), Some("a"));
        assert_eq!(scalar(r#""a\n\u00e9""#).as_deref(), Some("a\né"));
        assert_eq!(scalar("1.50").as_deref(), Some("1.50"));
        assert_eq!(scalar("{}"), None);
    }
}
