//! Copy-on-write: the data files that hold dropped rows, written again without them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use deltalake::kernel::Action;
use futures::StreamExt;

use super::Context;
use super::plan::Dropped;
use crate::error::{Error, Result};
use crate::lake::data_file::{self, DataFileWriter, FileNames, NewFile};
use crate::lake::resource::ResourceTable;
use crate::lake::table::Table;

/// A data file that the commit takes out of the table.
pub struct Removed {
    /// The action.
    pub action: Action,
    /// Its rows.
    pub rows: u64,
}

/// Writes the files without their dropped rows. Returns what the commit removes, and what it adds in its place.
pub async fn without(
    context: &Context,
    table: &Table,
    names: &FileNames,
    dropped: &Dropped,
) -> Result<(Vec<Removed>, Vec<NewFile>)> {
    let files = table.files()?;
    let indexed = ResourceTable::new(table.name())?.indexed;
    let (mut remove, mut add) = (Vec::new(), Vec::new());
    for (file, rows) in dropped.iter().filter_map(|(file, rows)| Some((files.get(*file)?, rows))) {
        remove.push(Removed { action: file.remove(), rows: file.rows });
        if rows.len() as u64 == file.rows {
            continue;
        }
        let _turn = context.workers.turn().await;
        let mut batches = data_file::read(table, file, None).await?;
        let mut writer: Option<DataFileWriter> = None;
        let mut first = 0_u64;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(Error::parquet(table.name(), "read"))?;
            let kept = keep(&batch, first, rows).map_err(Error::arrow(table.name()))?;
            first += batch.num_rows() as u64;
            let mut open = match writer {
                Some(open) => open,
                None => DataFileWriter::new(table, names, kept.schema(), Arc::clone(&indexed))?,
            };
            writer = Some(crate::blocking(move || open.write(&kept).map(|()| open)).await?);
        }
        if let Some(writer) = writer {
            add.push(writer.finish().await?);
        }
    }
    Ok((remove, add))
}

fn keep(
    batch: &RecordBatch,
    first: u64,
    dropped: &BTreeSet<u64>,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mask: BooleanArray =
        (first..first + batch.num_rows() as u64).map(|row| Some(!dropped.contains(&row))).collect();
    filter_record_batch(batch, &mask)
}
