//! The keys of a run, table by table, within one budget of memory.

use std::collections::BTreeMap;

use crate::{Key, KeyRuns, Result, SortedKeys};

/// The keys of several tables. All of them together are kept in memory up to a limit; beyond it they go to disk.
#[derive(Debug, Default)]
pub struct KeySet {
    tables: BTreeMap<String, KeyRuns>,
    limit: usize,
}

impl KeySet {
    /// Keeps so many bytes of keys in memory.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { tables: BTreeMap::new(), limit }
    }

    /// Takes keys of a table.
    ///
    /// # Errors
    /// [`Error::Spill`](crate::Error::Spill).
    pub fn extend(&mut self, table: &str, keys: impl IntoIterator<Item = Key>) -> Result<()> {
        self.tables.entry(table.to_owned()).or_default().extend(keys);
        while self.tables.values().map(KeyRuns::memory).sum::<usize>() > self.limit {
            let Some(largest) = self.tables.values_mut().max_by_key(|runs| runs.memory()) else { break };
            largest.spill()?;
        }
        Ok(())
    }

    /// The tables that have keys, each with all of its own, sorted.
    #[must_use]
    pub fn finish(self) -> BTreeMap<String, SortedKeys> {
        self.tables.into_iter().map(|(name, runs)| (name, runs.finish())).collect()
    }
}
