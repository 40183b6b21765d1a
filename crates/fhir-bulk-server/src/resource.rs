//! One resource: where its line is, byte for byte as it was in the file, and what the server must know of it.

use std::collections::BTreeSet;
use std::io;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::clock::parse_instant;
use crate::compartment::{each_reference, local_reference, patients};
use crate::error::{DatasetError, Place};
use crate::line::{Line, Spool};

/// Type and id: the identity of a resource on a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource_type: String,
    pub(crate) id: String,
}

impl Key {
    pub(crate) fn new(resource_type: impl Into<String>, id: impl Into<String>) -> Key {
        Key { resource_type: resource_type.into(), id: id.into() }
    }
}

/// A resource of the dataset. The bytes are those of the file, without the line's end.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) key: Key,
    /// `meta.lastUpdated`; a resource without it is in every export with `_since`.
    pub(crate) last_updated: Option<DateTime<Utc>>,
    pub(crate) line: Line,
    /// The patients in whose compartment the resource is by its own references.
    pub(crate) patients: BTreeSet<String>,
    /// `Provenance.target`: a Provenance is also where its targets are.
    pub(crate) targets: Vec<Key>,
}

impl Resource {
    /// Reads a line. It must be an object with `resourceType`, `id` and, if there is one, a true
    /// `meta.lastUpdated`.
    pub(crate) fn parse(line: &[u8], place: &Place, spool: &mut Spool) -> Result<Resource, DatasetError> {
        let value: Value = serde_json::from_slice(line)
            .map_err(|source| DatasetError::Json { place: place.clone(), source })?;
        let wrong = |reason| DatasetError::Content { place: place.clone(), reason };
        let resource_type = value.get("resourceType").and_then(Value::as_str);
        let resource_type = resource_type.ok_or_else(|| wrong("has no resourceType"))?;
        let id = value.get("id").and_then(Value::as_str).ok_or_else(|| wrong("has no id"))?;
        let last_updated = match value.pointer("/meta/lastUpdated") {
            None => None,
            Some(text) => Some(
                text.as_str()
                    .and_then(parse_instant)
                    .ok_or_else(|| wrong("has a meta.lastUpdated that is no FHIR instant"))?,
            ),
        };
        Ok(Resource {
            key: Key::new(resource_type, id),
            last_updated,
            patients: patients(resource_type, id, &value),
            targets: if resource_type == "Provenance" { targets(&value) } else { Vec::new() },
            line: spool.push(line).map_err(|source| DatasetError::Spool { source })?,
        })
    }

    /// The resource as a tree; its numbers are not those that are written, so this is for looking only.
    pub(crate) fn value(&self) -> io::Result<Value> {
        Ok(serde_json::from_slice(&self.line.read()?)?)
    }
}

fn targets(provenance: &Value) -> Vec<Key> {
    let mut targets = Vec::new();
    each_reference(provenance, &["target"], &mut |reference| {
        targets.extend(local_reference(reference).map(|(resource_type, id)| Key::new(resource_type, id)));
    });
    targets
}
