//! The upsert of one resource type's table: resolve → rewrite → commit, and again after a lost race.
//!
//! One invariant: what a run makes of a table is a function of its frozen input and of the table's version; a run that is
//! killed and started again finds its commit by the transaction and does nothing twice.
//!
//! The new rows are staged before, and a resolution says of each whether it stands, and which row of the table it takes
//! the place of. The mechanism is copy-on-write: a data file that holds rows which go is written again without them.
//! `MERGE` of the Delta library is not used: it loses data where nested schemas differ.

mod filter;
mod keyset;
mod replace;
mod resolve;
mod rewrite;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use delta_upsert::{IdHash, Key, SortedKeys, Version};
use fhir_arrow::Instant;
use serde::{Deserialize, Serialize};

pub use filter::{Dropped, Filter, Looked};
pub use keyset::KeySet;
pub use replace::replace;

use self::resolve::{Resolved, resolve};
use super::Lake;
use super::data_file::{FileNames, NewFile};
use super::own::{ATTEMPTS, back_off};
use super::resource::{ResourceTable, resource_type};
use super::table::{Commit, DataFile, RunStamp, Table};
use crate::error::{Error, Result};
use crate::workers::Workers;

/// What a run knows when its tables are written.
#[derive(Debug, Clone)]
pub struct Context {
    /// The lake.
    pub lake: Lake,
    /// The run.
    pub run: RunStamp,
    /// The names of the files that are made.
    pub names: FileNames,
    /// The resource types of which this run's tombstones say something new.
    pub newly_deleted: Arc<BTreeSet<String>>,
    /// Runs that are finished → their transaction time.
    pub transaction_times: Arc<HashMap<String, Instant>>,
    /// The folder of the run's own notes.
    pub notes: String,
    /// How much is done at a time.
    pub workers: Workers,
    /// Bytes of keys that are merged at a time.
    pub chunk: usize,
}

/// What a run brings for one table.
#[derive(Debug)]
pub struct Change {
    /// The staged files, which no commit has named yet.
    pub staged: Vec<NewFile>,
    /// The keys of their rows (by the number of the file in `staged`), and of this run's tombstones.
    pub keys: SortedKeys,
    /// Whether there are tombstones among the keys.
    pub buries: bool,
}

/// What became of a table in a run.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that took the place of an older version.
    pub updated: u64,
    /// Rows that a tombstone removed.
    pub deleted: u64,
    /// The table's version with all of it; none where there is no table, and in the note that is written before it.
    #[serde(skip)]
    pub version: Option<u64>,
}

/// The key of a tombstone: a deletion of `id` that covers what is not newer than `deleted_at`.
pub fn tombstone(id: &str, deleted_at: Instant) -> Key {
    // Tombstones are kept in microseconds, so these decide.
    let version = Version { at: deleted_at.micros(), beyond: u32::MAX, seen: i64::MAX };
    Key { id: IdHash::of(id), version, place: 0, row_hash: 0, file: Key::TOMBSTONE, row: 0 }
}

/// Brings a table to what the run says. Returns at once where the run has done so before.
pub async fn upsert(context: &Context, name: &str, mut change: Change) -> Result<Changed> {
    let spec = context.lake.resource_table(name)?;
    let note = note_path(context, name);
    for attempt in 0..ATTEMPTS {
        let table = match Table::open(&context.lake.root, name).await? {
            Some(table) => table,
            None if change.staged.is_empty() => return Ok(Changed::default()),
            None => Table::create(&context.lake.root, name, &spec.columns, &spec.indexed).await?,
        };
        if table.done_by(&context.run).await? {
            table.discard(&change.staged).await;
            // Other pipelines may have committed since; theirs are finished, or the next row of `_exports` says more.
            return Ok(Changed { version: Some(table.version()), ..noted(context, &note).await? });
        }
        let resolved = resolve(context, &table, &mut change.keys).await?;
        // A deletion of what the table does not have is committed too, so that a writer that read the tombstones
        // before it loses its race, and reads them again.
        let buries = change.buries && context.newly_deleted.contains(resource_type(name));
        if resolved.changes_nothing(&change.staged) && !buries {
            table.discard(&change.staged).await;
            return Ok(Changed { version: Some(table.version()), ..Changed::default() });
        }
        if let Some(changed) = attempt_commit(context, &spec, table, &change.staged, resolved, &note).await? {
            return Ok(changed);
        }
        back_off(attempt).await;
    }
    Err(Error::Contended { table: name.to_owned(), attempts: ATTEMPTS })
}

/// Writes what must be written again and commits; `None` where another writer came first.
async fn attempt_commit(
    context: &Context,
    spec: &ResourceTable,
    mut table: Table,
    staged: &[NewFile],
    resolved: Resolved,
    note: &str,
) -> Result<Option<Changed>> {
    let rewritten = rewrite::apply(context, spec, &table, staged, &resolved).await?;
    let changed = Changed {
        inserted: resolved.inserted,
        updated: resolved.updated,
        deleted: resolved.deleted,
        version: None,
    };
    reconcile(&table, &rewritten, &changed)?;
    // Noted before the commit, so that a run which is killed right after it still knows what it did.
    let content = serde_json::to_vec(&changed)
        .map_err(|e| Error::Damaged { path: note.into(), reason: e.to_string() })?;
    context.lake.root.put(note, content).await?;
    let remove = rewritten.removed.iter().filter_map(DataFile::remove).collect();
    let add = rewritten.copies.iter().chain(&rewritten.kept).cloned().collect();
    match table.commit(remove, add, &context.run).await? {
        Commit::Done(version) => {
            table.discard(&rewritten.unused).await;
            Ok(Some(Changed { version: Some(version), ..changed }))
        }
        Commit::Lost => {
            table.discard(&rewritten.copies).await;
            Ok(None)
        }
    }
}

/// The table's rows must change by exactly what is reported, or nothing is committed.
fn reconcile(table: &Table, rewritten: &rewrite::Rewritten, changed: &Changed) -> Result<()> {
    let gone: u64 = rewritten.removed.iter().map(|file| file.rows).sum();
    let come: u64 = rewritten.copies.iter().chain(&rewritten.kept).map(|file| file.rows).sum();
    if come + changed.deleted == gone + changed.inserted {
        return Ok(());
    }
    Err(Error::Unreconciled(format!(
        "table {}: files with {gone} rows would be replaced by files with {come}, for {} inserted, {} updated and {} \
         deleted; nothing was committed",
        table.name(),
        changed.inserted,
        changed.updated,
        changed.deleted
    )))
}

fn note_path(context: &Context, name: &str) -> String {
    format!("{}/changes/{}.json", context.notes, name.replace('/', "-"))
}

/// What this run did to the table before it was interrupted.
async fn noted(context: &Context, note: &str) -> Result<Changed> {
    let damaged = |reason: String| Error::Damaged { path: note.to_owned(), reason };
    let content = context.lake.root.get(note).await?;
    let content = content
        .ok_or_else(|| damaged("the table has the run's commit, and the note of it is missing".into()))?;
    serde_json::from_slice(&content).map_err(|e| damaged(e.to_string()))
}
