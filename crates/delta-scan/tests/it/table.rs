//! Delta tables, written by hand: files with few rows in a row group, and vectors of both kinds.

use std::fs::{self, File};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use buoyant_kernel::actions::deletion_vector_writer::{KernelDeletionVector, StreamingDeletionVectorWriter};
use datafusion::execution::SessionStateBuilder;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use delta_scan::{DeltaScan, NarrowNested};
use deltalake::DeltaTable;
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where the vector of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In the log.
    Inline,
    /// In a file of its own.
    Aside,
}

/// A data file to be written.
#[derive(Debug, Clone)]
pub struct Data {
    pub batch: RecordBatch,
    pub row_group: usize,
    pub removed: Vec<u64>,
    pub kept: Kept,
    /// `minValues`, `maxValues` and `nullCount` of the log.
    pub statistics: Value,
}

/// A table in a folder.
pub struct Table {
    pub folder: TempDir,
    actions: Vec<Value>,
    files: usize,
}

impl Table {
    pub fn new(schema: &Schema) -> Self {
        Self::with(schema, &["deletionVectors"], json!({}), &[])
    }

    /// A table that needs these features, and has this configuration and these partitions.
    pub fn with(schema: &Schema, features: &[&str], configuration: Value, partitions: &[&str]) -> Self {
        let kernel: StructType = schema.try_into_kernel().unwrap();
        let mut columns = serde_json::to_value(&kernel).unwrap();
        if configuration.get("delta.columnMapping.mode").is_some() {
            for (id, field) in (1..).zip(columns["fields"].as_array_mut().unwrap()) {
                field["metadata"] = json!({"delta.columnMapping.id": id,
                    "delta.columnMapping.physicalName": format!("column-{id}")});
            }
        }
        let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": features, "writerFeatures": features}});
        let metadata = json!({"metaData": {"id": uuid::Uuid::new_v4().to_string(),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": columns.to_string(),
            "partitionColumns": partitions, "configuration": configuration, "createdTime": 0}});
        Self { folder: TempDir::new().unwrap(), actions: vec![protocol, metadata], files: 0 }
    }

    pub fn add(&mut self, data: &Data) {
        let name = format!("part-{}.parquet", self.files);
        self.files += 1;
        let path = self.folder.path().join(&name);
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(data.row_group))
            .set_statistics_enabled(EnabledStatistics::Page)
            .build();
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), data.batch.schema(), Some(properties))
                .unwrap();
        writer.write(&data.batch).unwrap();
        writer.close().unwrap();
        let mut statistics = data.statistics.clone();
        statistics["numRecords"] = json!(data.batch.num_rows());
        statistics["tightBounds"] = json!(data.removed.is_empty());
        let size = fs::metadata(&path).unwrap().len();
        self.actions.push(json!({"add": {"path": name, "partitionValues": {}, "size": size,
            "modificationTime": 1, "dataChange": true, "stats": statistics.to_string(),
            "deletionVector": self.vector(data)}}));
    }

    fn vector(&self, data: &Data) -> Value {
        if data.removed.is_empty() {
            return Value::Null;
        }
        let mut bytes = Vec::new();
        let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
        let mut vector = KernelDeletionVector::new();
        vector.add_deleted_row_indexes(data.removed.iter().copied());
        let written = writer.write_deletion_vector(vector).unwrap();
        writer.finalize().unwrap();
        let mut descriptor =
            json!({"sizeInBytes": written.size_in_bytes, "cardinality": written.cardinality});
        match data.kept {
            Kept::Inline => {
                let mut bitmap = bytes[5..5 + usize::try_from(written.size_in_bytes).unwrap()].to_vec();
                bitmap.resize(bitmap.len().next_multiple_of(4), 0);
                descriptor["storageType"] = json!("i");
                descriptor["pathOrInlineDv"] = json!(z85::encode(&bitmap));
            }
            Kept::Aside => {
                let id = uuid::Uuid::new_v4();
                fs::write(self.folder.path().join(format!("deletion_vector_{id}.bin")), bytes).unwrap();
                descriptor["storageType"] = json!("u");
                descriptor["pathOrInlineDv"] = json!(z85::encode(id.as_bytes()));
                descriptor["offset"] = json!(written.offset);
            }
        }
        descriptor
    }

    /// The log says that the last file's vector removes one row.
    pub fn misstate_cardinality(&mut self) {
        self.actions.last_mut().unwrap()["add"]["deletionVector"]["cardinality"] = json!(1);
    }

    /// Writes the log, and opens the table.
    pub async fn open(&self) -> DeltaTable {
        let log = self.folder.path().join("_delta_log");
        fs::create_dir_all(&log).unwrap();
        let lines: Vec<String> = self.actions.iter().map(Value::to_string).collect();
        fs::write(log.join("00000000000000000000.json"), lines.join("\n")).unwrap();
        let url = format!("file://{}/", self.folder.path().display()).parse().unwrap();
        deltalake::open_table(url).await.unwrap()
    }

    /// A session in which the table is `t`.
    pub async fn session(&self, config: SessionConfig) -> SessionContext {
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_optimizer_rule(Arc::new(NarrowNested))
            .build();
        let context = SessionContext::new_with_state(state);
        let scan = DeltaScan::try_new(&self.open().await).unwrap();
        context.register_table("t", Arc::new(scan)).unwrap();
        context
    }
}

/// Data whose log has no statistics, and that nothing is removed from.
pub fn plain(batch: RecordBatch) -> Data {
    Data { batch, row_group: 1000, removed: Vec::new(), kept: Kept::Inline, statistics: json!({}) }
}

/// An answer: its rows as texts, and the plan with its metrics.
pub struct Answer {
    pub rows: Vec<String>,
    pub plan: Arc<dyn ExecutionPlan>,
    pub schema: SchemaRef,
}

impl Answer {
    /// The sum of a metric over all scans.
    pub fn metric(&self, name: &str) -> usize {
        fn sum(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
            let own = plan.metrics().map_or(0, |metrics| {
                let found = metrics.iter().filter(|metric| metric.value().name() == name);
                found.map(|metric| counted(metric.value())).sum()
            });
            own + plan.children().into_iter().map(|child| sum(child, name)).sum::<usize>()
        }
        sum(&self.plan, name)
    }
}

/// What was pruned, of a metric that counts what was looked at too.
fn counted(value: &datafusion::physical_plan::metrics::MetricValue) -> usize {
    use datafusion::physical_plan::metrics::MetricValue;
    match value {
        MetricValue::PruningMetrics { pruning_metrics, .. } => pruning_metrics.pruned(),
        other => other.as_usize(),
    }
}

/// Asks, and puts the values of each row between bars.
pub async fn ask(context: &SessionContext, sql: &str) -> Answer {
    let frame = context.sql(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let plan = frame.create_physical_plan().await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let batches =
        collect(Arc::clone(&plan), context.task_ctx()).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(move |row| {
            let cells = batch
                .columns()
                .iter()
                .map(|column| datafusion::arrow::util::display::array_value_to_string(column, row).unwrap());
            cells.collect::<Vec<_>>().join("|")
        })
    });
    Answer { rows: rows.collect(), schema: plan.schema(), plan }
}

/// The same, with the rows in the order of their texts.
pub async fn ask_sorted(context: &SessionContext, sql: &str) -> Vec<String> {
    let mut rows = ask(context, sql).await.rows;
    rows.sort();
    rows
}
