//! The data that the server serves: every resource of a folder, changed by folders of changes.
//!
//! A dataset is cheap to clone (resources are shared), which is how a change becomes atomic and a job keeps its
//! snapshot. Ids, instants and references are in memory, the resources themselves on disk (`line.rs`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::{format_instant, transaction_time};
use crate::deleted::{Deletion, Tombstone, read_deletions};
use crate::error::{DatasetError, Place};
use crate::folder::{each_line, ndjson_files};
use crate::group::Groups;
use crate::line::Spool;
use crate::resource::{Key, Resource};

/// The resources of a FHIR server, with what was deleted and the two generated Groups `half` and `rest`.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    resources: BTreeMap<Key, Arc<Resource>>,
    tombstones: BTreeMap<Key, Tombstone>,
    groups: Groups,
    latest: Option<DateTime<Utc>>,
}

/// What [`Dataset::apply`] did: how many resources per type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Resources that were not there before.
    pub created: BTreeMap<String, usize>,
    /// Resources whose bytes were replaced by others.
    pub updated: BTreeMap<String, usize>,
    /// Resources that were there and are no more.
    pub deleted: BTreeMap<String, usize>,
}

impl Dataset {
    /// Reads every line of `*.ndjson` of the folder; the type is the line's own, the file's name says nothing.
    pub fn open(folder: &Path) -> Result<Dataset, DatasetError> {
        let mut dataset = Dataset::default();
        for (key, (resource, _)) in read_resources(folder)? {
            dataset.insert(key, resource);
        }
        dataset.refresh_groups();
        Ok(dataset)
    }

    /// Applies a folder of changes: `*.ndjson` creates and replaces by type and id, then `deleted/*.ndjson`
    /// deletes; a deletion of what is not there does nothing. Every change must be later than the dataset's
    /// `transactionTime`, otherwise clients would never see it. On an error nothing is changed.
    pub fn apply(&mut self, folder: &Path) -> Result<Changes, DatasetError> {
        let mut upserts = BTreeMap::new();
        for (key, upsert) in read_resources(folder)? {
            if !self.holds(&upsert.0).map_err(|source| DatasetError::Spool { source })? {
                upserts.insert(key, upsert);
            }
        }
        let deletions = read_deletions(folder)?;
        self.check_later(&upserts, &deletions)?;

        let mut changes = Changes::default();
        for (key, (resource, _)) in upserts {
            let counts =
                if self.resources.contains_key(&key) { &mut changes.updated } else { &mut changes.created };
            *counts.entry(key.resource_type.clone()).or_default() += 1;
            self.insert(key, resource);
        }
        changes.deleted = self.delete(deletions);
        self.refresh_groups();
        Ok(changes)
    }

    /// The resource, or the generated Group, of this type and id.
    pub(crate) fn resource(&self, key: &Key) -> Option<&Arc<Resource>> {
        let generated = || if key.resource_type == "Group" { self.groups.get(&key.id) } else { None };
        self.resources.get(key).or_else(generated)
    }

    /// The generated Group of this id, unless the data has one of its own.
    pub(crate) fn generated_group(&self, id: &str) -> Option<&Arc<Resource>> {
        let shadowed = self.resources.contains_key(&Key::new("Group", id));
        if shadowed { None } else { self.groups.get(id) }
    }

