//! A table as a whole, replaced by staged rows.

use super::resolve::resolve_new;
use super::rewrite;
use super::{Change, Context};
use crate::error::{Error, Result};
use crate::lake::data_file::NewFile;
use crate::lake::table::{Commit, DataFile, Table};

/// Replaces the rows and the columns of a table, unless the run has done so before. Returns the version that has them.
///
/// # Errors
/// [`Error::Unreconciled`] where the table would have more rows or fewer; [`Error::Contended`] where somebody has committed to the table since the change was staged.
pub async fn replace(context: &Context, name: &str, mut change: Change) -> Result<u64> {
    let spec = context.lake.resource_table(name)?;
    let table = Table::open(&context.lake.root, name).await?;
    let mut table = table.ok_or_else(|| crate::lake::table::missing(name))?;
    if table.done_by(&context.run).await? {
        table.discard(&change.staged).await;
        return Ok(table.version());
    }
    let before = table.files()?;
    let resolved = resolve_new(context, &table, &mut change.keys).await?;
    let rewritten = rewrite::apply(context, &spec, &table, &change.staged, &resolved).await?;
    let add: Vec<NewFile> = rewritten.copies.iter().chain(&rewritten.kept).cloned().collect();
    let (had, has): (u64, u64) =
        (before.iter().map(|file| file.rows).sum(), add.iter().map(|file| file.rows).sum());
    if had != has {
        table.discard(&add).await;
        table.discard(&rewritten.unused).await;
        return Err(Error::Unreconciled(format!(
            "table {name} has {had} rows, and the raw files give {has}; nothing was committed"
        )));
    }
    let remove = before.iter().filter_map(DataFile::remove).collect();
    match table.commit_with_columns(remove, add, &spec.columns, &context.run).await? {
        Commit::Done(version) => {
            table.discard(&rewritten.unused).await;
            Ok(version)
        }
        Commit::Lost => Err(Error::Contended { table: name.to_owned(), attempts: 1 }),
    }
}
