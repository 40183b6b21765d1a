//! Compares the rows that a table has with those that it is to have, by their keys.
//!
//! One invariant: a row that is there as often as it is to be stays. Of equal rows it does not matter which.

use crate::caller::Context;
use crate::keys::keys_of;
use crate::resolve::Resolved;
use crate::table::{DataFile, Table};
use crate::{Existing, Key, KeyFile, Result, RoaringBitmap, vector};

use super::{Contents, Scope};

/// Which rows go, and which of those that were computed are there already.
pub(super) async fn resolve(
    context: &Context<'_>,
    table: &Table,
    contents: &mut Contents,
) -> Result<Resolved> {
    let computed: u64 = contents.staged.iter().map(|file| file.rows).sum();
    let mut resolved = Resolved { files: table.files()?, ..Resolved::default() };
    for (number, file) in resolved.files.iter().enumerate() {
        let removed = vector::removed(table, file).await?;
        if contents.scope != Scope::Ids {
            resolved.gone.insert(number, all(file) - &removed);
        }
        if !removed.is_empty() {
            resolved.removed.insert(number, removed);
        }
    }
    if contents.scope != Scope::Anew {
        let mut key_files = Vec::with_capacity(resolved.files.len());
        for file in &resolved.files {
            key_files.push(keys_of(context.caller, table, file).await?);
        }
        for chunk in contents.keys.chunks(context.chunk)? {
            meet(&key_files, &chunk?, contents.scope, &mut resolved).await?;
        }
    }
    resolved.gone.retain(|_, rows| !rows.is_empty());
    resolved.deleted = resolved.gone.values().map(RoaringBitmap::len).sum();
    resolved.inserted = computed - resolved.fallen.values().map(RoaringBitmap::len).sum::<u64>();
    Ok(resolved)
}

/// All rows of a file.
fn all(file: &DataFile) -> RoaringBitmap {
    let mut rows = RoaringBitmap::new();
    rows.insert_range(0..u32::try_from(file.rows).unwrap_or(u32::MAX));
    rows
}

/// Merges sorted keys of rows that were computed with those that the table has.
async fn meet(key_files: &[KeyFile], chunk: &[Key], scope: Scope, resolved: &mut Resolved) -> Result<()> {
    let mut matched = Matched::new(chunk);
    let Resolved { removed, gone, fallen, .. } = resolved;
    for (file, keys) in key_files.iter().enumerate() {
        let of_file = gone.entry(file).or_default();
        let meets = |_: &[Key], existing: Existing| match matched.take(existing) {
            Some(key) => {
                fallen.entry(key.file as usize).or_default().insert(key.row);
                of_file.remove(existing.row);
            }
            None if scope == Scope::Ids => {
                of_file.insert(existing.row);
            }
            None => {}
        };
        keys.join(chunk, removed.get(&file), meets).await?;
    }
    Ok(())
}

/// Sorted keys, of which some have met their row.
struct Matched<'k> {
    keys: &'k [Key],
    /// How many have of those with the same id and hash, at the first of them.
    taken: Vec<u32>,
}

impl<'k> Matched<'k> {
    fn new(keys: &'k [Key]) -> Self {
        Self { keys, taken: vec![0; keys.len()] }
    }

    /// A key of a row that is equal to one of the table, and has not met another.
    fn take(&mut self, existing: Existing) -> Option<&'k Key> {
        // Without versions, keys are sorted by id and hash.
        let wanted = (existing.id, existing.row_hash);
        let first = self.keys.partition_point(|key| (key.id, key.row_hash) < wanted);
        let taken = self.taken.get_mut(first)?;
        let key = self.keys.get(first + *taken as usize)?;
        if (key.id, key.row_hash) != wanted || key.is_tombstone() {
            return None;
        }
        *taken += 1;
        Some(key)
    }
}
