//! Key files: the keys of one data file, sorted, in Parquet with small pages.
//!
//! One invariant: a key file says what its data file says. It is rebuildable and never the truth; its data file never
//! changes, so neither does it.
//!
//! | column | type | |
//! |---|---|---|
//! | `id_high`, `id_low` | INT64, INT32 | the id's hash; the file is sorted by both |
//! | `at`, `beyond`, `seen` | INT64, INT32, INT64 | the version |
//! | `row_hash` | INT64 | the hash of the content |
//! | `row` | INT32 | the row's position in the data file, from 0 |

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int64Type, UInt32Type};
use arrow_array::{ArrayRef, Int64Array, PrimitiveArray, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use roaring::RoaringBitmap;

use crate::{Error, IdHash, Key, Result, StoredFile, Version};

/// Keys of a page: what is read to find one. Smaller pages compress worse and lengthen the index.
const PAGE_ROWS: usize = 4096;
/// Keys of a row group.
const GROUP_ROWS: usize = 1 << 20;
/// Keys that are encoded or decoded at a time.
const BATCH_ROWS: usize = 8192;

const COLUMNS: [&str; 7] = ["id_high", "id_low", "at", "beyond", "seen", "row_hash", "row"];

/// A row that a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Existing {
    /// Whose version it is.
    pub id: IdHash,
    /// Its version.
    pub version: Version,
    /// The hash of its content.
    pub row_hash: i64,
    /// Its position in the data file.
    pub row: u32,
}

impl From<&Key> for Existing {
    fn from(key: &Key) -> Self {
        Self { id: key.id, version: key.version, row_hash: key.row_hash, row: key.row }
    }
}

/// A key file on its way: the keys of a data file, in the file's order or in any other.
#[derive(Debug, Default)]
pub struct KeyFileBuilder {
    keys: Vec<Existing>,
}

impl KeyFileBuilder {
    /// Takes the key of a row.
    pub fn push(&mut self, key: Existing) {
        self.keys.push(key);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The file's content.
    ///
    /// # Errors
    /// [`Error::Parquet`], where the keys cannot be encoded.
    pub fn finish(mut self) -> Result<Bytes> {
        self.keys.sort_unstable();
        encode(&self.keys).map_err(|source| Error::Parquet { path: String::new(), source })
    }
}

fn schema() -> SchemaRef {
    let types = [
        DataType::Int64,
        DataType::UInt32,
        DataType::Int64,
        DataType::UInt32,
        DataType::Int64,
        DataType::Int64,
        DataType::UInt32,
    ];
    let fields = COLUMNS.iter().zip(types).map(|(name, of)| Field::new(*name, of, false));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    // Neighbouring hashes share their upper bits; of the other hashes no two are alike; versions and snapshots repeat.
    for (name, dictionary, encoding) in [
        ("id_high", false, Encoding::DELTA_BINARY_PACKED),
        ("id_low", false, Encoding::PLAIN),
        ("row_hash", false, Encoding::PLAIN),
        ("row", false, Encoding::DELTA_BINARY_PACKED),
    ] {
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), dictionary)
            .set_column_encoding(column, encoding);
    }
    Ok(properties.set_column_statistics_enabled("id_high".into(), EnabledStatistics::Page).build())
}

fn encode(keys: &[Existing]) -> Result<Bytes, ParquetError> {
    let options = ArrowWriterOptions::new().with_properties(properties()?);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema(), options)?;
    for keys in keys.chunks(BATCH_ROWS) {
        let long = |of: fn(&Existing) -> i64| {
            Arc::new(Int64Array::from_iter_values(keys.iter().map(of))) as ArrayRef
        };
        let short = |of: fn(&Existing) -> u32| {
            Arc::new(UInt32Array::from_iter_values(keys.iter().map(of))) as ArrayRef
        };
        let columns = vec![
            long(|key| key.id.high),
            short(|key| key.id.low),
            long(|key| key.version.at),
            short(|key| key.version.beyond),
            long(|key| key.version.seen),
            long(|key| key.row_hash),
            short(|key| key.row),
        ];
        writer.write(&RecordBatch::try_new(schema(), columns)?)?;
    }
    Ok(writer.into_inner()?.into())
}

/// A key file in a store, with its footer and page index read.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: String,
    file: StoredFile,
    metadata: ArrowReaderMetadata,
}

impl KeyFile {
    /// Opens a file; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Parquet`]; [`Error::Damaged`] for a file with other columns.
    pub async fn open(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Option<Self>> {
        let size = match store.head(path).await {
            Ok(found) => found.size,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(Error::store("read", path.as_ref())(source)),
        };
        let mut file = StoredFile::new(Arc::clone(store), path.clone(), size).with_page_index();
        let path = path.to_string();
        let parquet = |source| Error::Parquet { path: path.clone(), source };
        let metadata = file.get_metadata(None).await.map_err(parquet)?;
        let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()).map_err(parquet)?;
        let names: Vec<_> = metadata.schema().fields().iter().map(|field| field.name().as_str()).collect();
        if names != COLUMNS {
            return Err(Error::Damaged { path, reason: format!("its columns are {names:?}") });
        }
        Ok(Some(Self { path, file, metadata }))
    }

