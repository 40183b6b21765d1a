//! A version of a Delta table as a table of DataFusion.
//!
//! One invariant: everything that the Parquet source may do with a file it may do with one that has a deletion vector. The
//! vector is a selection of the file's rows, and counts of rows are those of the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use deltalake::DeltaTable;
use futures::{StreamExt, TryStreamExt, stream};

use crate::narrow::Need;
use crate::reader::{Footers, Readers};
use crate::reshape::ReshapingFactory;
use crate::snapshot::{DataFile, Snapshot};
use crate::{Result, pruning, statistics, vector};

/// Deletion vectors that are read at the same time.
const VECTORS_AT_ONCE: usize = 16;

/// One version of a Delta table, to be scanned.
#[derive(Debug, Clone)]
pub struct DeltaScan {
    snapshot: Arc<Snapshot>,
    /// The table's columns, which may lack fields that nobody asks for.
    schema: SchemaRef,
}

impl DeltaScan {
    /// The version of a table that is loaded.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) for a table that needs more of its readers than deletion vectors:
    /// partition columns, column mapping, other features. [`Error::Damaged`](crate::Error::Damaged) and
    /// [`Error::Delta`](crate::Error::Delta) where its log cannot be read.
    pub fn try_new(table: &DeltaTable) -> Result<Self> {
        let snapshot = Arc::new(Snapshot::read(table)?);
        Ok(Self { schema: Arc::clone(&snapshot.schema), snapshot })
    }

    /// The same table with no more in these columns than is named of them: fields at the end of paths, through lists too. Of a
    /// path that ends at a struct it is kept whether there is one, at the lowest price. Columns that are not named stay as they
    /// are; a projection leaves them out.
    ///
    /// ```text
    /// code.coding.system   all codings of `code`, each with its system
    /// code.coding          how many codings there are
    /// ```
    #[must_use]
    pub fn with_fields<'p, P, S>(&self, paths: impl IntoIterator<Item = &'p P>) -> Self
    where
        P: AsRef<[S]> + 'p,
        S: AsRef<str> + 'p,
    {
        let mut needs: BTreeMap<&str, Need> = BTreeMap::new();
        for path in paths {
            let Some((column, below)) = path.as_ref().split_first() else { continue };
            let need = Need::shape().under(below.iter().map(AsRef::as_ref));
            needs.entry(column.as_ref()).or_insert_with(Need::shape).grow(need);
        }
        let narrow = self.schema.fields().iter().map(|field| {
            needs.get(field.name().as_str()).map_or_else(|| Arc::clone(field), |need| need.narrow(field))
        });
        let narrow = Schema::new_with_metadata(narrow.collect::<Vec<_>>(), self.schema.metadata().clone());
        self.narrowed(Arc::new(narrow))
    }

    /// The same table with fewer fields in its nested columns.
    pub(crate) fn narrowed(&self, schema: SchemaRef) -> Self {
        Self { snapshot: Arc::clone(&self.snapshot), schema }
    }

    /// The files that a scan with these filters must look at.
    fn files(&self, state: &dyn Session, filters: &[Expr]) -> SqlResult<Vec<Arc<DataFile>>> {
        let live = self.snapshot.files.iter().filter(|file| file.rows() != Some(0));
        let files = live.cloned().collect();
        match conjunction(filters.to_vec()) {
            Some(filter) => {
                let columns = DFSchema::try_from(Arc::clone(&self.schema))?;
                let filter = state.create_physical_expr(filter, &columns)?;
                pruning::candidates(files, &filter, &self.schema)
            }
            None => Ok(files),
        }
    }

    async fn part(&self, file: Arc<DataFile>, columns: &SchemaRef) -> Result<PartitionedFile> {
        let known = Arc::new(statistics::of_file(&file, columns));
        let part = PartitionedFile::new_from_meta(file.object.clone())
            .with_statistics(known)
            .with_extension(Footers::of(&file));
        Ok(match vector::selection(&self.snapshot, &file).await? {
            Some(selection) => part.with_extension(ParquetRowSelection::new(selection.clone())),
            None => part,
        })
    }
}

/// The files that have so many rows, from the first.
fn enough(files: Vec<Arc<DataFile>>, limit: usize) -> Vec<Arc<DataFile>> {
    let mut rows = 0;
    files
        .into_iter()
        .take_while(|file| {
            let more = rows < limit as u64;
            rows += file.rows().unwrap_or_default();
            more
        })
        .collect()
}

fn options(state: &dyn Session) -> TableParquetOptions {
    let mut options = TableParquetOptions {
        global: state.config_options().execution.parquet.clone(),
        ..Default::default()
    };
    options.global.pushdown_filters = true;
    // Delta's timestamps are of microseconds, in UTC, and Spark has written them in this type for long.
    options.global.coerce_int96 = Some("us".to_owned());
    options.global.coerce_int96_tz = Some("UTC".to_owned());
    options
}

#[async_trait]
impl TableProvider for DeltaScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters leave out files here, and go down to the decoder when the physical plan is optimised.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> SqlResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> SqlResult<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => Arc::clone(&self.schema),
        };
        let mut files = self.files(state, filters)?;
        if let (Some(limit), []) = (limit, filters) {
            files = enough(files, limit);
        }
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(columns)));
        }
        let parts: Vec<PartitionedFile> = stream::iter(files)
            .map(|file| self.part(file, &columns))
            .buffered(VECTORS_AT_ONCE)
            .try_collect()
            .await?;
        let known: Vec<_> = parts.iter().filter_map(|part| part.statistics.clone()).collect();
        let known = statistics::of_all(&known, &columns);
        let store = self.snapshot.log.object_store(None);
        state.runtime_env().register_object_store(self.snapshot.store_url.as_ref(), Arc::clone(&store));
        let source = ParquetSource::new(Arc::clone(&columns))
            .with_table_parquet_options(options(state))
            .with_parquet_file_reader_factory(Arc::new(Readers::new(store, columns)));
        let scan = FileScanConfigBuilder::new(self.snapshot.store_url.clone(), Arc::new(source))
            .with_file_groups(FileGroup::new(parts).split_files(state.config().target_partitions()))
            .with_statistics(known)
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(ReshapingFactory)))
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}
