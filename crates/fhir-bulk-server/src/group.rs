//! The two Groups that every dataset has besides its own: `half` and `rest`.
//!
//! Patients are dealt out in the order of their ids, `half` first, so that `half` has the 1st, 3rd, 5th …
//! patient. A patient stays in its Group for good; one that comes later joins the smaller Group. The Groups
//! are read and exported by Group level, but are no part of the data: a system-level export holds exactly
//! what the folder holds. A Group of the data with the same id goes before the generated one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::clock::format_instant;
use crate::compartment::local_reference;
use crate::line::Line;
use crate::resource::{Key, Resource};

/// Ids of the generated Groups, in the order in which patients are dealt out.
const IDS: [&str; 2] = ["half", "rest"];

/// The generated Groups, and who is or was in them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    /// Index into [`IDS`] of every patient that there ever was.
    seats: BTreeMap<String, usize>,
    resources: BTreeMap<&'static str, Arc<Resource>>,
}

impl Groups {
    /// Seats new patients and writes the Groups anew whose members changed; `changed_at` is their
    /// `meta.lastUpdated`.
    pub(crate) fn refresh<'a>(
        &mut self,
        patients: impl Iterator<Item = &'a str> + Clone,
        changed_at: Option<DateTime<Utc>>,
    ) {
        let present: BTreeSet<&str> = patients.collect();
        let mut members: [BTreeSet<String>; 2] = Default::default();
        for (patient, seat) in self.seats.iter().filter(|(patient, _)| present.contains(patient.as_str())) {
            members[*seat].insert(patient.clone());
        }
        for patient in present {
            if !self.seats.contains_key(patient) {
                let seat = usize::from(members[1].len() < members[0].len());
                self.seats.insert(patient.to_owned(), seat);
                members[seat].insert(patient.to_owned());
            }
        }
        for (id, members) in IDS.into_iter().zip(members) {
            let unchanged = self.resources.get(id).is_some_and(|group| group.patients == members);
            if !unchanged {
                self.resources.insert(id, Arc::new(group(id, members, changed_at)));
            }
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Resource>> {
        self.resources.get(id)
    }

    /// Whether the patient is or, deleted, was in the generated Group.
    pub(crate) fn ever_held(&self, id: &str, patient: &str) -> bool {
        self.seats.get(patient).is_some_and(|seat| IDS[*seat] == id)
    }
}

/// The active members of a Group that are patients: `member.inactive` ones do not count.
pub(crate) fn active_members(group: &Resource) -> io::Result<BTreeSet<String>> {
    members(group, |member| member["inactive"] != true)
}

/// All members that are patients, inactive ones too.
pub(crate) fn all_members(group: &Resource) -> io::Result<BTreeSet<String>> {
    members(group, |_| true)
}

fn members(group: &Resource, counts: impl Fn(&&Value) -> bool) -> io::Result<BTreeSet<String>> {
    let group = group.value()?;
    let members = group["member"].as_array().into_iter().flatten();
    Ok(members
        .filter(counts)
        .filter_map(|member| local_reference(member["entity"]["reference"].as_str()?))
        .filter(|(resource_type, _)| *resource_type == "Patient")
        .map(|(_, id)| id.to_owned())
        .collect())
}

fn group(id: &str, members: BTreeSet<String>, changed_at: Option<DateTime<Utc>>) -> Resource {
    let entities: Vec<Value> =
        members.iter().map(|id| json!({"entity": {"reference": format!("Patient/{id}")}})).collect();
    let mut group = json!({
        "resourceType": "Group",
        "id": id,
        "type": "person",
        "actual": true,
        "name": format!("The {id} of the patients"),
        "quantity": members.len(),
    });
    if !entities.is_empty() {
        group["member"] = entities.into();
    }
    if let Some(changed_at) = changed_at {
        group["meta"] = json!({"lastUpdated": format_instant(changed_at)});
    }
    Resource {
        key: Key::new("Group", id),
        last_updated: changed_at,
        line: Line::from(Bytes::from(group.to_string())),
        patients: members,
        targets: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(groups: &Groups, id: &str) -> Vec<String> {
        active_members(groups.get(id).unwrap()).unwrap().into_iter().collect()
    }

    #[test]
    fn patients_are_dealt_out_in_the_order_of_their_ids() {
        let mut groups = Groups::default();
        groups.refresh(["c", "a", "e", "b", "d"].into_iter(), None);
        assert_eq!(members(&groups, "half"), ["a", "c", "e"]);
        assert_eq!(members(&groups, "rest"), ["b", "d"]);
    }

    #[test]
    fn a_patient_keeps_its_group_when_others_come_and_go() {
        let mut groups = Groups::default();
        groups.refresh(["b", "c", "d"].into_iter(), None);
        groups.refresh(["a", "c", "d"].into_iter(), None);
        assert_eq!(members(&groups, "half"), ["a", "d"]);
        assert_eq!(members(&groups, "rest"), ["c"]);
        assert!(groups.ever_held("half", "b"));
    }
}
