//! The rows that a commit took or brought, as a table of a query.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use delta_upsert::Table;
use delta_upsert::changes::Rows;
use futures::{StreamExt, TryStreamExt};

/// What is read of a row: its id, when the server changed it last, its content's hash, and where its line is.
const READ: [&str; 6] =
    ["id", "meta.__lastUpdated_start", "__row_hash", "__raw_file", "__raw_offset", "__raw_length"];

/// Rows of files, one file after the other.
#[derive(Debug)]
pub(super) struct ChangedRows {
    table: Arc<Table>,
    rows: Arc<[Rows]>,
    schema: SchemaRef,
}

impl ChangedRows {
    pub(super) fn new(table: Arc<Table>, rows: Vec<Rows>) -> Self {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let fields = [
            ("id", DataType::Utf8),
            ("last_updated", time),
            ("__row_hash", DataType::Int64),
            ("__raw_file", DataType::Utf8),
            ("__raw_offset", DataType::Int64),
            ("__raw_length", DataType::Int64),
        ];
        let fields: Vec<Field> =
            fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
        Self { table, rows: rows.into(), schema: Arc::new(Schema::new(fields)) }
    }
}

impl PartitionStream for ChangedRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (table, rows, schema) =
            (Arc::clone(&self.table), Arc::clone(&self.rows), Arc::clone(&self.schema));
        let external =
            |error: delta_upsert::Error| DataFusionError::External(Box::new(crate::Error::from(error)));
        let flat = Arc::clone(&schema);
        let batches = futures::stream::iter(0..rows.len())
            .then(move |number| {
                let (table, rows) = (Arc::clone(&table), Arc::clone(&rows));
                async move { rows[number].read(&table, &READ).await }
            })
            .try_flatten()
            .map(move |batch| Ok(flatten(&batch.map_err(external)?, &flat)?));
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

/// The columns of a batch as they are named here; those that its file has left out are null.
fn flatten(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        let found = match field.name().as_str() {
            "last_updated" => batch
                .column_by_name("meta")
                .and_then(|meta| {
                    let meta = meta.as_struct_opt()?;
                    let updated = meta.column_by_name("__lastUpdated_start")?;
                    // Where a row has no `meta`, what is below it is not a value.
                    Some(arrow::compute::nullif(updated, &arrow::compute::is_null(meta).ok()?))
                })
                .transpose()?,
            name => batch.column_by_name(name).cloned(),
        };
        match found {
            Some(array) => cast(&array, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}