    /// Whether a patient, present or deleted, is or was in the generated Group of this id.
    pub(crate) fn ever_in_generated_group(&self, id: &str, patient: &str) -> bool {
        self.generated_group(id).is_some() && self.groups.ever_held(id, patient)
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    /// The resources of a type in the order of their ids; of Groups the generated ones too.
    pub(crate) fn of_type(&self, resource_type: &str) -> Vec<&Arc<Resource>> {
        let mut found: Vec<&Arc<Resource>> =
            self.resources.values().filter(|resource| resource.key.resource_type == resource_type).collect();
        if resource_type == "Group" {
            found.extend(self.groups.all().filter(|group| !self.resources.contains_key(&group.key)));
            found.sort_by(|a, b| a.key.cmp(&b.key));
        }
        found
    }

    /// The types of which there are resources.
    pub(crate) fn types(&self) -> BTreeSet<&str> {
        self.resources.keys().map(|key| key.resource_type.as_str()).collect()
    }

    /// Whether there was such a resource until it was deleted.
    pub(crate) fn is_deleted(&self, key: &Key) -> bool {
        self.tombstones.contains_key(key)
    }

    pub(crate) fn tombstones(&self) -> impl Iterator<Item = (&Key, &Tombstone)> {
        self.tombstones.iter()
    }

    /// One millisecond after the latest change or deletion of this snapshot.
    pub(crate) fn transaction_time(&self) -> DateTime<Utc> {
        transaction_time(self.latest)
    }

    /// The patients in whose compartment the resource is; one may come twice. A Provenance is also where its
    /// targets are, or were until they were deleted: the specification includes all Provenance of what is
    /// exported.
    pub(crate) fn patients_of<'a>(&'a self, resource: &'a Resource) -> impl Iterator<Item = &'a String> {
        let of_target = |target: &Key| {
            let live = self.resources.get(target).map(|resource| &resource.patients);
            live.or_else(|| Some(&self.tombstones.get(target)?.patients))
        };
        resource.patients.iter().chain(resource.targets.iter().filter_map(of_target).flatten())
    }

    /// Whether the resource is there already, with the same bytes.
    fn holds(&self, resource: &Resource) -> io::Result<bool> {
        self.resources.get(&resource.key).map_or(Ok(false), |present| present.line.same(&resource.line))
    }

    fn check_later(
        &self,
        upserts: &BTreeMap<Key, (Resource, Place)>,
        deletions: &[Deletion],
    ) -> Result<(), DatasetError> {
        let transaction_time = self.transaction_time();
        let upserts = upserts.values().filter_map(|(resource, place)| Some((resource.last_updated?, place)));
        let deletions = deletions
            .iter()
            .filter(|deletion| self.resources.contains_key(&deletion.key))
            .map(|deletion| (deletion.deleted_at, &deletion.place));
        match upserts.chain(deletions).find(|(instant, _)| *instant < transaction_time) {
            None => Ok(()),
            Some((_, place)) => Err(DatasetError::NotLater {
                place: place.clone(),
                transaction_time: format_instant(transaction_time),
            }),
        }
    }

    fn insert(&mut self, key: Key, resource: Resource) {
        self.latest = self.latest.max(resource.last_updated);
        self.tombstones.remove(&key);
        self.resources.insert(key, Arc::new(resource));
    }

    fn delete(&mut self, deletions: Vec<Deletion>) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        // Whose a Provenance was depends on its targets, so all is looked up before the first is gone.
        let owned: Vec<_> = deletions
            .into_iter()
            .filter_map(|deletion| {
                let resource = self.resources.get(&deletion.key)?;
                let patients = self.patients_of(resource).cloned().collect();
                Some((deletion.key, Tombstone { deleted_at: deletion.deleted_at, patients }))
            })
            .collect();
        for (key, tombstone) in owned {
            self.latest = self.latest.max(Some(tombstone.deleted_at));
            if self.resources.remove(&key).is_some() {
                *counts.entry(key.resource_type.clone()).or_default() += 1;
            }
            self.tombstones.insert(key, tombstone);
        }
        counts
    }

    fn refresh_groups(&mut self) {
        let first = Key::new("Patient", "");
        let patients = self.resources.range(first..).take_while(|(key, _)| key.resource_type == "Patient");
        self.groups.refresh(patients.map(|(key, _)| key.id.as_str()), self.latest);
    }
}

fn read_resources(folder: &Path) -> Result<BTreeMap<Key, (Resource, Place)>, DatasetError> {
    let unkept = |source| DatasetError::Spool { source };
    let mut spool = Spool::new().map_err(unkept)?;
    let mut resources = BTreeMap::new();
    for file in ndjson_files(folder)? {
        each_line(&file, |line, place| {
            let resource = Resource::parse(line, &place, &mut spool)?;
            match resources.entry(resource.key.clone()) {
                Entry::Occupied(_) => return Err(DatasetError::Duplicate { place }),
                Entry::Vacant(vacant) => vacant.insert((resource, place)),
            };
            Ok(())
        })?;
    }
    spool.finish().map_err(unkept)?;
    Ok(resources)
}
