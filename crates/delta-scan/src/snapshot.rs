//! What a scan needs of a table's version: its schema and its files.
//!
//! One invariant: what a reader must understand and we do not is found here, before anything is read.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use buoyant_kernel::table_features::TableFeature;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::parquet::arrow::arrow_reader::RowSelection;
use datafusion::parquet::file::metadata::ParquetMetaData;
use deltalake::DeltaTable;
use deltalake::kernel::DeletionVectorDescriptor;
use deltalake::logstore::LogStoreRef;
use object_store::ObjectMeta;
use tokio::sync::OnceCell;

use crate::statistics::FileStatistics;
use crate::types::with_views;
use crate::{Error, Result};

/// A version of a table.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) table: String,
    pub(crate) schema: SchemaRef,
    pub(crate) files: Vec<Arc<DataFile>>,
    pub(crate) log: LogStoreRef,
    pub(crate) store_url: ObjectStoreUrl,
}

/// A data file of it.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) object: ObjectMeta,
    pub(crate) vector: Option<DeletionVectorDescriptor>,
    pub(crate) statistics: FileStatistics,
    /// What its vector leaves, once somebody has asked.
    pub(crate) selection: OnceCell<RowSelection>,
    /// Its footer, once somebody has asked: every part of the file that is read by itself needs it.
    pub(crate) footer: Arc<OnceCell<Arc<ParquetMetaData>>>,
}

impl DataFile {
    /// The rows of the table that are in it, if the log says so.
    pub(crate) fn rows(&self) -> Option<u64> {
        self.statistics.rows.map(|rows| rows.saturating_sub(self.removed()))
    }

    /// The rows that its vector removes.
    pub(crate) fn removed(&self) -> u64 {
        self.vector.as_ref().map_or(0, |vector| vector.cardinality.unsigned_abs())
    }
}

impl Snapshot {
    /// The version that is loaded.
    pub(crate) fn read(delta: &DeltaTable) -> Result<Self> {
        let table = delta.table_url().to_string();
        let unreadable = |source| Error::Delta { table: table.clone(), source: Box::new(source) };
        let state = delta.snapshot().map_err(unreadable)?;
        if let Some(what) = unsupported(state) {
            return Err(Error::Unsupported { table, what });
        }
        let files = state.log_data().into_iter().map(|view| {
            let path = view.path().into_owned();
            if path.contains("://") {
                let what = format!("a file outside of its folder ({path})");
                return Err(Error::Unsupported { table: table.clone(), what });
            }
            let damaged =
                |reason: String| Error::Damaged { table: table.clone(), path: path.clone(), reason };
            let vector = view.deletion_vector_descriptor();
            let statistics = FileStatistics::parse(view.stats().as_deref(), vector.is_some())
                .map_err(|e| damaged(format!("its statistics are no JSON: {e}")))?;
            Ok(Arc::new(DataFile {
                object: ObjectMeta::try_from(&view).map_err(|e| damaged(e.to_string()))?,
                vector,
                statistics,
                selection: OnceCell::new(),
                footer: Arc::default(),
            }))
        });
        let files = files.collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(with_views(&state.snapshot().arrow_schema()));
        let log = delta.log_store();
        let store_url = store_url(&table)?;
        Ok(Self { table, schema, files, log, store_url })
    }
}

/// What the version has that a scan here does not read.
fn unsupported(state: &deltalake::table::state::DeltaTableState) -> Option<String> {
    let protocol = state.protocol();
    let mapping = state.metadata().configuration().get("delta.columnMapping.mode");
    if let Some(mode) = mapping.filter(|mode| mode.as_str() != "none") {
        return Some(format!("column mapping by {mode}"));
    }
    if !state.metadata().partition_columns().is_empty() {
        return Some("partition columns".to_owned());
    }
    if protocol.min_reader_version() > 3 {
        return Some(format!("the reader version {}", protocol.min_reader_version()));
    }
    let known = |feature: &TableFeature| {
        matches!(
            feature,
            TableFeature::DeletionVectors
                | TableFeature::TimestampWithoutTimezone
                | TableFeature::V2Checkpoint
                | TableFeature::VacuumProtocolCheck
                // Without a mode, columns have their own names.
                | TableFeature::ColumnMapping
        )
    };
    let mut features = protocol.reader_features().unwrap_or_default().iter();
    features.find(|feature| !known(feature)).map(|feature| format!("the reader feature {feature}"))
}

/// A name for the store of a table, of its own: DataFusion looks stores up by scheme and host alone.
fn store_url(table: &str) -> Result<ObjectStoreUrl> {
    let host: String = table.bytes().map(|byte| format!("{byte:02x}")).collect();
    ObjectStoreUrl::parse(format!("delta-scan://{host}")).map_err(|e| Error::Damaged {
        table: table.to_owned(),
        path: String::new(),
        reason: e.to_string(),
    })
}
