//! What a commit makes of the files: a vector for the rows that go, or the file written again without them.
//!
//! One invariant: the work is bounded by the rows that go. A file of which fewer go than stay gets a vector, where the table
//! can have vectors; all others are written again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use deltalake::kernel::{Action, Add, DeletionVectorDescriptor};
use futures::StreamExt;

use crate::busy::busy;
use crate::caller::Context;
use crate::data_file::{self, DataFileWriter, NewFile, Parts};
use crate::keys::keys_of;
use crate::resolve::Resolved;
use crate::table::{DataFile, Mode, Table};
use crate::{Error, Existing, KeyFileBuilder, Result, RoaringBitmap, vector};

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

/// A file that gets a vector.
enum Masked<'f> {
    Table(&'f DataFile),
    Staged(&'f NewFile),
}

/// Writes what must be written, and says what is to be committed.
///
/// # Errors
/// What reading and writing files does.
pub async fn apply(
    context: &Context<'_>,
    indexed: &Arc<Vec<String>>,
    table: &Table,
    staged: &[NewFile],
    resolved: &Resolved,
) -> Result<Rewritten> {
    let mut rewritten = Rewritten::default();
    let mut masked: Vec<(Masked<'_>, RoaringBitmap)> = Vec::new();
    for (number, file) in resolved.files.iter().enumerate() {
        let Some(gone) = resolved.gone.get(&number) else { continue };
        rewritten.actions.extend(file.remove());
        rewritten.rows_out += file.live();
        let before = resolved.removed.get(&number).cloned().unwrap_or_default();
        let all = &before | gone;
        if table.mode() == Mode::DeletionVectors && 2 * gone.len() < file.live() {
            masked.push((Masked::Table(file), all));
        } else {
            rewritten.copy(context, indexed, table, file, &all).await?;
        }
    }
    for (number, file) in staged.iter().enumerate() {
        match resolved.fallen.get(&number) {
            None => {
                rewritten.rows_in += file.rows;
                rewritten.actions.push(Action::Add(file.add.clone()));
            }
            Some(fallen) if table.mode() == Mode::DeletionVectors && 2 * fallen.len() < file.rows => {
                masked.push((Masked::Staged(file), fallen.clone()));
            }
            Some(fallen) => {
                rewritten.copy(context, indexed, table, &DataFile::of_new(file), fallen).await?;
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
        file: &DataFile,
        gone: &RoaringBitmap,
    ) -> Result<()> {
        if let Some(copy) = without(context, indexed, table, file, gone).await? {
            self.rows_in += copy.rows;
            self.actions.push(Action::Add(copy.add.clone()));
            self.copies.push(copy);
        }
        Ok(())
    }

    /// Gives files vectors of the rows that are gone.
    async fn mask(&mut self, table: &Table, masked: Vec<(Masked<'_>, RoaringBitmap)>) -> Result<()> {
        let vectors: BTreeMap<usize, RoaringBitmap> =
            masked.iter().map(|(_, rows)| rows.clone()).enumerate().collect();
        if vectors.is_empty() {
            return Ok(());
        }
        let (mut descriptors, name) = vector::write(table, &vectors).await?;
        self.vectors = name;
        for (number, (from, rows)) in masked.into_iter().enumerate() {
            let descriptor = descriptors.remove(&number);
            let (add, in_file) = match from {
                Masked::Table(file) => (file.add().cloned(), file.rows),
                Masked::Staged(file) => (Some(file.add.clone()), file.rows),
            };
            self.rows_in += in_file - rows.len();
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

/// Writes a file again without some of its rows, with its keys; `None` where no row is left.
///
/// # Errors
/// What reading and writing files does.
pub async fn without(
    context: &Context<'_>,
    indexed: &Arc<Vec<String>>,
    table: &Table,
    file: &DataFile,
    gone: &RoaringBitmap,
) -> Result<Option<NewFile>> {
    if gone.len() == file.rows {
        return Ok(None);
    }
    let _turn = context.workers.turn().await;
    let place = table.place();
    let mut parts = Parts::new(place);
    let mut batches = data_file::read(table, file, None).await?;
    let mut writer: Option<DataFileWriter> = None;
    let mut first = 0_u32;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(Error::parquet(&place.data_file(file.path.as_ref())))?;
        let kept = keep(&batch, first, gone).map_err(Error::arrow(table.name()))?;
        first += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        let (place, name, indexed) = (place.clone(), context.names.next(), Arc::clone(indexed));
        let written = busy(move || {
            let mut open = match writer {
                Some(mut open) => {
                    open.write(&kept)?;
                    open
                }
                None => DataFileWriter::begin(&place, name, &kept, indexed)?,
            };
            Ok::<_, Error>((open.part(), open))
        });
        let (part, open) = written.await?;
        parts.place(part).await?;
        writer = Some(open);
    }
    let Some(writer) = writer else { return Ok(None) };
    let (part, copy) = writer.finish()?;
    parts.place([part]).await?;
    keep_keys(context, table, file, &copy, gone).await?;
    Ok(Some(copy))
}

fn keep(batch: &RecordBatch, first: u32, gone: &RoaringBitmap) -> Result<RecordBatch, ArrowError> {
    let rows = (0..batch.num_rows()).zip(first..);
    let mask: BooleanArray = rows.map(|(_, row)| Some(!gone.contains(row))).collect();
    filter_record_batch(batch, &mask)
}

/// Writes the keys of a copy: those of the file that it is a copy of, without the rows that are gone.
async fn keep_keys(
    context: &Context<'_>,
    table: &Table,
    file: &DataFile,
    copy: &NewFile,
    gone: &RoaringBitmap,
) -> Result<()> {
    let before = keys_of(context.caller, table, file).await?;
    let mut after = KeyFileBuilder::default();
    before
        .for_each(|existing| {
            if !gone.contains(existing.row) {
                let row = existing.row - u32::try_from(gone.rank(existing.row)).unwrap_or_default();
                after.push(Existing { row, ..existing });
            }
        })
        .await?;
    let place = table.place();
    place.put_rebuildable(&place.key_file(copy.path()), busy(move || after.finish()).await?).await
}
