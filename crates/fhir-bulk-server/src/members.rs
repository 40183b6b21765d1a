//! The members of a resource, each as it is written: what is not changed keeps its bytes.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// The members of an object in their order.
pub(crate) fn members(line: &[u8]) -> serde_json::Result<Vec<(String, &RawValue)>> {
    serde_json::Deserializer::from_slice(line).deserialize_map(Members)
}

/// The line with another `meta`, which comes last; a line that is no object stays as it is.
pub(crate) fn with_meta(line: &Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    let Ok(members) = members(line) else { return line.clone() };
    let mut meta = json!({});
    let mut changed = String::from("{");
    for (name, value) in &members {
        if name == "meta" {
            meta = serde_json::from_str(value.get()).unwrap_or_else(|_| json!({}));
        } else {
            changed.push_str(&format!("{}:{},", Value::from(name.as_str()), value.get()));
        }
    }
    change(&mut meta);
    changed.push_str(&format!("\"meta\":{meta}}}"));
    Bytes::from(changed)
}

/// Adds a code to `meta.tag` or `meta.security`.
pub(crate) fn label(meta: &mut Value, member: &str, code: &str) {
    let coding = json!({"system": OBSERVATION_VALUE, "code": code});
    match meta[member].as_array_mut() {
        Some(codings) => codings.push(coding),
        None => meta[member] = json!([coding]),
    }
}

/// The members of an object in their order, each value as it is written.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_joins_those_that_are_there() {
        let mut meta = json!({"tag": [{"code": "x"}], "versionId": "1"});
        label(&mut meta, "tag", "SUBSETTED");
        assert_eq!(meta["tag"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn all_but_meta_keeps_its_bytes() {
        let line = Bytes::from(r#"{"meta":{"lastUpdated":"x"},"id":"1","value": 7.40}"#);
        let changed = with_meta(&line, |meta| meta["lastUpdated"] = json!("y"));
        assert_eq!(changed, r#"{"id":"1","value":7.40,"meta":{"lastUpdated":"y"}}"#);
    }
}
