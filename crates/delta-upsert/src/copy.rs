//! Data files written again: one without some of its rows, or several as one.
//!
//! One invariant: a copy has the rows of its files that are not gone, in their order, and their keys.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, FieldRef, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use futures::StreamExt;

use crate::busy::busy;
use crate::caller::Context;
use crate::data_file::{self, DataFileWriter, NewFile, Parts};
use crate::keys::keys_of;
use crate::table::{DataFile, Table};
use crate::{Error, Existing, KeyFileBuilder, Result, RoaringBitmap};

/// A file, and the rows of it that are gone.
pub type Source<'f> = (&'f DataFile, &'f RoaringBitmap);

/// Writes files as one, without the rows that are gone; `None` where no row is left. `columns` are those that the table has, or
/// will have with the commit that the copy is for.
///
/// # Errors
/// What reading and writing files does.
pub async fn copy(
    context: &Context<'_>,
    indexed: &Arc<Vec<String>>,
    table: &Table,
    columns: &Schema,
    sources: &[Source<'_>],
) -> Result<Option<NewFile>> {
    let sources: Vec<Source<'_>> =
        sources.iter().copied().filter(|(file, gone)| gone.len() < file.rows).collect();
    if sources.is_empty() {
        return Ok(None);
    }
    let _turn = context.workers.turn().await;
    let columns = of_files(table, columns, &sources).await?;
    let place = table.place();
    let (mut parts, mut writer): (_, Option<DataFileWriter>) = (Parts::new(place), None);
    for (file, gone) in &sources {
        let mut batches = data_file::read(table, file, None).await?;
        let mut first = 0_u32;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(Error::parquet(&place.data_file(file.path.as_ref())))?;
            let kept = keep(&batch, first, gone).and_then(|kept| pad(&kept, &columns));
            let kept = kept.map_err(Error::arrow(table.name()))?;
            first += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
            let (place, name, indexed) = (place.clone(), context.names.next(), Arc::clone(indexed));
            let before = writer.take();
            let written = busy(move || {
                let mut open = match before {
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
    }
    let Some(writer) = writer else { return Ok(None) };
    let (part, copy) = busy(move || writer.finish()).await?;
    parts.place([part]).await?;
    keep_keys(context, table, &sources, &copy).await?;
    Ok(Some(copy))
}

/// The columns of all the files, in the table's order. A file may have left out some that another one has.
async fn of_files(table: &Table, columns: &Schema, sources: &[Source<'_>]) -> Result<SchemaRef> {
    let mut of_files: Vec<SchemaRef> = Vec::with_capacity(sources.len());
    for (file, _) in sources {
        of_files.push(Arc::clone(data_file::read(table, file, None).await?.schema()));
    }
    let mut fields: Vec<FieldRef> = Vec::with_capacity(columns.fields().len());
    for expected in columns.fields() {
        let found = of_files.iter().find_map(|schema| schema.fields().find(expected.name()));
        let Some((_, field)) = found else { continue };
        if !expected.data_type().equals_datatype(field.data_type()) {
            return Err(Error::Damaged {
                path: table.place().folder.clone(),
                reason: format!(
                    "a file has its column {} as {}, and the table as {}",
                    field.name(),
                    field.data_type(),
                    expected.data_type()
                ),
            });
        }
        fields.push(Arc::clone(field));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn keep(batch: &RecordBatch, first: u32, gone: &RoaringBitmap) -> Result<RecordBatch, ArrowError> {
    let rows = (0..batch.num_rows()).zip(first..);
    let mask: BooleanArray = rows.map(|(_, row)| Some(!gone.contains(row))).collect();
    filter_record_batch(batch, &mask)
}

/// The same rows with the columns that another file has.
fn pad(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let filled = columns.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), batch.num_rows()),
    });
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(columns), filled.collect(), &rows)
}

/// Writes the keys of a copy: those of its files, without the rows that are gone.
async fn keep_keys(
    context: &Context<'_>,
    table: &Table,
    sources: &[Source<'_>],
    copy: &NewFile,
) -> Result<()> {
    let mut after = KeyFileBuilder::default();
    let mut first = 0_u32;
    for (file, gone) in sources {
        let before = keys_of(context.caller, table, file).await?;
        before
            .for_each(|existing| {
                if !gone.contains(existing.row) {
                    let row = existing.row - u32::try_from(gone.rank(existing.row)).unwrap_or_default();
                    after.push(Existing { row: first + row, ..existing });
                }
            })
            .await?;
        first += u32::try_from(file.rows - gone.len()).unwrap_or(u32::MAX);
    }
    let place = table.place();
    place.put_rebuildable(&place.key_file(copy.path()), busy(move || after.finish()).await?).await
}
