//! The upsert of one table: resolve → rewrite → commit, and again after a lost race.
//!
//! One invariant: what a change makes of a table is a function of the change and of the table's version; a change that is
//! interrupted and made again finds its commit by the transaction and does nothing twice.
//!
//! The new rows are staged before, and a resolution says of each whether it stands, and which row of the table it takes
//! the place of. `MERGE` of the Delta library is not used: it loses data where nested schemas differ.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::caller::Context;
use crate::compact::fold;
use crate::data_file::NewFile;
use crate::resolve::{resolve, resolve_new};
use crate::rewrite::{self, Rewritten};
use crate::table::{Commit, DataFile, Table};
use crate::{Error, Result, SortedKeys};

/// How often a commit is tried against other writers.
pub const ATTEMPTS: u32 = 20;

/// What a change brings for one table.
#[derive(Debug)]
pub struct Change {
    /// The staged files, which no commit has named yet.
    pub staged: Vec<NewFile>,
    /// The keys of their rows (by the number of the file in `staged`), and of tombstones.
    pub keys: SortedKeys,
    /// The columns with statistics.
    pub indexed: Arc<Vec<String>>,
    /// Whether the change is to be committed even if no row comes or goes. A deletion of what the table does not have is,
    /// so that a writer that read the tombstones before it loses its race, and reads them again.
    pub buries: bool,
}

/// What became of a table.
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

/// Brings a table to what the change says. Returns at once where that was done before. `open` opens the table at its
/// newest version, or creates it.
///
/// # Errors
/// [`Error::Contended`] where others won every race; [`Error::Unreconciled`] where rows would be lost.
pub async fn upsert(
    context: &Context<'_>,
    mut open: impl AsyncFnMut() -> Result<Table>,
    mut change: Change,
) -> Result<Changed> {
    let mut name = String::new();
    for attempt in 0..ATTEMPTS {
        let mut table = open().await?;
        table.name().clone_into(&mut name);
        if table.done_by(&context.stamp).await? {
            table.discard(&change.staged).await;
            return Ok(Changed { version: Some(table.version()), ..context.caller.noted(&table).await? });
        }
        let resolved = resolve(context, &table, &mut change.keys).await?;
        if resolved.changes_nothing(&change.staged) && !change.buries {
            table.discard(&change.staged).await;
            return Ok(Changed { version: Some(table.version()), ..Changed::default() });
        }
        let rewritten =
            rewrite::apply(context, &change.indexed, &table, &table.columns()?, &change.staged, &resolved)
                .await?;
        let changed = Changed {
            inserted: resolved.inserted,
            updated: resolved.updated,
            deleted: resolved.deleted,
            version: None,
        };
        reconcile(&table, &rewritten, &changed)?;
        context.caller.note(&table, &changed).await?;
        match table.commit_actions(rewritten.actions.clone(), &context.stamp).await? {
            Commit::Done(version) => {
                table.discard(&rewritten.unused).await;
                return Ok(Changed { version: Some(version), ..changed });
            }
            Commit::Lost => take_back(&table, &rewritten).await,
        }
        back_off(attempt).await;
    }
    Err(Error::Contended { table: name, attempts: ATTEMPTS })
}

/// Replaces the rows and the columns of a table, unless that was done before. Returns the version that has them.
///
/// # Errors
/// [`Error::Unreconciled`] where the table would have more rows or fewer; [`Error::Contended`] where somebody has
/// committed to the table since it was opened.
pub async fn replace(
    context: &Context<'_>,
    mut table: Table,
    columns: &Schema,
    mut change: Change,
) -> Result<u64> {
    if table.done_by(&context.stamp).await? {
        table.discard(&change.staged).await;
        return Ok(table.version());
    }
    if !fold(context, &mut table).await? {
        return Err(Error::Contended { table: table.name().to_owned(), attempts: 1 });
    }
    let before = table.files()?;
    let resolved = resolve_new(context, &table, &mut change.keys).await?;
    let rewritten =
        rewrite::apply(context, &change.indexed, &table, columns, &change.staged, &resolved).await?;
    let had: u64 = before.iter().map(DataFile::live).sum();
    if had != rewritten.rows_in {
        table.discard(&change.staged).await;
        take_back(&table, &rewritten).await;
        return Err(Error::Unreconciled(format!(
            "table {} has {had} rows, and would have {}; nothing was committed",
            table.name(),
            rewritten.rows_in
        )));
    }
    let mut actions: Vec<_> = before.iter().filter_map(DataFile::remove).collect();
    actions.extend(rewritten.actions.iter().cloned());
    actions.extend(table.new_columns(columns)?);
    match table.commit_actions(actions, &context.stamp).await? {
        Commit::Done(version) => {
            table.discard(&rewritten.unused).await;
            Ok(version)
        }
        Commit::Lost => Err(Error::Contended { table: table.name().to_owned(), attempts: 1 }),
    }
}

/// Removes what was written for a commit that was lost.
pub(crate) async fn take_back(table: &Table, rewritten: &Rewritten) {
    table.discard(&rewritten.copies).await;
    if let Some(vectors) = &rewritten.vectors {
        table.place().remove(&table.place().data_file(vectors)).await;
    }
}

/// The table's rows must change by exactly what is reported, or nothing is committed.
fn reconcile(table: &Table, rewritten: &Rewritten, changed: &Changed) -> Result<()> {
    let (gone, come) = (rewritten.rows_out, rewritten.rows_in);
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

/// Waits a little before the next attempt, longer each time and never in step with another writer.
pub async fn back_off(attempt: u32) {
    let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
    tokio::time::sleep(Duration::from_millis((20 << attempt.min(6)) + jitter)).await;
}
