//! Resources out of FHIR's JSON (<https://hl7.org/fhir/R4/json.html>): a Bundle, or one resource.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::node::Node;

/// Calls `visit` with each resource of a Bundle, or with the only one.
///
/// # Errors
/// Where the bytes are no JSON resource, or `visit` fails.
pub fn read(bytes: &[u8], visit: &mut dyn FnMut(Node) -> Result<()>) -> Result<()> {
    let resource: Map<String, Value> = serde_json::from_slice(bytes).context("the file is no JSON object")?;
    if resource.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return visit(node_of_resource(&resource)?);
    }
    let entries = resource.get("entry").and_then(Value::as_array).context("the Bundle has no entry")?;
    for entry in entries {
        let resource =
            entry.get("resource").and_then(Value::as_object).context("an entry has no resource")?;
        visit(node_of_resource(resource)?)?;
    }
    Ok(())
}

fn node_of_resource(resource: &Map<String, Value>) -> Result<Node> {
    let name = resource.get("resourceType").and_then(Value::as_str).context("no resourceType")?.to_owned();
    let mut children = children_of(resource);
    // In XML the type is the element's name alone.
    children.retain(|child| child.name != "resourceType");
    Ok(Node { name, value: None, children })
}

fn children_of(object: &Map<String, Value>) -> Vec<Node> {
    let mut children = Vec::new();
    // Siblings of primitives (`_name`) hold their extensions, of which none is needed.
    for (name, value) in object.iter().filter(|(name, _)| !name.starts_with('_')) {
        match value {
            Value::Array(items) => children.extend(items.iter().map(|item| node_of_value(name, item))),
            value => children.push(node_of_value(name, value)),
        }
    }
    children
}

fn node_of_value(name: &str, value: &Value) -> Node {
    let (value, children) = match value {
        Value::Object(object) => (None, children_of(object)),
        Value::String(text) => (Some(text.clone()), Vec::new()),
        Value::Null | Value::Array(_) => (None, Vec::new()),
        Value::Bool(_) | Value::Number(_) => (Some(value.to_string()), Vec::new()),
    };
    Node { name: name.to_owned(), value, children }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_xml_give_the_same_tree() {
        let json =
            br#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic","id":"1","min":0,
            "base":["A","B"],"extension":[{"url":"u","valueCode":"c"}]}}]}"#;
        let xml = br#"<Bundle><entry><resource><Basic><base value="A"/><base value="B"/>
            <extension url="u"><valueCode value="c"/></extension><id value="1"/><min value="0"/></Basic></resource></entry></Bundle>"#;
        let mut both = Vec::new();
        let mut keep = |mut resource: Node| {
            // The order of JSON's properties means nothing, that of XML's elements is kept.
            resource.children.sort_by(|a, b| a.name.cmp(&b.name));
            both.push(resource);
            Ok(())
        };
        read(json, &mut keep).unwrap();
        super::super::xml::read(xml, &mut keep).unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[0], both[1]);
    }
}
