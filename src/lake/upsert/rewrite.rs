//! Copy-on-write: the data files that hold rows which go, written again without them, with their keys.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use delta_upsert::{Existing, KeyFileBuilder, RoaringBitmap};
use futures::StreamExt;
use object_store::path::Path;

use super::Context;
use super::resolve::Resolved;
use crate::error::{Error, Result};
use crate::lake::data_file::{self, DataFileWriter, NewFile, Parts};
use crate::lake::keys;
use crate::lake::resource::ResourceTable;
use crate::lake::table::{DataFile, Table};

/// What a commit makes of the files.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// Files of the table that go.
    pub removed: Vec<DataFile>,
    /// Files that were written again: in place of those, and of staged ones.
    pub copies: Vec<NewFile>,
    /// Staged files that become part of the table as they are.
    pub kept: Vec<NewFile>,
    /// Staged files that do not.
    pub unused: Vec<NewFile>,
}

/// Writes again what must be written again.
pub async fn apply(
    context: &Context,
    spec: &ResourceTable,
    table: &Table,
    staged: &[NewFile],
    resolved: &Resolved,
) -> Result<Rewritten> {
    let mut rewritten = Rewritten::default();
    for (number, file) in resolved.files.iter().enumerate() {
        if let Some(gone) = resolved.gone.get(&number) {
            rewritten.copies.extend(without(context, spec, table, file, gone).await?);
            rewritten.removed.push(file.clone());
        }
    }
    for (number, file) in staged.iter().enumerate() {
        match resolved.fallen.get(&number) {
            None => rewritten.kept.push(file.clone()),
            Some(fallen) => {
                let stored = DataFile::of_new(file);
                rewritten.copies.extend(without(context, spec, table, &stored, fallen).await?);
                rewritten.unused.push(file.clone());
            }
        }
    }
    Ok(rewritten)
}

/// Writes a file again without some of its rows; `None` where no row is left.
async fn without(
    context: &Context,
    spec: &ResourceTable,
    table: &Table,
    file: &DataFile,
    gone: &RoaringBitmap,
) -> Result<Option<NewFile>> {
    if gone.len() == file.rows {
        return Ok(None);
    }
    let _turn = context.workers.turn().await;
    let mut parts = Parts::new(&context.lake.root);
    let mut batches = data_file::read(table, file, None).await?;
    let mut writer: Option<DataFileWriter> = None;
    let mut first = 0_u32;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(Error::parquet(table.name(), "read"))?;
        let kept = keep(&batch, first, gone).map_err(Error::arrow(table.name()))?;
        first += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        let (table, name, indexed) =
            (table.name().to_owned(), context.names.next(), Arc::clone(&spec.indexed));
        let written = crate::busy(move || {
            let mut open = match writer {
                Some(mut open) => {
                    open.write(&kept)?;
                    open
                }
                None => DataFileWriter::begin(&table, name, &kept, indexed)?,
            };
            Ok((open.part(), open))
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

fn keep(
    batch: &RecordBatch,
    first: u32,
    gone: &RoaringBitmap,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let rows = (0..batch.num_rows()).zip(first..);
    let mask: BooleanArray = rows.map(|(_, row)| Some(!gone.contains(row))).collect();
    filter_record_batch(batch, &mask)
}

/// Writes the keys of a copy: those of the file that it is a copy of, without the rows that are gone.
async fn keep_keys(
    context: &Context,
    table: &Table,
    file: &DataFile,
    copy: &NewFile,
    gone: &RoaringBitmap,
) -> Result<()> {
    let root = &context.lake.root;
    let before = keys::of(root, table, file, &context.transaction_times).await?;
    let mut after = KeyFileBuilder::default();
    before
        .for_each(|existing| {
            if !gone.contains(existing.row) {
                let row = existing.row - u32::try_from(gone.rank(existing.row)).unwrap_or_default();
                after.push(Existing { row, ..existing });
            }
        })
        .await?;
    let path = Path::from(keys::path(table.name(), copy.path()));
    let content = crate::busy(move || Ok(after.finish()?)).await?;
    root.put_rebuildable(path.as_ref(), content).await
}
