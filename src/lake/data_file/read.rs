//! Reads data files.

use arrow::array::RecordBatch;
use delta_upsert::StoredFile;
use futures::StreamExt;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use crate::error::{Error, Result};
use crate::lake::table::{DataFile, Table};

/// Rows that are decoded at a time.
const ROWS: usize = 8192;

/// Reads a data file: all of its columns, or the ones that are named, nested ones too (`meta.lastUpdated`).
pub async fn read(
    table: &Table,
    file: &DataFile,
    columns: Option<&[&str]>,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + 'static>> {
    read_in(table, file, columns, ROWS).await
}

/// The same in batches of so many rows.
pub async fn read_in(
    table: &Table,
    file: &DataFile,
    columns: Option<&[&str]>,
    rows: usize,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + 'static>> {
    let store = table.delta().log_store().object_store(None);
    let reader = StoredFile::new(store, file.path.clone(), file.size);
    let opened = async {
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
        let mask = match columns {
            None => ProjectionMask::all(),
            Some(columns) => ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied()),
        };
        builder.with_projection(mask).with_batch_size(rows).build()
    };
    opened.await.map_err(Error::parquet(table.name(), "read"))
}

/// All rows of a (small) table, file by file.
pub async fn read_all(table: &Table, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for file in table.files()? {
        let mut stream = read(table, &file, columns).await?;
        while let Some(batch) = stream.next().await {
            batches.push(batch.map_err(Error::parquet(table.name(), "read"))?);
        }
    }
    Ok(batches)
}
