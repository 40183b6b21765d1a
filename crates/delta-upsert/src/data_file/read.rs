//! Reads data files.

use std::sync::Arc;

use crate::StoredFile;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use futures::StreamExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
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
        let mut reader = reader;
        let mut metadata = ArrowReaderMetadata::load_async(&mut reader, options.clone()).await?;
        if let Some(schema) = with_our_times(metadata.schema()) {
            metadata =
                ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options.with_schema(schema))?;
        }
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata);
        let mask = match columns {
            None => ProjectionMask::all(),
            Some(columns) => ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied()),
        };
        builder.with_projection(mask).with_batch_size(rows).build()
    };
    opened.await.map_err(Error::parquet(&table.place().data_file(file.path.as_ref())))
}

/// The columns with Delta's type for points in time, where the file has INT96, as Spark writes by default: that would be
/// read as nanoseconds, which end in 2262. `None` where it has none.
fn with_our_times(schema: &Schema) -> Option<SchemaRef> {
    let fields: Fields = schema.fields().iter().map(our_times).collect();
    (fields != *schema.fields()).then(|| Arc::new(Schema::new(fields)))
}

fn our_times(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(our_times).collect()),
        DataType::List(element) => DataType::List(our_times(element)),
        DataType::Map(entries, sorted) => DataType::Map(our_times(entries), *sorted),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
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

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampMicrosecondType;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::data_type::{Int96, Int96Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// A file as Spark writes it, with the last day of the year 9999.
    fn of_spark() -> Bytes {
        let schema = parse_message_type("message m { optional group meta { optional int96 at; } }").unwrap();
        let (mut bytes, mut day) = (Vec::new(), Int96::new());
        // The Julian day, after the nanoseconds of the day.
        day.set_data(0, 0, 5_373_484);
        let mut file = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::default()).unwrap();
        let mut group = file.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int96Type>().write_batch(&[day], Some(&[2]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        file.close().unwrap();
        bytes.into()
    }

    #[test]
    fn times_of_spark_are_read_as_the_tables_and_beyond_2262() {
        let bytes = of_spark();
        let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).unwrap();
        let schema = with_our_times(metadata.schema()).unwrap();
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap();
        assert!(with_our_times(metadata.schema()).is_none());
        let mut rows = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata).build().unwrap();
        let batch = rows.next().unwrap().unwrap();
        let at = batch.column(0).as_struct().column(0).as_primitive::<TimestampMicrosecondType>().value(0);
        let at = chrono::DateTime::from_timestamp_micros(at).unwrap();
        assert_eq!(at.to_rfc3339(), "9999-12-31T00:00:00+00:00");
    }
}
