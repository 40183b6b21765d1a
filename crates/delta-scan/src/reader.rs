//! How the Parquet source gets at the data files: as DataFusion reads any, with narrowed footers.
//!
//! One invariant: all readers of one scan see the same footer of a file, so the parts of a file that they read are
//! disjoint, and together are all of it.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::DefaultParquetFileReaderFactory;
use datafusion::error::Result;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use tokio::sync::OnceCell;

use crate::footer::narrowed;
use crate::snapshot::DataFile;

/// The readers of a scan.
#[derive(Debug)]
pub(crate) struct Readers {
    files: DefaultParquetFileReaderFactory,
    columns: SchemaRef,
}

/// The footers of a data file: the one it has, and what a scan sees of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Footers {
    whole: Arc<OnceCell<Arc<ParquetMetaData>>>,
    narrow: Arc<OnceCell<Arc<ParquetMetaData>>>,
}

impl Footers {
    /// The footers of a file, for one scan.
    pub(crate) fn of(file: &DataFile) -> Self {
        Self { whole: Arc::clone(&file.footer), narrow: Arc::default() }
    }
}

impl Readers {
    /// Readers of files that lie in a store, for a scan of these columns.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, columns: SchemaRef) -> Self {
        Self { files: DefaultParquetFileReaderFactory::new(store), columns }
    }
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let footers = file.extension::<Footers>().cloned().unwrap_or_default();
        let file = self.files.create_reader(partition, file, size_hint, metrics)?;
        Ok(Box::new(Reader { file, footers, columns: Arc::clone(&self.columns) }))
    }
}

struct Reader {
    file: Box<dyn AsyncFileReader + Send>,
    footers: Footers,
    columns: SchemaRef,
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.file.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.file.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let Footers { whole, narrow } = self.footers.clone();
        async move {
            let narrow = narrow.get_or_try_init(|| async {
                let whole = whole.get_or_try_init(|| self.file.get_metadata(options)).await?;
                Ok::<_, ParquetError>(Arc::new(narrowed(whole, &self.columns)?))
            });
            narrow.await.cloned()
        }
        .boxed()
    }
}
