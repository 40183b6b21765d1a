//! The Parquet files of a table: written in place, read column by column.
//!
//! One invariant: a file that is written here belongs to nothing until a commit names it, so a crash leaves garbage at
//! worst. A file may leave out a whole top-level column that has no value in it (readers fill it with nulls), never a
//! nested field.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use deltalake::kernel::Add;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryFutureExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::arrow::{ArrowSchemaConverter, ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;

use super::table::{DataFile, RunStamp, Table};
use crate::error::{Error, Result};

/// Columns that no two rows share: a dictionary of them would be paid for twice.
const WITHOUT_DICTIONARY: [&str; 4] = ["id", "__row_hash", "__raw_offset", "__raw_length"];

/// The names of the files that a run writes for one table.
///
/// They follow from the run: one that is killed and started again writes over what it left, instead of beside it.
#[derive(Debug, Clone)]
pub struct FileNames {
    prefix: Arc<str>,
    next: Arc<AtomicU32>,
}

impl FileNames {
    /// The names of a run's files.
    pub fn of(run: &RunStamp) -> Self {
        let prefix = format!("part-{}-{}", run.pipeline, run.seq).into();
        Self { prefix, next: Arc::default() }
    }

    fn next(&self) -> String {
        format!("{}-{:05}.parquet", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A data file that no commit has named yet.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The action that makes it part of the table.
    pub add: Add,
    /// Its rows.
    pub rows: u64,
}

/// A data file on its way into a table.
pub struct DataFileWriter {
    path: String,
    table: String,
    store: Arc<dyn ObjectStore>,
    schema: SchemaRef,
    indexed: Arc<Vec<String>>,
    writer: ArrowWriter<Vec<u8>>,
}

impl DataFileWriter {
    /// Begins a file with these columns. `indexed` are the ones with statistics.
    pub fn new(
        table: &Table,
        names: &FileNames,
        schema: SchemaRef,
        indexed: Arc<Vec<String>>,
    ) -> Result<Self> {
        let properties = properties(&schema, &indexed).map_err(Error::parquet(table.name(), "begin"))?;
        // The embedded Arrow schema would say nothing that the Delta log does not, in every file again.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)
            .map_err(Error::parquet(table.name(), "begin"))?;
        let store = table.delta().log_store().object_store(None);
        Ok(Self { path: names.next(), table: table.name().to_owned(), store, schema, indexed, writer })
    }

    /// The file's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Appends rows, which have the file's columns.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(Error::parquet(&self.table, "write"))
    }

    /// Puts the file into the table's folder.
    pub async fn finish(mut self) -> Result<NewFile> {
        let metadata = self.writer.finish().map_err(Error::parquet(&self.table, "write"))?;
        let content = std::mem::take(self.writer.inner_mut());
        let size = content.len();
        let path = self.path;
        self.store
            .put(&Path::from(path.as_str()), content.into())
            .await
            .map_err(|source| Error::Storage { operation: "write", path: path.clone(), source })?;
        let add = Add {
            path,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: chrono::Utc::now().timestamp_millis(),
            stats: Some(statistics(&metadata, &self.indexed).to_string()),
            ..empty_add()
        };
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
        Ok(NewFile { add, rows })
    }
}

fn empty_add() -> Add {
    Add {
        path: String::new(),
        partition_values: Default::default(),
        size: 0,
        modification_time: 0,
        data_change: true,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// Compression, statistics only where they are asked for, and dictionaries only where values repeat.
fn properties(schema: &Schema, indexed: &[String]) -> ParquetResult<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(false)
        .set_max_row_group_row_count(Some(256 * 1024));
    for column in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let path = column.path().string();
        if indexed.contains(&path) {
            properties =
                properties.set_column_statistics_enabled(column.path().clone(), EnabledStatistics::Chunk);
        }
        let timestamp = column.physical_type() == Type::INT64 && path != "__row_hash";
        if timestamp || WITHOUT_DICTIONARY.contains(&path.as_str()) {
            properties = properties.set_column_dictionary_enabled(column.path().clone(), false);
        }
        if timestamp {
            properties = properties.set_column_encoding(column.path().clone(), Encoding::DELTA_BINARY_PACKED);
        }
    }
    Ok(properties.build())
}

/// The file's statistics as the Delta log wants them: the number of rows, and bounds of the indexed columns.
fn statistics(metadata: &ParquetMetaData, indexed: &[String]) -> serde_json::Value {
    let mut bounds: BTreeMap<String, (Option<String>, Option<String>, u64)> = BTreeMap::new();
    let mut complete: BTreeMap<String, bool> = BTreeMap::new();
    for group in metadata.row_groups() {
        for column in group.columns() {
            let path = column.column_path().string();
            if !indexed.contains(&path) {
                continue;
            }
            let Some(Statistics::ByteArray(found)) = column.statistics() else { continue };
            let text = |value: Option<&parquet::data_type::ByteArray>| {
                value.and_then(|bytes| bytes.as_utf8().ok()).map(str::to_owned)
            };
            let (low, high) = (text(found.min_opt()), text(found.max_opt()));
            let entry = bounds.entry(path.clone()).or_default();
            let nulls = found.null_count_opt();
            *complete.entry(path).or_insert(true) &= nulls.is_some();
            entry.0 = [entry.0.take(), low].into_iter().flatten().min();
            entry.1 = [entry.1.take(), high].into_iter().flatten().max();
            entry.2 += nulls.unwrap_or_default();
        }
    }
    let (mut low, mut high, mut nulls) =
        (serde_json::Map::new(), serde_json::Map::new(), serde_json::Map::new());
    for (path, (min, max, count)) in bounds {
        if let (Some(min), Some(max)) = (min, max) {
            nest(&mut low, &path, min.into());
            nest(&mut high, &path, max.into());
        }
        if complete.get(&path) == Some(&true) {
            nest(&mut nulls, &path, count.into());
        }
    }
    let rows = metadata.file_metadata().num_rows();
    serde_json::json!({ "numRecords": rows, "minValues": low, "maxValues": high, "nullCount": nulls })
}

/// Puts a value at a dotted path of nested objects.
fn nest(into: &mut serde_json::Map<String, serde_json::Value>, path: &str, value: serde_json::Value) {
    match path.split_once('.') {
        None => {
            into.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = into.entry(first).or_insert_with(|| serde_json::Map::new().into());
            if let Some(inner) = inner.as_object_mut() {
                nest(inner, rest, value);
            }
        }
    }
}

/// Reads a data file: all of its columns, or the leaves that are named (`meta.lastUpdated`).
pub async fn read(
    table: &Table,
    file: &DataFile,
    leaves: Option<&[&str]>,
) -> Result<ParquetRecordBatchStream<impl AsyncFileReader + Unpin + 'static>> {
    let reader = StoredFile {
        store: table.delta().log_store().object_store(None),
        path: file.path.clone(),
        size: file.size,
    };
    let opened = async {
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
        let mask = match leaves {
            None => ProjectionMask::all(),
            Some(leaves) => ProjectionMask::columns(builder.parquet_schema(), leaves.iter().copied()),
        };
        builder.with_projection(mask).with_batch_size(8192).build()
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

/// A Parquet file in an object store, read by ranges.
struct StoredFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        async move { store.get_range(&path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        async move { store.get_ranges(&path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let size = self.size;
        ParquetMetaDataReader::new().load_and_finish(self, size).map_ok(Arc::new).boxed()
    }
}
