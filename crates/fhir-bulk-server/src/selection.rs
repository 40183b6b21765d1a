//! Which resources and deletions an export of a level holds.
//!
//! Specification: Bulk Data, section "Endpoints": system level is everything; Patient and Group level are what
//! is in the Patient compartment of all patients, or of the Group's members. Resources outside the compartment
//! that are only referenced (Practitioner, Organization, Medication …) are not included.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::dataset::Dataset;
use crate::deleted::Tombstone;
use crate::fault::Fault;
use crate::group::{active_members, all_members};
use crate::request::{Associated, KickOff};
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
    pub(crate) fn group(
        dataset: &Dataset,
        id: &str,
        strikes: &dyn Fn(Fault) -> bool,
    ) -> io::Result<Option<Level>> {
        let Some(group) = dataset.resource(&Key::new("Group", id)) else { return Ok(None) };
        let members =
            if strikes(Fault::InactiveMembers) { all_members(group)? } else { active_members(group)? };
        if members.is_empty() && strikes(Fault::EmptyGroupExportsAll) {
            return Ok(Some(Level::Patient));
        }
        Ok(Some(Level::Group { id: id.to_owned(), members }))
    }

    /// Whether a patient is one of the level.
    pub(crate) fn has_patient(&self, dataset: &Dataset, id: &str) -> bool {
        match self {
            Level::System => false,
            Level::Patient => dataset.resource(&Key::new("Patient", id)).is_some(),
            Level::Group { members, .. } => members.contains(id),
        }
    }

    /// The resources that are asked for, in the order of type and id.
    pub(crate) fn output<'a>(
        &'a self,
        dataset: &'a Dataset,
        kick_off: &KickOff,
        strikes: &dyn Fn(Fault) -> bool,
    ) -> io::Result<Vec<&'a Arc<Resource>>> {
        if self.is_older(dataset, kick_off) && strikes(Fault::OldGroupEmpty) {
            return Ok(Vec::new());
        }
        let referenced = !matches!(self, Level::System) && strikes(Fault::IncludeReferenced);
        let held = dataset.resources().filter(|resource| {
            self.holds(dataset, resource, kick_off)
                || (referenced
                    && ["Practitioner", "Organization"].contains(&resource.key.resource_type.as_str()))
        });
        let mut output: Vec<&Arc<Resource>> = Vec::new();
        for resource in held.chain(self.own_group(dataset)) {
            let in_time = resource.last_updated.is_none_or(|instant| wanted_time(kick_off, instant));
            if in_time && wanted_type(kick_off, &resource.key) && filtered(kick_off, resource)? {
                output.push(resource);
            }
        }
        if let Some(associated) = kick_off.associated {
            add_provenance(dataset, &mut output, associated);
        }
        output.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(output)
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
                kick_off.since.is_some()
                    && wanted_time(kick_off, tombstone.deleted_at)
                    && wanted_type(kick_off, key)
                    && self.held(dataset, tombstone)
            })
            .map(|(key, tombstone)| (key, tombstone.deleted_at))
    }

    /// Whether the level is a Group that has not changed since `_since`.
    fn is_older(&self, dataset: &Dataset, kick_off: &KickOff) -> bool {
        let Level::Group { id, .. } = self else { return false };
        let changed = dataset.resource(&Key::new("Group", id)).and_then(|group| group.last_updated);
        changed.zip(kick_off.since).is_some_and(|(changed, since)| changed < since)
    }

    /// Whether a patient is one whose data is asked for.
    pub(crate) fn wants_patient(&self, kick_off: &KickOff, id: &str) -> bool {
        let member = match self {
            Level::Group { members, .. } => members.contains(id),
            _ => true,
        };
        member && kick_off.patients.as_ref().is_none_or(|asked| asked.contains(id))
    }

    fn holds(&self, dataset: &Dataset, resource: &Resource, kick_off: &KickOff) -> bool {
        let wanted = |patient: &String| self.wants_patient(kick_off, patient);
        matches!(self, Level::System) || dataset.patients_of(resource).any(wanted)
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

fn wanted_time(kick_off: &KickOff, instant: DateTime<Utc>) -> bool {
    kick_off.since.is_none_or(|since| instant >= since) && kick_off.until.is_none_or(|until| instant < until)
}

/// Whether one of the type's filters finds the resource; a type without filters is not filtered.
fn filtered(kick_off: &KickOff, resource: &Resource) -> io::Result<bool> {
    let Some(queries) = kick_off.filters.get(&resource.key.resource_type) else { return Ok(true) };
    let value = resource.value()?;
    Ok(queries.iter().any(|query| query.finds(&value)))
}

/// Adds the Provenance of what is exported, where it is not there already.
fn add_provenance<'a>(dataset: &'a Dataset, output: &mut Vec<&'a Arc<Resource>>, associated: Associated) {
    let exported: BTreeSet<&Key> = output.iter().map(|resource| &resource.key).collect();
    let of_exported = |provenance: &&Arc<Resource>| {
        provenance.targets.iter().any(|target| exported.contains(target))
            && !exported.contains(&provenance.key)
    };
    let mut found: Vec<_> = dataset.resources().filter(of_exported).collect();
    if associated == Associated::LatestProvenance {
        found.sort_by_key(|provenance| std::cmp::Reverse(provenance.last_updated));
        let mut covered: BTreeSet<&Key> = BTreeSet::new();
        found.retain(|provenance| {
            let targets = provenance.targets.iter().filter(|target| exported.contains(target));
            targets.filter(|target| covered.insert(target)).count() > 0
        });
    }
    output.extend(found);
}
