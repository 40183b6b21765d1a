//! The keys of rows that have no versions: an id, and the hash of all values.
//!
//! One invariant: rows with equal values have equal keys, whichever file and batch they are in.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use futures::StreamExt;
use futures::future::BoxFuture;
use xxhash_rust::xxh3::xxh3_128;

use crate::busy::busy;
use crate::caller::Caller;
use crate::data_file;
use crate::table::{DataFile, Table};
use crate::{Error, Existing, IdHash, KeyFileBuilder, Result, Version};

/// Rows of this kind have no versions.
pub(super) const NO_VERSION: Version = Version { at: 0, beyond: 0, seen: 0 };

/// Makes the keys of rows.
pub(super) struct RowKeys {
    columns: SchemaRef,
    converter: RowConverter,
    id: Option<usize>,
}

impl RowKeys {
    /// Keys of rows with these columns, one of which may hold ids: a text. Rows without have the hash of their values as id.
    pub(super) fn new(columns: &SchemaRef, id: Option<&str>) -> Result<Self, ArrowError> {
        let fields = columns.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let id = id.map(|name| columns.index_of(name)).transpose()?;
        if let Some(id) = id.filter(|id| *columns.field(*id).data_type() != DataType::Utf8) {
            let text = format!("the column of ids, {}, is no text", columns.field(id).name());
            return Err(ArrowError::SchemaError(text));
        }
        Ok(Self { columns: Arc::clone(columns), converter: RowConverter::new(fields.collect())?, id })
    }

    /// The id and the hash of each row of a batch, which has the columns, or lacks some that have no value.
    pub(super) fn of(&self, batch: &RecordBatch) -> Result<Vec<(IdHash, i64)>, ArrowError> {
        let columns = padded(batch, &self.columns)?;
        let rows = self.converter.convert_columns(&columns)?;
        let ids: Option<&StringArray> = self.id.map(|id| columns[id].as_string::<i32>());
        let keys = rows.iter().enumerate().map(|(n, row)| {
            let bits = xxh3_128(row.as_ref());
            let id = match ids {
                Some(ids) => IdHash::of(if ids.is_valid(n) { ids.value(n) } else { "" }),
                None => IdHash::of_bits(bits),
            };
            (id, (bits as u64).cast_signed())
        });
        Ok(keys.collect())
    }
}

/// The values of all of the columns, in their order. A file may have left out those that have no value in it.
fn padded(batch: &RecordBatch, columns: &SchemaRef) -> Result<Vec<ArrayRef>, ArrowError> {
    let filled = columns.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type().equals_datatype(field.data_type()) => Ok(Arc::clone(column)),
        Some(column) => Err(ArrowError::SchemaError(format!(
            "a file has its column {} as {}, and the table as {}",
            field.name(),
            column.data_type(),
            field.data_type()
        ))),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    filled.collect()
}

/// Who changes a table whose rows are known by their contents.
#[derive(Debug, Clone)]
pub struct ByContents {
    /// The column that has the ids of rows, where there is one.
    pub id: Option<String>,
}

impl Caller for ByContents {
    fn keys<'a>(&'a self, table: &'a Table, file: &'a DataFile) -> BoxFuture<'a, Result<KeyFileBuilder>> {
        Box::pin(async move {
            let arrow = |error| Error::arrow(table.name())(error);
            let mut keys = RowKeys::new(&Arc::new(table.columns()?), self.id.as_deref()).map_err(arrow)?;
            let mut batches = data_file::read(table, file, None).await?;
            let (mut builder, mut first) = (KeyFileBuilder::default(), 0_u32);
            while let Some(batch) = batches.next().await {
                let batch = batch.map_err(Error::parquet(&table.place().data_file(file.path.as_ref())))?;
                let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
                let of_batch;
                (keys, of_batch) = busy(move || {
                    let of_batch = keys.of(&batch);
                    Ok::<_, Error>((keys, of_batch))
                })
                .await?;
                for ((id, row_hash), row) in of_batch.map_err(arrow)?.into_iter().zip(first..) {
                    builder.push(Existing { id, version: NO_VERSION, row_hash, row });
                }
                first = first.saturating_add(rows);
            }
            Ok(builder)
        })
    }
}
