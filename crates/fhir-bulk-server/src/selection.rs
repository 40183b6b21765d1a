//! Which resources and deletions an export of a level holds.
//!
//! Specification: Bulk Data, section "Endpoints": system level is everything; Patient and Group level are what
//! is in the Patient compartment of all patients, or of the Group's members. Resources outside the compartment
//! that are only referenced (Practitioner, Organization, Medication …) are not included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::dataset::Dataset;
use crate::deleted::Tombstone;
use crate::group::active_members;
use crate::request::KickOff;
use crate::resource::{Key, Resource};

/// The level of an export.
#[derive(Debug)]
pub(crate) enum Level {
    System,
    Patient,
    Group { id: String, members: BTreeSet<String> },
}

impl Level {
    /// The level of the Group, with its active members at this moment; `None` if there is no such Group.
    pub(crate) fn group(dataset: &Dataset, id: &str) -> Option<Level> {
        let group = dataset.resource(&Key::new("Group", id))?;
        Some(Level::Group { id: id.to_owned(), members: active_members(group) })
    }

    /// The lines of each type, in the order of their ids.
    pub(crate) fn output(&self, dataset: &Dataset, kick_off: &KickOff) -> BTreeMap<String, Vec<Bytes>> {
        let mut output: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
        let chosen = dataset.resources().filter(|resource| self.holds(dataset, resource));
        for resource in chosen.chain(self.own_group(dataset)) {
            if wanted_type(kick_off, &resource.key) && wanted_since(kick_off, resource.last_updated) {
                output.entry(resource.key.resource_type.clone()).or_default().push(resource.line.clone());
            }
        }
        output
    }

    /// What was deleted since `_since`; without `_since` nothing is reported, as the specification says.
    pub(crate) fn deleted<'a>(
        &'a self,
        dataset: &'a Dataset,
        kick_off: &'a KickOff,
    ) -> impl Iterator<Item = (&'a Key, DateTime<Utc>)> {
        dataset
            .tombstones()
            .filter(|(key, tombstone)| {
                kick_off.since.is_some_and(|since| tombstone.deleted_at >= since)
                    && wanted_type(kick_off, key)
                    && self.held(dataset, tombstone)
            })
            .map(|(key, tombstone)| (key, tombstone.deleted_at))
    }

    fn holds(&self, dataset: &Dataset, resource: &Resource) -> bool {
        match self {
            Level::System => true,
            Level::Patient => dataset.patients_of(resource).next().is_some(),
            Level::Group { members, .. } => {
                dataset.patients_of(resource).any(|patient| members.contains(patient))
            }
        }
    }

    /// Whether a deleted resource was of this level; a deleted patient counts for the Group it was in.
    fn held(&self, dataset: &Dataset, tombstone: &Tombstone) -> bool {
        match self {
            Level::System => true,
            Level::Patient => !tombstone.patients.is_empty(),
            Level::Group { id, members } => tombstone
                .patients
                .iter()
                .any(|patient| members.contains(patient) || dataset.ever_in_generated_group(id, patient)),
        }
    }

    /// The generated Group of a Group-level export: a Group is in the compartment of its members. One of the
    /// data is found by its own references, like every other resource.
    fn own_group<'a>(&self, dataset: &'a Dataset) -> Option<&'a Arc<Resource>> {
        match self {
            Level::Group { id, .. } => dataset.generated_group(id),
            _ => None,
        }
    }
}

fn wanted_type(kick_off: &KickOff, key: &Key) -> bool {
    kick_off.types.as_ref().is_none_or(|types| types.contains(&key.resource_type))
}

fn wanted_since(kick_off: &KickOff, last_updated: Option<DateTime<Utc>>) -> bool {
    match (kick_off.since, last_updated) {
        (Some(since), Some(last_updated)) => last_updated >= since,
        _ => true,
    }
}
