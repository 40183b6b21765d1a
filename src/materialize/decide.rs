//! What has to be done to a table so that it has the rows of its view.
//!
//! One invariant: less than all is computed only where it is certain that it gives the same rows.

use std::collections::BTreeMap;

use crate::lake::materialized::Record;
use crate::views::Key;

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing: no table that the view reads has another version, and it is the same view.
    Nothing,
    /// The rows of the resources that a table has changed after one version of it.
    Changed {
        /// The table.
        resource: String,
        /// The version that the rows were computed from.
        after: u64,
    },
    /// All of the view is computed, and what differs is written.
    Whole(String),
    /// All of the view is computed and written.
    Anew(String),
}

/// What is known when it is decided.
#[derive(Debug)]
pub(super) struct Known<'k> {
    /// What the table's rows were computed from.
    pub before: Option<&'k Record>,
    /// What they would be computed from now.
    pub now: &'k Record,
    /// Whose rows they are.
    pub key: Option<&'k Key>,
    /// Whether the view depends on more than its tables.
    pub depends_on_more: bool,
    /// Whether all is to be written again.
    pub full: bool,
    /// The table versions that each run over what was there already has left: it makes rows anew and does not call that a change.
    pub rebuilt: &'k [BTreeMap<String, i64>],
}

impl Known<'_> {
    /// Decides.
    pub(super) fn plan(&self) -> Plan {
        let Some(before) = self.before else { return Plan::Anew("it is new".to_owned()) };
        if self.full {
            return Plan::Anew("--full".to_owned());
        }
        if before.definition != self.now.definition || before.key != self.now.key {
            return Plan::Whole("its definition has changed".to_owned());
        }
        if self.depends_on_more {
            return Plan::Whole("its rows depend on more than tables".to_owned());
        }
        let tables = before.read.keys().chain(self.now.read.keys());
        let mut changed: Vec<&str> = tables
            .filter(|name| before.read.get(*name) != self.now.read.get(*name))
            .map(String::as_str)
            .collect();
        changed.sort_unstable();
        changed.dedup();
        match (changed.as_slice(), self.key) {
            ([], _) => Plan::Nothing,
            ([only], Some(key)) if *only == key.resource => self.of_resource(before, only),
            (others, Some(key)) => {
                let others: Vec<&str> = others.iter().copied().filter(|name| *name != key.resource).collect();
                Plan::Whole(format!("{} changed", others.join(", ")))
            }
            (changed, None) => Plan::Whole(format!("{} changed", changed.join(", "))),
        }
    }

    fn of_resource(&self, before: &Record, resource: &str) -> Plan {
        let version = |record: &Record| record.read.get(resource).copied();
        let (Some(after), Some(now)) = (version(before), version(self.now)) else {
            return Plan::Whole(format!("{resource} was not there before, or is no longer"));
        };
        if now < after {
            return Plan::Whole(format!(
                "{resource} has an earlier version than the rows were computed from"
            ));
        }
        let is_between = |versions: &BTreeMap<String, i64>| {
            versions.get(resource).is_some_and(|version| (after + 1..=now).contains(version))
        };
        if self.rebuilt.iter().any(is_between) {
            return Plan::Whole(format!("{resource} was rebuilt"));
        }
        Plan::Changed { resource: resource.to_owned(), after: u64::try_from(after).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(definition: &str, read: &[(&str, i64)]) -> Record {
        let read = read.iter().map(|(name, version)| ((*name).to_owned(), *version)).collect();
        Record { definition: definition.to_owned(), read, key: Some("condition_id".to_owned()) }
    }

    fn plan(before: &Record, now: &Record) -> Plan {
        let key = Key { column: "condition_id".to_owned(), resource: "Condition".to_owned() };
        let rebuilt = [[("Condition".to_owned(), 7)].into()];
        let (before, key) = (Some(before), Some(&key));
        Known { before, now, key, depends_on_more: false, full: false, rebuilt: &rebuilt }.plan()
    }

    #[test]
    fn the_resources_of_the_key_alone_are_looked_at_where_nothing_else_changed() {
        let before = record("a", &[("Condition", 3), ("Location", 1)]);
        assert_eq!(plan(&before, &before), Plan::Nothing);
        let changed = Plan::Changed { resource: "Condition".to_owned(), after: 3 };
        assert_eq!(plan(&before, &record("a", &[("Condition", 5), ("Location", 1)])), changed);
    }

    #[test]
    fn all_is_looked_at_where_anything_else_changed() {
        let before = record("a", &[("Condition", 3), ("Location", 1)]);
        for (now, why) in [
            (record("b", &[("Condition", 3), ("Location", 1)]), "its definition has changed"),
            (record("a", &[("Condition", 3), ("Location", 2)]), "Location changed"),
            (record("a", &[("Condition", 4), ("Location", 2)]), "Location changed"),
            (record("a", &[("Condition", 4)]), "Location changed"),
            (record("a", &[("Location", 1)]), "Condition was not there before"),
            (record("a", &[("Condition", 2), ("Location", 1)]), "an earlier version"),
            (record("a", &[("Condition", 7), ("Location", 1)]), "Condition was rebuilt"),
        ] {
            let plan = plan(&before, &now);
            assert!(matches!(&plan, Plan::Whole(said) if said.contains(why)), "{plan:?}: {why}");
        }
    }
}
