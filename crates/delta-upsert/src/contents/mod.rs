//! Tables whose rows are computed: brought to what they are to be by the contents of the rows alone.
//!
//! One invariant: afterwards the table, or the part of it that a change is about, has exactly the rows that were computed, as
//! often as they were, and a row that was there already is neither taken away nor brought again: whoever follows the
//! table's changes sees those of its rows. What is done is a function of the table and of the rows, so a change that was
//! interrupted is made again, and then finds nothing to do.
//!
//! Rows have an id that several of them may share, and no versions. Their keys are that of the id and the hash of all values.

mod compare;
mod keys;
mod staging;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;

pub use keys::ByContents;
pub use staging::{Limits, Staging};

use crate::caller::Context;
use crate::compact::fold;
use crate::data_file::NewFile;
use crate::rewrite::{self, Rewritten};
use crate::table::{Commit, Table};
use crate::upsert::{ATTEMPTS, back_off, take_back};
use crate::{Error, Result, SortedKeys, Stamp};

/// What part of a table rows were computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Some ids: their rows are those that were computed, all others stay.
    Ids,
    /// All of the table.
    Table,
    /// All of the table, and what is there is not looked at: every row is taken away, and every row brought.
    Anew,
}

/// The rows that a table, or a part of it, is to have.
#[derive(Debug)]
pub struct Contents {
    /// The files with the rows, which no commit has named yet.
    pub staged: Vec<NewFile>,
    /// Their keys, by the number of the file in `staged`; and tombstones for the ids in whose scope they are.
    pub keys: SortedKeys,
    /// What the rows were computed for.
    pub scope: Scope,
    /// The columns. A table that has others is made anew.
    pub columns: SchemaRef,
    /// The columns with statistics.
    pub indexed: Arc<Vec<String>>,
    /// Properties that the table has with the commit, such as what the rows were computed from.
    pub properties: BTreeMap<String, String>,
}

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that are no longer there.
    pub removed: u64,
    /// Rows that it has.
    pub rows: u64,
    /// The version with all of it.
    pub version: u64,
}

/// Brings a table to what it is to be, in one commit; in none, where it is so already. `open` opens the table at its newest
/// version, or creates it. The number of the commit's transaction is the version that it makes.
///
/// # Errors
/// [`Error::Contended`] where others won every race; [`Error::Unreconciled`] where rows would be lost; [`Error::Damaged`]
/// where rows of some ids are to be brought to a table that has other columns.
pub async fn bring(
    context: &Context<'_>,
    mut open: impl AsyncFnMut() -> Result<Table>,
    mut contents: Contents,
) -> Result<Brought> {
    let mut name = String::new();
    for attempt in 0..ATTEMPTS {
        let mut table = open().await?;
        table.name().clone_into(&mut name);
        let has_columns = table.has_columns(&contents.columns)?;
        contents.scope = scope(&table, contents.scope, has_columns)?;
        if !has_columns && !fold(context, &mut table).await? {
            back_off(attempt).await;
            continue;
        }
        let resolved = compare::resolve(context, &table, &mut contents).await?;
        let described = table.described(&contents.columns, &contents.indexed, &contents.properties)?;
        if resolved.changes_nothing(&contents.staged) && described.is_none() {
            table.discard(&contents.staged).await;
            return brought(&table, 0, 0, table.version());
        }
        let rewritten = rewrite::apply(
            context,
            &contents.indexed,
            &table,
            &contents.columns,
            &contents.staged,
            &resolved,
        )
        .await?;
        let (inserted, removed) = (resolved.inserted, resolved.deleted);
        if let Err(error) = reconcile(&table, &rewritten, inserted, removed) {
            take_back(&table, &rewritten).await;
            return Err(error);
        }
        let stamp =
            Stamp { application: context.stamp.application.clone(), version: following(table.version()) };
        let actions = rewritten.actions.iter().cloned().chain(described).collect();
        match table.commit_actions(actions, &stamp).await? {
            Commit::Done(version) => {
                table.discard(&rewritten.unused).await;
                return brought(&table, inserted, removed, version);
            }
            Commit::Lost => take_back(&table, &rewritten).await,
        }
        back_off(attempt).await;
    }
    Err(Error::Contended { table: name, attempts: ATTEMPTS })
}

/// A table with other columns has no row that could stay.
fn scope(table: &Table, scope: Scope, has_columns: bool) -> Result<Scope> {
    match scope {
        scope if has_columns => Ok(scope),
        Scope::Anew | Scope::Table => Ok(Scope::Anew),
        Scope::Ids => Err(Error::Damaged {
            path: table.place().folder.clone(),
            reason: "its columns are not those of the rows that it is to have".to_owned(),
        }),
    }
}

fn following(version: u64) -> i64 {
    i64::try_from(version).map_or(i64::MAX, |version| version.saturating_add(1))
}

fn brought(table: &Table, inserted: u64, removed: u64, version: u64) -> Result<Brought> {
    Ok(Brought { inserted, removed, rows: table.rows()?, version })
}

/// The table's rows must change by exactly what is reported, or nothing is committed.
fn reconcile(table: &Table, rewritten: &Rewritten, inserted: u64, removed: u64) -> Result<()> {
    let (gone, come) = (rewritten.rows_out, rewritten.rows_in);
    if come + removed == gone + inserted {
        return Ok(());
    }
    Err(Error::Unreconciled(format!(
        "table {}: files with {gone} rows would be replaced by files with {come}, for {inserted} inserted and {removed} \
         removed; nothing was committed",
        table.name(),
    )))
}

#[cfg(test)]
mod tests;
