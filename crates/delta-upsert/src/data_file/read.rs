//! Reads data files.

use crate::StoredFile;
use arrow_array::RecordBatch;
use futures::StreamExt;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use crate::table::{DataFile, Table};
use crate::{Error, Result};

/// Rows that are decoded at a time.
const ROWS: usize = 8192;

/// Reads a data file: all of its columns, or the ones that are named, nested ones too (`meta.lastUpdated`). Rows that a
/// deletion vector removes are among them.
///
/// # Errors
/// [`Error::Parquet`].
pub async fn read(
    table: &Table,
    file: &DataFile,
    columns: Option<&[&str]>,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + use<>>> {
    read_in(table, file, columns, ROWS).await
}

/// The same in batches of so many rows.
///
/// # Errors
/// [`Error::Parquet`].
pub async fn read_in(
    table: &Table,
    file: &DataFile,
    columns: Option<&[&str]>,
    rows: usize,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + use<>>> {
    let store = table.delta().log_store().object_store(None);
    let reader = StoredFile::new(store, file.path.clone(), file.size);
    let opened = async {
        // What another program embeds (views, dictionaries) is not how the table's columns are read here.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await?;
        let mask = match columns {
            None => ProjectionMask::all(),
            Some(columns) => ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied()),
        };
        builder.with_projection(mask).with_batch_size(rows).build()
    };
    opened.await.map_err(Error::parquet(&table.place().data_file(file.path.as_ref())))
}

/// All rows of a (small) table without deletion vectors, file by file.
///
/// # Errors
/// [`Error::Parquet`], and what the table's log does.
pub async fn read_all(table: &Table, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for file in table.files()? {
        let mut stream = read(table, &file, columns).await?;
        while let Some(batch) = stream.next().await {
            batches.push(batch.map_err(Error::parquet(&table.place().data_file(file.path.as_ref())))?);
        }
    }
    Ok(batches)
}
