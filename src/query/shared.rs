//! Several views of one resource type over files, which are read and flattened once.
//!
//! One invariant: a batch goes to every view before the next one is made, so memory does not grow with the files or with how fast
//! a view is written. The answers have to be read side by side: one that nobody reads holds up the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result as SqlResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionContext;
use fhir_definitions::Definitions;
use fhir_sql::{View, ViewDefinition, ViewTable};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::ndjson::NdjsonTable;
use super::session::{execute, failed, query_error};
use crate::error::{Error, Result};
use crate::raw::local::LocalFile;

type Batch = SqlResult<RecordBatch>;

/// Runs ViewDefinitions of one resource type over NDJSON files, without a lake: an answer for each, in their order, all of which
/// have to be read at the same time.
///
/// # Errors
/// [`Error::Query`] with what is wrong with a view.
pub async fn run_over_files(
    views: &[(&str, &ViewDefinition)],
    definitions: &'static Definitions,
    files: &[LocalFile],
) -> Result<Vec<SendableRecordBatchStream>> {
    let Some((_, first)) = views.first() else { return Ok(Vec::new()) };
    let resources = NdjsonTable::new(files, definitions, &first.resource)?;
    let mut compiled = Vec::new();
    for (name, definition) in views {
        let view = View::compile(definition, definitions, &resources.schema())
            .map_err(|error| Error::Query(format!("the view {name}: {error}")))?;
        compiled.push(Arc::new(view));
    }
    let read: BTreeSet<String> = compiled
        .iter()
        .flat_map(|view| view.columns(&(0..view.schema().fields().len()).collect::<Vec<_>>()))
        .collect();
    let columns = resources.schema();
    let projection =
        (0..columns.fields().len()).filter(|at| read.contains(columns.field(*at).name())).collect();
    let context = SessionContext::new();
    let scanned = resources.scan(&context.state(), Some(&projection), &[], None).await;
    let tables = share(&scanned.map_err(|e| query_error(&e))?, compiled.len(), &context.task_ctx())?;
    let mut answers = Vec::new();
    for (view, table) in compiled.into_iter().zip(tables) {
        let frame = context.read_table(Arc::new(ViewTable::new(view, table))).map_err(|e| query_error(&e))?;
        answers.push(execute(frame).await?);
    }
    Ok(answers)
}

/// What a plan gives, as so many tables that are read side by side.
fn share(
    plan: &Arc<dyn ExecutionPlan>,
    readers: usize,
    context: &Arc<TaskContext>,
) -> Result<Vec<Arc<dyn TableProvider>>> {
    let schema = plan.schema();
    let mut partitions: Vec<Vec<Arc<dyn PartitionStream>>> = (0..readers).map(|_| Vec::new()).collect();
    for at in 0..plan.output_partitioning().partition_count() {
        let batches = plan.execute(at, Arc::clone(context)).map_err(|e| failed(&e))?;
        let mut senders = Vec::new();
        for of_reader in &mut partitions {
            let (sender, receiver) = mpsc::channel(1);
            senders.push(sender);
            let batches = parking_lot::Mutex::new(Some(receiver));
            of_reader.push(Arc::new(Shared { schema: Arc::clone(&schema), batches }));
        }
        tokio::spawn(hand_out(batches, senders));
    }
    let table = |partitions| {
        let table = StreamingTable::try_new(Arc::clone(&schema), partitions).map_err(|e| query_error(&e))?;
        Ok(Arc::new(table) as Arc<dyn TableProvider>)
    };
    partitions.into_iter().map(table).collect()
}

/// Gives every batch to everybody who still listens. It ends with the batches, with an error, or when nobody listens.
async fn hand_out(mut batches: SendableRecordBatchStream, mut to: Vec<mpsc::Sender<Batch>>) {
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(Arc::new);
        let is_error = batch.is_err();
        let mut listening = Vec::with_capacity(to.len());
        for sender in to {
            if sender.send(batch.clone().map_err(DataFusionError::Shared)).await.is_ok() {
                listening.push(sender);
            }
        }
        if is_error || listening.is_empty() {
            break;
        }
        to = listening;
    }
}

/// A partition, as one of its readers sees it.
#[derive(Debug)]
struct Shared {
    schema: SchemaRef,
    /// Until it is read, which can be done once.
    batches: parking_lot::Mutex<Option<mpsc::Receiver<Batch>>>,
}

impl PartitionStream for Shared {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = match self.batches.lock().take() {
            Some(receiver) => {
                stream::unfold(receiver, async |mut from| Some((from.recv().await?, from))).left_stream()
            }
            None => {
                let twice = DataFusionError::Execution("what is shared was read twice".to_owned());
                stream::iter([Err(twice)]).right_stream()
            }
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
