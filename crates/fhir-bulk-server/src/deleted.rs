//! Deletions: read from Bundles of a change folder, remembered as tombstones, written as Bundles of an export.
//!
//! Both sides have the form of the Bulk Data specification, section "Response - Complete Status", `deleted`: a
//! Bundle of type `transaction` whose entries are `{"request": {"method": "DELETE", "url": "Type/id"}}`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::clock::{format_instant, parse_instant};
use crate::compartment::local_reference;
use crate::error::{DatasetError, Place};
use crate::folder::{each_line, ndjson_files};
use crate::resource::Key;

/// How many entries one Bundle of an export holds at most.
const ENTRIES_PER_BUNDLE: usize = 100;

/// That a resource was deleted, and whose it was.
#[derive(Debug, Clone)]
pub(crate) struct Tombstone {
    pub(crate) deleted_at: DateTime<Utc>,
    /// The patients in whose compartment the resource was when it was deleted.
    pub(crate) patients: BTreeSet<String>,
}

/// A DELETE entry of a change folder.
#[derive(Debug)]
pub(crate) struct Deletion {
    pub(crate) key: Key,
    pub(crate) deleted_at: DateTime<Utc>,
    pub(crate) place: Place,
}

/// Reads `deleted/*.ndjson` of a change folder; a folder without `deleted` deletes nothing.
pub(crate) fn read_deletions(folder: &Path) -> Result<Vec<Deletion>, DatasetError> {
    let folder = folder.join("deleted");
    let mut deletions = Vec::new();
    if !folder.is_dir() {
        return Ok(deletions);
    }
    for file in ndjson_files(&folder)? {
        each_line(&file, |line, place| read_bundle(line, &place, &mut deletions))?;
    }
    Ok(deletions)
}

fn read_bundle(line: &[u8], place: &Place, deletions: &mut Vec<Deletion>) -> Result<(), DatasetError> {
    let bundle: Value =
        serde_json::from_slice(line).map_err(|source| DatasetError::Json { place: place.clone(), source })?;
    let wrong = |reason| DatasetError::Content { place: place.clone(), reason };
    if bundle["resourceType"] != "Bundle" || bundle["type"] != "transaction" {
        return Err(wrong("is not a Bundle of type transaction"));
    }
    let instant = bundle.pointer("/meta/lastUpdated").and_then(Value::as_str).and_then(parse_instant);
    let deleted_at = instant.ok_or_else(|| wrong("has no meta.lastUpdated to tell when it was deleted"))?;
    for entry in bundle["entry"].as_array().into_iter().flatten() {
        let request = &entry["request"];
        if request["method"] != "DELETE" {
            return Err(wrong("has an entry whose request is no DELETE"));
        }
        let url = request["url"].as_str().and_then(local_reference);
        let (resource_type, id) = url.ok_or_else(|| wrong("has an entry whose url is not Type/id"))?;
        deletions.push(Deletion { key: Key::new(resource_type, id), deleted_at, place: place.clone() });
    }
    Ok(())
}

/// The lines of an export's `deleted` files: Bundles of one deletion instant each. `url` writes a key.
pub(crate) fn bundles<'a>(
    deleted: impl Iterator<Item = (&'a Key, DateTime<Utc>)>,
    url: &dyn Fn(&Key) -> String,
) -> Vec<Bytes> {
    let mut by_instant: BTreeMap<DateTime<Utc>, Vec<&Key>> = BTreeMap::new();
    for (key, deleted_at) in deleted {
        by_instant.entry(deleted_at).or_default().push(key);
    }
    by_instant
        .iter()
        .flat_map(|(instant, keys)| keys.chunks(ENTRIES_PER_BUNDLE).map(|keys| bundle(*instant, keys, url)))
        .collect()
}

fn bundle(deleted_at: DateTime<Utc>, keys: &[&Key], url: &dyn Fn(&Key) -> String) -> Bytes {
    let entries: Vec<Value> =
        keys.iter().map(|key| json!({"request": {"method": "DELETE", "url": url(key)}})).collect();
    let bundle = json!({
        "resourceType": "Bundle",
        "meta": {"lastUpdated": format_instant(deleted_at)},
        "type": "transaction",
        "entry": entries,
    });
    Bytes::from(bundle.to_string())
}
