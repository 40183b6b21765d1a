//! Decides which of the staged rows stand, and which rows of the table go.
//!
//! One invariant: which of two versions stands is decided by their versions and places alone, never by which of them is
//! in the table already.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::caller::Context;
use crate::data_file::NewFile;
use crate::keys::keys_of;
use crate::table::{DataFile, Table};
use crate::vector;
use crate::{Error, Existing, IdHash, Key, KeyFile, Result, RoaringBitmap, SortedKeys};

/// What a change does to a table.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The table's files.
    pub files: Vec<DataFile>,
    /// Number of a file of the table → rows that its deletion vector removes already.
    pub removed: BTreeMap<usize, RoaringBitmap>,
    /// Number of a file of the table → rows that go.
    pub gone: BTreeMap<usize, RoaringBitmap>,
    /// Number of a staged file → rows that do not stand.
    pub fallen: BTreeMap<usize, RoaringBitmap>,
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that take the place of another.
    pub updated: u64,
    /// Rows that go without another in their place.
    pub deleted: u64,
}

impl Resolved {
    /// Whether no row goes and no staged row stands.
    #[must_use]
    pub fn changes_nothing(&self, staged: &[NewFile]) -> bool {
        let fallen: u64 = self.fallen.values().map(RoaringBitmap::len).sum();
        self.gone.is_empty() && fallen == staged.iter().map(|file| file.rows).sum::<u64>()
    }

    fn falls(&mut self, key: &Key) {
        if !key.is_tombstone() {
            self.fallen.entry(key.file as usize).or_default().insert(key.row);
        }
    }
}

/// Resolves the keys of a change against a table as it is open.
///
/// # Errors
/// What reading keys and vectors does; [`Error::Damaged`] where the table has two rows of one id.
pub async fn resolve(context: &Context<'_>, table: &Table, keys: &mut SortedKeys) -> Result<Resolved> {
    let files = if keys.is_empty() { Vec::new() } else { table.files()? };
    resolve_in(context, table, files, keys).await
}

/// Resolves the keys of a change as if the table had no rows.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_new(context: &Context<'_>, table: &Table, keys: &mut SortedKeys) -> Result<Resolved> {
    resolve_in(context, table, Vec::new(), keys).await
}

async fn resolve_in(
    context: &Context<'_>,
    table: &Table,
    files: Vec<DataFile>,
    keys: &mut SortedKeys,
) -> Result<Resolved> {
    let mut resolved = Resolved { files, ..Resolved::default() };
    let mut key_files = Vec::with_capacity(resolved.files.len());
    for (number, file) in resolved.files.iter().enumerate() {
        key_files.push(keys_of(context.caller, table, file).await?);
        if file.removed > 0 {
            resolved.removed.insert(number, vector::removed(table, file).await?);
        }
    }
    for chunk in keys.chunks(context.chunk)? {
        let chunk = chunk?;
        let tombstones = context.caller.tombstones(table, &chunk).await?;
        let standing = standing(&chunk, &tombstones, &mut resolved);
        let met = meet(table, &key_files, &standing, &mut resolved).await?;
        resolved.inserted += standing.iter().filter(|key| !key.is_tombstone()).count() as u64 - met;
    }
    Ok(resolved)
}

/// Of the keys of each id the one that stands: the newest candidate, or a tombstone of the change that covers it.
fn standing(chunk: &[Key], tombstones: &HashMap<IdHash, i64>, resolved: &mut Resolved) -> Vec<Key> {
    let is_deleted =
        |key: &Key| tombstones.get(&key.id).is_some_and(|deleted_at| key.version.at <= *deleted_at);
    let mut standing = Vec::with_capacity(chunk.len());
    for of_id in chunk.chunk_by(|one, other| one.id == other.id) {
        let newest = newest(of_id);
        let others = of_id.iter().filter(|key| newest.is_none_or(|newest| !std::ptr::eq(*key, newest)));
        others.for_each(|key| resolved.falls(key));
        let tombstone = of_id.iter().rfind(|key| key.is_tombstone());
        match newest {
            Some(newest) if !is_deleted(newest) => standing.push(*newest),
            Some(newest) => {
                resolved.falls(newest);
                standing.extend(tombstone);
            }
            None => standing.extend(tombstone),
        }
    }
    standing
}

/// The newest candidate among sorted keys of one id. Where its content came several times, the first of them: what is
/// unchanged keeps its lineage.
fn newest(of_id: &[Key]) -> Option<&Key> {
    let mut backwards = of_id.iter().rev().filter(|key| !key.is_tombstone());
    let last = backwards.next()?;
    Some(backwards.take_while(|key| key.row_hash == last.row_hash).last().unwrap_or(last))
}

/// Merges what stands with the rows that the table has. Returns how many candidates met a row of theirs.
async fn meet(
    table: &Table,
    key_files: &[KeyFile],
    standing: &[Key],
    resolved: &mut Resolved,
) -> Result<u64> {
    let mut met = 0;
    let mut twice = false;
    let mut ids: HashSet<IdHash> = HashSet::new();
    let removed = std::mem::take(&mut resolved.removed);
    for (file, keys) in key_files.iter().enumerate() {
        let meets = |of_id: &[Key], existing: Existing| {
            let Some(key) = of_id.first() else { return };
            twice |= !ids.insert(existing.id);
            if key.is_tombstone() {
                if existing.version.at <= key.version.at {
                    resolved.deleted += 1;
                    resolved.gone.entry(file).or_default().insert(existing.row);
                }
                return;
            }
            met += 1;
            if key.row_hash != existing.row_hash && key.version >= existing.version {
                resolved.updated += 1;
                resolved.gone.entry(file).or_default().insert(existing.row);
            } else {
                resolved.falls(key);
            }
        };
        keys.join(standing, removed.get(&file), meets).await?;
    }
    resolved.removed = removed;
    if twice {
        return Err(Error::Damaged {
            path: table.place().folder.clone(),
            reason: "it has two rows of one id".to_owned(),
        });
    }
    Ok(met)
}
