//! The physical operator of a view: batches of resources in, rows of the view out.
//!
//! The one invariant: it holds one batch of its input at a time, and gives rows in batches of the session's size. Where selects
//! multiply their rows, it takes fewer resources at a time.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::rows::TooManyRows;
use crate::view::View;

/// Makes the rows of a view, partition by partition.
#[derive(Debug)]
pub struct ViewExec {
    input: Arc<dyn ExecutionPlan>,
    view: Arc<View>,
    /// The positions of the view's columns that are made.
    wanted: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ViewExec {
    /// The view's columns at these positions, out of an input that has the columns that the view touches.
    ///
    /// # Errors
    /// The view has no column at a position.
    pub fn try_new(input: Arc<dyn ExecutionPlan>, view: Arc<View>, wanted: Vec<usize>) -> Result<Self> {
        let schema = Arc::new(view.schema().project(&wanted)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Ok(Self { input, view, wanted, schema, properties, metrics })
    }
}

impl DisplayAs for ViewExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let read: Vec<_> = self.view.columns(&self.wanted).into_iter().collect();
        write!(
            f,
            "ViewExec: resource={}, columns=[{}], read=[{}]",
            self.view.resource(),
            columns.join(", "),
            read.join(", ")
        )
    }
}

impl ExecutionPlan for ViewExec {
    fn name(&self) -> &'static str {
        "ViewExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children
            .pop()
            .filter(|_| children.is_empty())
            .ok_or_else(|| DataFusionError::Internal("a view has one input".to_owned()))?;
        Ok(Arc::new(Self::try_new(input, Arc::clone(&self.view), self.wanted.clone())?))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let size = context.session_config().batch_size().max(1);
        let input = self.input.execute(partition, context)?;
        let making = Arc::new(Making {
            view: Arc::clone(&self.view),
            wanted: self.wanted.clone(),
            schema: Arc::clone(&self.schema),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        });
        let rows = input.map_ok(move |batch| {
            let parts = Parts { making: Arc::clone(&making), resources: vec![batch] };
            stream::iter(parts).map_ok(move |rows| stream::iter(slices(rows, size))).try_flatten()
        });
        let stream = rows.try_flatten().boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What makes rows.
struct Making {
    view: Arc<View>,
    wanted: Vec<usize>,
    schema: SchemaRef,
    metrics: BaselineMetrics,
}

/// The rows of some resources; of fewer at a time where all of them have too many.
struct Parts {
    making: Arc<Making>,
    /// The resources whose rows are to be made, the next ones last.
    resources: Vec<RecordBatch>,
}

impl Iterator for Parts {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let Making { view, wanted, schema, metrics } = self.making.as_ref();
        loop {
            let batch = self.resources.pop()?;
            let timer = metrics.elapsed_compute().timer();
            let rows = view.rows(&batch, wanted, schema);
            timer.done();
            match rows {
                Err(DataFusionError::External(error)) if error.is::<TooManyRows>() => {
                    let (count, half) = (batch.num_rows(), batch.num_rows() / 2);
                    self.resources.push(batch.slice(half, count - half));
                    self.resources.push(batch.slice(0, half));
                }
                rows => {
                    if let Ok(rows) = &rows {
                        metrics.record_output(rows.num_rows());
                    }
                    return Some(rows);
                }
            }
        }
    }
}

/// A batch in parts of so many rows.
fn slices(batch: RecordBatch, size: usize) -> impl Iterator<Item = Result<RecordBatch>> {
    let rows = batch.num_rows();
    (0..rows).step_by(size).map(move |start| Ok(batch.slice(start, size.min(rows - start))))
}
