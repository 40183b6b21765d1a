//! The upsert of one resource type's table: locate → plan → stage → commit, and again after a lost race.
//!
//! One invariant: what a run makes of a table is a function of its frozen input and the table's version; a run that is
//! killed and started again finds its commit by the transaction and does nothing twice.
//!
//! The mechanism is copy-on-write: a data file that holds a row which is replaced or removed is written again without
//! it. `MERGE` of the Delta library is not used: it loses data where nested schemas differ.

pub mod candidate;
mod locate;
mod plan;
mod rewrite;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fhir_arrow::Instant;
use serde::{Deserialize, Serialize};

pub use candidate::{Candidate, Refusal, Version};

use super::Lake;
use super::data_file::{FileNames, NewFile};
use super::ledger;
use super::own::{ATTEMPTS, back_off};
use super::resource::{Origin, ResourceTable, resource_type};
use super::stage::{self, Workers};
use super::table::{Commit, RunStamp, Table};
use crate::error::{Error, Result};
use plan::Plan;
use rewrite::Removed;

/// What a run knows when its tables are written.
#[derive(Debug, Clone)]
pub struct Context {
    /// The lake.
    pub lake: Lake,
    /// The run.
    pub run: RunStamp,
    /// What the run's rows have in common.
    pub origin: Origin,
    /// The paths of the run's raw files, in the order of its input.
    pub raw_files: Arc<[Arc<str>]>,
    /// When the server took the snapshot that the run brings.
    pub transaction_time: Instant,
    /// The resource types of which this run's tombstones say something new.
    pub newly_deleted: Arc<BTreeSet<String>>,
    /// Runs that are finished → their transaction time.
    pub transaction_times: Arc<HashMap<String, Instant>>,
    /// The folder of the run's own notes.
    pub notes: String,
    /// How many splits are written at a time.
    pub workers: Workers,
}

/// What a run brings for one table.
#[derive(Debug, Default)]
pub struct Change {
    /// One candidate for each id, in the order of the raw files.
    pub candidates: Vec<Candidate>,
    /// The ids that the server reported as deleted in this run.
    pub deleted: Vec<String>,
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
    /// Lines that could not be flattened.
    pub refused: Vec<Refusal>,
    /// The table's version with all of it; none where there is no table, and in the note that is written before it.
    #[serde(skip)]
    pub version: Option<u64>,
}

/// Brings a table to what the run says. Returns at once where the run has done so before.
pub async fn upsert(context: &Context, name: &str, change: &Change) -> Result<Changed> {
    let spec = ResourceTable::new(name)?;
    let notes = format!("{}/changes/{}.json", context.notes, name.replace('/', "-"));
    for attempt in 0..ATTEMPTS {
        let table = match Table::open(&context.lake.root, name).await? {
            Some(table) => table,
            None if change.candidates.is_empty() => return Ok(Changed::default()),
            None => Table::create(&context.lake.root, name, &spec.columns, &spec.indexed).await?,
        };
        // Read after the table was opened: whoever buries something later commits to the table later, and wins.
        let tombstones = ledger::tombstones(&context.lake.root).await?;
        if table.done_by(&context.run).await? {
            // Other pipelines may have committed since; theirs are finished, or the next row of `_exports` says more.
            return Ok(Changed { version: Some(table.version()), ..noted(context, &notes).await? });
        }
        let plan = plan::plan(context, &table, name, change, &tombstones).await?;
        // A deletion of what the table does not have is committed too, so that a writer that read the tombstones
        // before it loses its race, and reads them again.
        let buries = !change.deleted.is_empty() && context.newly_deleted.contains(resource_type(name));
        if plan.is_empty() && !buries {
            return Ok(Changed { version: Some(table.version()), ..Changed::default() });
        }
        if let Some(changed) = attempt_commit(context, &spec, table, plan, &notes).await? {
            return Ok(changed);
        }
        back_off(attempt).await;
    }
    Err(Error::Contended { table: name.to_owned(), attempts: ATTEMPTS })
}

/// Stages and commits a plan; `None` where another writer came first.
async fn attempt_commit(
    context: &Context,
    spec: &ResourceTable,
    mut table: Table,
    mut plan: Plan,
    notes: &str,
) -> Result<Option<Changed>> {
    let names = FileNames::of(&context.run);
    let staged = stage::stage(context, &table, spec, &names, std::mem::take(&mut plan.write)).await?;
    for refusal in &staged.refused {
        plan.forget(refusal);
    }
    let (removed, copies) = rewrite::without(context, &table, &names, &plan.dropped).await?;
    let new: Vec<NewFile> = copies.into_iter().chain(staged.files).collect();
    let changed = Changed {
        inserted: plan.inserted,
        updated: plan.updated,
        deleted: plan.deleted,
        refused: staged.refused,
        version: None,
    };
    reconcile(&table, &removed, &new, &changed)?;
    // Noted before the commit, so that a run which is killed right after it still knows what it did.
    let note = serde_json::to_vec(&changed)
        .map_err(|e| Error::Damaged { path: notes.into(), reason: e.to_string() })?;
    context.lake.root.put(notes, note).await?;
    let paths: Vec<String> = new.iter().map(|file| file.add.path.clone()).collect();
    let remove = removed.into_iter().map(|file| file.action).collect();
    match table.commit(remove, new, &context.run).await? {
        Commit::Done(version) => Ok(Some(Changed { version: Some(version), ..changed })),
        Commit::Lost => {
            table.discard(&paths).await;
            Ok(None)
        }
    }
}

/// The table's rows must change by exactly what is reported, or nothing is committed.
fn reconcile(table: &Table, removed: &[Removed], new: &[NewFile], changed: &Changed) -> Result<()> {
    let gone: u64 = removed.iter().map(|file| file.rows).sum();
    let come: u64 = new.iter().map(|file| file.rows).sum();
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

/// What this run did to the table before it was interrupted.
async fn noted(context: &Context, notes: &str) -> Result<Changed> {
    let damaged = |reason: String| Error::Damaged { path: notes.to_owned(), reason };
    let note = context.lake.root.get(notes).await?;
    let note =
        note.ok_or_else(|| damaged("the table has the run's commit, and the note of it is missing".into()))?;
    serde_json::from_slice(&note).map_err(|e| damaged(e.to_string()))
}
