//! Decides what becomes of each candidate and of each row that it meets.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::candidate::{Candidate, Refusal, Version};
use super::locate::{Existing, locate};
use super::{Change, Context};
use crate::error::Result;
use crate::lake::ledger::Tombstones;
use crate::lake::resource::resource_type;
use crate::lake::table::{DataFile, Table};

/// The rows of each data file that are not to stay: index of the file → numbers of the rows.
pub type Dropped = BTreeMap<usize, BTreeSet<u64>>;

/// What one commit will do to a table.
#[derive(Debug, Default)]
pub struct Plan {
    /// The candidates that become rows.
    pub write: Vec<Candidate>,
    /// The rows that go.
    pub dropped: Dropped,
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that take the place of another.
    pub updated: u64,
    /// Rows that go without another in their place.
    pub deleted: u64,
    replaced: HashMap<Box<str>, Replaced>,
}

/// A row that another takes the place of.
#[derive(Debug)]
struct Replaced {
    existing: Existing,
    /// Whether a tombstone covers it, so that it goes even if the other does not come.
    is_deleted: bool,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.write.is_empty() && self.dropped.is_empty()
    }

    /// Takes a candidate out again that could not be flattened: the row that it would have replaced stays.
    pub fn forget(&mut self, refusal: &Refusal) {
        let replaced = refusal.id.as_deref().and_then(|id| self.replaced.remove(id));
        let Some(Replaced { existing, is_deleted }) = replaced else {
            self.inserted -= 1;
            return;
        };
        self.updated -= 1;
        if is_deleted {
            self.deleted += 1;
            return;
        }
        if let Some(rows) = self.dropped.get_mut(&existing.file) {
            rows.remove(&existing.row);
            if rows.is_empty() {
                self.dropped.remove(&existing.file);
            }
        }
    }

    fn drop_row(&mut self, existing: &Existing) {
        self.dropped.entry(existing.file).or_default().insert(existing.row);
    }
}

/// Plans the change of a table as it is open.
pub async fn plan(
    context: &Context,
    table: &Table,
    name: &str,
    change: &Change,
    tombstones: &Tombstones,
) -> Result<Plan> {
    let is_deleted = |id: &str, version: &Version| {
        let tombstone = tombstones.of(resource_type(name), id);
        tombstone.is_some_and(|deleted_at| version.is_deleted_at(deleted_at))
    };

    let files: Vec<DataFile> = table.files()?;
    let deleted = change.deleted.iter().map(String::as_str);
    let wanted: HashSet<&str> =
        change.candidates.iter().map(|candidate| &*candidate.id).chain(deleted).collect();
    let located = locate(table, &files, &wanted, &context.transaction_times).await?;
    let mut plan = Plan::default();
    for candidate in &change.candidates {
        let version = candidate.version(context.transaction_time);
        if is_deleted(&candidate.id, &version) {
            continue;
        }
        match located.get(&candidate.id) {
            None => plan.inserted += 1,
            Some(existing) if existing.row_hash == Some(candidate.row_hash) => continue,
            Some(existing) if !version.replaces(&existing.version) => continue,
            Some(existing) => {
                plan.updated += 1;
                plan.drop_row(existing);
                let is_deleted = is_deleted(&candidate.id, &existing.version);
                plan.replaced.insert(candidate.id.clone(), Replaced { existing: *existing, is_deleted });
            }
        }
        plan.write.push(candidate.clone());
    }
    for id in &change.deleted {
        let existing = located.get(id.as_str()).filter(|_| !plan.replaced.contains_key(id.as_str()));
        if let Some(existing) = existing.filter(|existing| is_deleted(id, &existing.version)) {
            plan.deleted += 1;
            plan.drop_row(existing);
        }
    }
    Ok(plan)
}