    /// How many keys it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Merges sorted keys with the file: `meet` is told of each row whose id they have, with all of the keys of that id.
    /// Rows whose positions are in `masked` are no longer there. Only pages that can hold one of the ids are read.
    ///
    /// # Errors
    /// [`Error::Parquet`], where the file cannot be read.
    pub async fn join(
        &self,
        keys: &[Key],
        masked: Option<&RoaringBitmap>,
        mut meet: impl FnMut(&[Key], Existing),
    ) -> Result<()> {
        let Some(selection) = self.pages_of(keys) else { return Ok(()) };
        let mut rest = keys;
        self.read(Some(selection), |existing| {
            if masked.is_some_and(|masked| masked.contains(existing.row)) {
                return;
            }
            rest = &rest[rest.partition_point(|key| key.id < existing.id)..];
            let of_id = rest.iter().take_while(|key| key.id == existing.id).count();
            if of_id > 0 {
                meet(&rest[..of_id], existing);
            }
        })
        .await
    }

    /// Tells of every key, in the order of the file.
    ///
    /// # Errors
    /// [`Error::Parquet`], where the file cannot be read.
    pub async fn for_each(&self, of: impl FnMut(Existing)) -> Result<()> {
        self.read(None, of).await
    }

    async fn read(&self, selection: Option<RowSelection>, mut of: impl FnMut(Existing)) -> Result<()> {
        let parquet = |source| Error::Parquet { path: self.path.clone(), source };
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
                .with_batch_size(BATCH_ROWS);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let mut batches = builder.build().map_err(parquet)?;
        while let Some(batch) = batches.try_next().await.map_err(parquet)? {
            decode(&batch, &mut of).ok_or_else(|| Error::Damaged {
                path: self.path.clone(),
                reason: "a column is not of its type".to_owned(),
            })?;
        }
        Ok(())
    }

    /// The rows of the pages that can hold one of the sorted keys; `None` where no page can.
    fn pages_of(&self, keys: &[Key]) -> Option<RowSelection> {
        let metadata = self.metadata.metadata();
        let (indexes, offsets) = (metadata.column_index()?, metadata.offset_index()?);
        let (mut selectors, mut some) = (Vec::new(), false);
        for (group, (index, offsets)) in metadata.row_groups().iter().zip(indexes.iter().zip(offsets)) {
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            let (Some(ColumnIndexMetaData::INT64(bounds)), Some(offsets)) = (index.first(), offsets.first())
            else {
                selectors.push(RowSelector::select(rows));
                some = true;
                continue;
            };
            let starts =
                offsets.page_locations().iter().map(|page| page.first_row_index.unsigned_abs() as usize);
            let starts: Vec<usize> = starts.chain([rows]).collect();
            let pages = starts.windows(2).zip(bounds.min_values().iter().zip(bounds.max_values()));
            for (page, (low, high)) in pages {
                let holds = holds_any(keys, *low..*high);
                some |= holds;
                let length = page[1] - page[0];
                selectors.push(if holds { RowSelector::select(length) } else { RowSelector::skip(length) });
            }
        }
        some.then(|| selectors.into())
    }
}

/// Whether one of the sorted keys lies between the bounds, both inclusive.
fn holds_any(keys: &[Key], bounds: Range<i64>) -> bool {
    let first = keys.partition_point(|key| key.id.high < bounds.start);
    keys.get(first).is_some_and(|key| key.id.high <= bounds.end)
}

fn decode(batch: &RecordBatch, of: &mut impl FnMut(Existing)) -> Option<()> {
    fn column<T: ArrowPrimitiveType>(batch: &RecordBatch, at: usize) -> Option<&PrimitiveArray<T>> {
        batch.columns().get(at)?.as_primitive_opt::<T>()
    }
    let (high, low) = (column::<Int64Type>(batch, 0)?, column::<UInt32Type>(batch, 1)?);
    let (at, beyond, seen) =
        (column::<Int64Type>(batch, 2)?, column::<UInt32Type>(batch, 3)?, column::<Int64Type>(batch, 4)?);
    let (row_hash, row) = (column::<Int64Type>(batch, 5)?, column::<UInt32Type>(batch, 6)?);
    for n in 0..batch.num_rows() {
        of(Existing {
            id: IdHash { high: high.value(n), low: low.value(n) },
            version: Version { at: at.value(n), beyond: beyond.value(n), seen: seen.value(n) },
            row_hash: row_hash.value(n),
            row: row.value(n),
        });
    }
    Some(())
}
