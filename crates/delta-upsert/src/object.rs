//! A Parquet file in an object store, read by ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

/// A file whose size is known, as Parquet's asynchronous reader wants it.
#[derive(Debug, Clone)]
pub struct StoredFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    page_index: PageIndexPolicy,
}

impl StoredFile {
    /// The file at a path of a store.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, path: Path, size: u64) -> Self {
        Self { store, path, size, page_index: PageIndexPolicy::Skip }
    }

    /// Reads the page index with the footer, where the file has one.
    #[must_use]
    pub fn with_page_index(self) -> Self {
        Self { page_index: PageIndexPolicy::Optional, ..self }
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        let (size, policy) = (self.size, self.page_index);
        let reader = ParquetMetaDataReader::new().with_page_index_policy(policy);
        reader.load_and_finish(self, size).map_ok(Arc::new).boxed()
    }
}
