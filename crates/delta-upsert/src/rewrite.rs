//! What a commit makes of the files: a vector for the rows that go, or the file written again without them.
//!
//! One invariant: the work is bounded by the rows that go and by the files that come. Where the table can have vectors, no file of
//! it is written again: Delta's change feed is derived from vectors, and would show every row of such a file. In other tables each
//! file of which a row goes is. A new file of which a row is not to stand, such as one of two resources of an id, is written again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::Schema;
use deltalake::kernel::{Action, Add, DeletionVectorDescriptor};

use crate::caller::Context;
use crate::data_file::NewFile;
use crate::resolve::Resolved;
use crate::table::{DataFile, Mode, Table};
use crate::{Result, RoaringBitmap, copy, vector};

/// What a commit makes of the files.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// The commit's actions.
    pub actions: Vec<Action>,
    /// Rows of the table in files that the actions take out.
    pub rows_out: u64,
    /// Rows of the table in files that they put in.
    pub rows_in: u64,
    /// Files that were written for this commit alone.
    pub copies: Vec<NewFile>,
    /// The file of vectors that was written for this commit alone.
    pub vectors: Option<String>,
    /// Staged files that do not become part of the table.
    pub unused: Vec<NewFile>,
}

/// Writes what must be written, and says what is to be committed. `columns` are those that the table has with the commit.
///
/// # Errors
/// What reading and writing files does.
pub async fn apply(
    context: &Context<'_>,
    indexed: &Arc<Vec<String>>,
    table: &Table,
    columns: &Schema,
    staged: &[NewFile],
    resolved: &Resolved,
) -> Result<Rewritten> {
    let mut rewritten = Rewritten::default();
    let mut masked: Vec<(&DataFile, RoaringBitmap)> = Vec::new();
    for (number, file) in resolved.files.iter().enumerate() {
        let Some(gone) = resolved.gone.get(&number) else { continue };
        rewritten.actions.extend(file.remove());
        rewritten.rows_out += file.live();
        let before = resolved.removed.get(&number).cloned().unwrap_or_default();
        let all = &before | gone;
        // A file that had a vector is not taken out when its last rows go: Python deltalake 1.6 would tell the rows of the
        // old vector as deleted, and not those that were left.
        let is_masked = gone.len() < file.live() || !before.is_empty();
        if table.mode() == Mode::DeletionVectors && is_masked {
            masked.push((file, all));
        } else {
            rewritten.copy(context, indexed, table, columns, file, &all).await?;
        }
    }
    for (number, file) in staged.iter().enumerate() {
        match resolved.fallen.get(&number) {
            None => {
                rewritten.rows_in += file.rows;
                rewritten.actions.push(Action::Add(file.add.clone()));
            }
            // No new file has a vector: the same reader would tell its masked rows as those that came.
            Some(fallen) => {
                rewritten.copy(context, indexed, table, columns, &DataFile::of_new(file), fallen).await?;
                rewritten.unused.push(file.clone());
            }
        }
    }
    rewritten.mask(table, masked).await?;
    Ok(rewritten)
}

impl Rewritten {
    /// Puts a copy of a file without some rows in its place; nothing, where no row is left.
    async fn copy(
        &mut self,
        context: &Context<'_>,
        indexed: &Arc<Vec<String>>,
        table: &Table,
        columns: &Schema,
        file: &DataFile,
        gone: &RoaringBitmap,
    ) -> Result<()> {
        if let Some(copy) = copy::copy(context, indexed, table, columns, &[(file, gone)]).await? {
            self.rows_in += copy.rows;
            self.actions.push(Action::Add(copy.add.clone()));
            self.copies.push(copy);
        }
        Ok(())
    }

    /// Gives files vectors of the rows that are gone.
    async fn mask(&mut self, table: &Table, masked: Vec<(&DataFile, RoaringBitmap)>) -> Result<()> {
        let vectors: BTreeMap<usize, RoaringBitmap> =
            masked.iter().map(|(_, rows)| rows.clone()).enumerate().collect();
        if vectors.is_empty() {
            return Ok(());
        }
        let (mut descriptors, name) = vector::write(table, &vectors).await?;
        self.vectors = name;
        for (number, (file, rows)) in masked.into_iter().enumerate() {
            let descriptor = descriptors.remove(&number);
            self.rows_in += file.rows - rows.len();
            let add = file.add().cloned();
            self.actions.extend(add.map(|add| Action::Add(with_vector(add, descriptor))));
        }
        Ok(())
    }
}

/// The same file with rows removed. The bounds of its statistics hold for the rows that are left, but are no longer tight.
fn with_vector(add: Add, vector: Option<DeletionVectorDescriptor>) -> Add {
    let stats = add.stats.as_deref().and_then(|stats| {
        let mut stats: serde_json::Value = serde_json::from_str(stats).ok()?;
        stats.as_object_mut()?.insert("tightBounds".to_owned(), false.into());
        Some(stats.to_string())
    });
    Add { deletion_vector: vector, data_change: true, stats, ..add }
}
