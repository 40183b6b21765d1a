//! Reads items: the resource types one after the other, as many files at a time as there are partitions.
//!
//! One invariant: what is in memory is a batch of resources for each partition, and the rows that it gives.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput, Time,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PhysicalExpr,
    PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::kind::{Column, ItemTable};
use super::place::Place;
use super::values::{self, Origin};
use crate::query::walk::Walk;

/// Of so many leaves it is said which they are; of more, how many.
const LEAVES_SHOWN: usize = 60;

/// A resource type that items are looked for in.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) resource_type: String,
    pub(super) places: Vec<Place>,
    /// The leaves that its scan reads.
    pub(super) leaves: Vec<String>,
}

/// The items of some resource types.
#[derive(Debug)]
pub(super) struct ItemsExec {
    of: Arc<What>,
    /// The scan of each part.
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What is read, whatever reads it.
#[derive(Debug)]
struct What {
    table: &'static ItemTable,
    /// The columns that are wanted, by their place.
    columns: Vec<usize>,
    schema: SchemaRef,
    parts: Vec<Part>,
    partitions: usize,
}

impl ItemsExec {
    /// The items of these parts, each with its scan.
    pub(super) fn new(
        table: &'static ItemTable,
        columns: Vec<usize>,
        parts: Vec<(Part, Arc<dyn ExecutionPlan>)>,
        partitions: usize,
    ) -> Result<Self> {
        let schema = Arc::new(table.schema.project(&columns)?);
        let (parts, inputs): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let inside: usize = inputs.iter().map(|input| input.output_partitioning().partition_count()).sum();
        let partitions = partitions.min(inside).max(1);
        Ok(Self::over(Arc::new(What { table, columns, schema, parts, partitions }), inputs))
    }

    fn over(of: Arc<What>, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&of.schema)),
            Partitioning::UnknownPartitioning(of.partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { of, inputs, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for ItemsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let What { table, columns, parts, .. } = self.of.as_ref();
        let columns: Vec<&str> = columns.iter().map(|column| table.columns[*column].name).collect();
        write!(f, "ItemsExec: table={}, columns=[{}], reads=[", table.name, columns.join(", "))?;
        let leaves: usize = parts.iter().map(|part| part.leaves.len()).sum();
        let all = leaves <= LEAVES_SHOWN || matches!(format, DisplayFormatType::Verbose);
        for (part, separator) in parts.iter().zip(std::iter::once("").chain(std::iter::repeat("; "))) {
            let (name, leaves) = (&part.resource_type, &part.leaves);
            match all {
                true => write!(f, "{separator}{name}: {}", leaves.join(", "))?,
                false => write!(f, "{separator}{name}: {} leaves", leaves.len())?,
            }
        }
        write!(f, "]")
    }
}

impl ExecutionPlan for ItemsExec {
    fn name(&self) -> &'static str {
        "ItemsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    /// The files are shared between partitions here.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.inputs.len() {
            return internal_err!("ItemsExec has a scan for each resource type");
        }
        Ok(Arc::new(Self::over(Arc::clone(&self.of), children)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let scans = self.inputs.iter().enumerate().flat_map(|(part, input)| {
            (0..input.output_partitioning().partition_count()).map(move |of_input| (part, of_input))
        });
        let own: Vec<_> = scans
            .skip(partition)
            .step_by(self.of.partitions)
            .map(|(part, of_input)| (part, of_input, Arc::clone(&self.inputs[part])))
            .collect();
        let (of, rows) = (Arc::clone(&self.of), context.session_config().batch_size());
        let elapsed = metrics.elapsed_compute().clone();
        let batches = stream::iter(own)
            .map(move |(part, of_input, input)| {
                let (of, elapsed) = (Arc::clone(&of), elapsed.clone());
                let batches = input.execute(of_input, Arc::clone(&context))?;
                Ok::<_, DataFusionError>(batches.map_ok(move |batch| {
                    stream::iter(Found::new(Arc::clone(&of), part, batch, rows, elapsed.clone()))
                }))
            })
            .try_flatten()
            .try_flatten()
            .inspect_ok(move |batch: &RecordBatch| {
                batch.record_output(&metrics);
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.of.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The rows of a batch of resources, place after place, so many at a time.
struct Found {
    of: Arc<What>,
    part: usize,
    batch: RecordBatch,
    rows: usize,
    /// The next place.
    place: usize,
    /// The items of the place before, and what of them is not given yet.
    open: Option<(Walk, Range<usize>)>,
    elapsed: Time,
}

impl Found {
    fn new(of: Arc<What>, part: usize, batch: RecordBatch, rows: usize, elapsed: Time) -> Self {
        Self { of, part, batch, rows: rows.max(1), place: 0, open: None, elapsed }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>> {
        let elapsed = self.elapsed.clone();
        let _timer = elapsed.timer();
        let part = &self.of.parts[self.part];
        loop {
            if let Some((items, left)) = &mut self.open
                && left.start < left.end
            {
                let range = left.start..left.end.min(left.start + self.rows);
                left.start = range.end;
                let place = &part.places[self.place - 1];
                let origin = Origin { resource_type: &part.resource_type, place, batch: &self.batch };
                let columns: Vec<&Column> =
                    self.of.columns.iter().map(|at| &self.of.table.columns[*at]).collect();
                return values::rows(&origin, items, range, &columns, &self.of.schema).map(Some);
            }
            let Some(place) = part.places.get(self.place) else { return Ok(None) };
            self.place += 1;
            let items = values::find(&self.batch, place)?;
            let all = 0..items.at.len();
            self.open = Some((items, all));
        }
    }
}

impl Iterator for Found {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_rows().transpose()
    }
}
