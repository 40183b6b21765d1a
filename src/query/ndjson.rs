//! NDJSON files as a table of resources, without a lake.
//!
//! One invariant: a scan reads each file once and holds some blocks of lines, whatever the size of the files. A line that is no
//! resource ends the query with its file and number: nothing is left out in silence.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as SqlResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use fhir_arrow::{Flattener, Reader, TableSchema};
use fhir_definitions::Definitions;
use futures::stream;
use memchr::{memchr_iter, memrchr};
use tokio::sync::{Mutex, mpsc};

use crate::error::{Error, Result};
use crate::raw::layout::Section;
use crate::raw::local::{self, LocalFile};
use crate::raw::reader::Block;

/// Bytes of lines that become a batch.
const BLOCK: usize = 4 << 20;

/// The NDJSON files of a folder, or one of them.
pub fn files(path: &Path) -> Result<Vec<LocalFile>> {
    if path.is_file() {
        return Ok(vec![LocalFile { path: path.to_owned(), section: Section::Output }]);
    }
    let mut files = local::find(path)?.files;
    files.retain(|file| file.section == Section::Output);
    if files.is_empty() {
        return Err(Error::Refused(format!(
            "{} has no files *.ndjson, *.ndjson.gz or *.ndjson.zst",
            path.display()
        )));
    }
    Ok(files)
}

/// The resources of one type in some files.
#[derive(Debug)]
pub struct NdjsonTable {
    files: Arc<[LocalFile]>,
    elements: TableSchema,
    definitions: &'static Definitions,
}

impl NdjsonTable {
    /// The resources of a type.
    ///
    /// # Errors
    /// [`Error::Schema`] for what is no resource type.
    pub fn new(files: &[LocalFile], definitions: &'static Definitions, resource_type: &str) -> Result<Self> {
        let elements = TableSchema::new(definitions, resource_type)?;
        Ok(Self { files: files.into(), elements, definitions })
    }
}

#[async_trait]
impl TableProvider for NdjsonTable {
    fn schema(&self) -> SchemaRef {
        self.elements.arrow()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> SqlResult<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let schema = projection.map_or(Ok(Arc::clone(&schema)), |at| schema.project(at).map(Arc::new))?;
        let names: BTreeSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let elements = Arc::new(self.elements.only(&names));
        let (sender, receiver) = mpsc::channel(2);
        let source = Arc::new(Source {
            files: Arc::clone(&self.files),
            definitions: self.definitions,
            elements,
            schema: Arc::clone(&schema),
            sender: parking_lot::Mutex::new(Some(sender)),
            blocks: Mutex::new(receiver),
        });
        let partitions = state.config().target_partitions().max(1);
        let partition = || Arc::new(Partition { source: Arc::clone(&source) }) as Arc<dyn PartitionStream>;
        let table = StreamingTable::try_new(schema, (0..partitions).map(|_| partition()).collect())?;
        table.scan(state, None, &[], None).await
    }
}

/// What all partitions of a scan take their blocks from.
#[derive(Debug)]
struct Source {
    files: Arc<[LocalFile]>,
    definitions: &'static Definitions,
    elements: Arc<TableSchema>,
    schema: SchemaRef,
    /// Until the reader is started, by the partition that comes first.
    sender: parking_lot::Mutex<Option<mpsc::Sender<SqlResult<FileBlock>>>>,
    blocks: Mutex<mpsc::Receiver<SqlResult<FileBlock>>>,
}

/// Some lines of a file.
#[derive(Debug)]
struct FileBlock {
    path: PathBuf,
    block: Block,
}

#[derive(Debug)]
struct Partition {
    source: Arc<Source>,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.source.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let source = Arc::clone(&self.source);
        if let Some(sender) = source.sender.lock().take() {
            let (files, definitions) = (Arc::clone(&source.files), source.definitions);
            let wanted = source.elements.resource_type().to_owned();
            tokio::spawn(async move {
                if let Err(error) = read(&files, definitions, &wanted, &sender).await {
                    // Where nobody listens any more, the query has ended.
                    let _ = sender.send(Err(DataFusionError::External(Box::new(error)))).await;
                }
            });
        }
        let schema = Arc::clone(&source.schema);
        let flattener = Flattener::new(Arc::clone(&source.elements), None);
        let batches = stream::try_unfold(
            (source, flattener, Reader::default()),
            async |(source, mut flattener, mut reader)| {
                let next = source.blocks.lock().await.recv().await;
                let Some(block) = next.transpose()? else { return Ok(None) };
                let batch = flatten(&source, &block, &mut flattener, &mut reader)?;
                Ok(Some((batch, (source, flattener, reader))))
            },
        );
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

/// Reads the files one after the other, in blocks of whole lines.
async fn read(
    files: &[LocalFile],
    definitions: &Definitions,
    wanted: &str,
    to: &mpsc::Sender<SqlResult<FileBlock>>,
) -> Result<()> {
    for file in files {
        let mut chunks = local::chunks(&file.path)?;
        let (mut lines, mut first_line, mut offset) = (BytesMut::new(), 1, 0);
        let mut is_first = true;
        loop {
            let chunk = chunks.next().await?;
            lines.extend_from_slice(chunk.as_deref().unwrap_or_default());
            if chunk.is_some() && lines.len() < BLOCK {
                continue;
            }
            let whole = match chunk {
                Some(_) => memrchr(b'\n', &lines).map_or(0, |at| at + 1),
                None => lines.len(),
            };
            let bytes = lines.split_to(whole).freeze();
            if is_first && whole > 0 && is_of_another_type(file, &bytes, definitions, wanted) {
                break;
            }
            is_first &= whole == 0;
            let count = memchr_iter(b'\n', &bytes).count() as u64;
            let length = bytes.len() as u64;
            let block = Block { offset, first_line, bytes };
            let given = to.send(Ok(FileBlock { path: file.path.clone(), block })).await;
            if given.is_err() || chunk.is_none() {
                break;
            }
            (first_line, offset) = (first_line + count, offset + length);
        }
    }
    Ok(())
}

/// Whether a file's name and its first line say that it is one of another type: it is not read further.
fn is_of_another_type(file: &LocalFile, lines: &Bytes, definitions: &Definitions, wanted: &str) -> bool {
    let Some(hint) = file.hint(definitions).filter(|hint| *hint != wanted) else { return false };
    let first = lines.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    first.is_some_and(|line| fhir_arrow::scan(line).is_ok_and(|header| header.resource_type == hint))
}

fn flatten(
    source: &Source,
    lines: &FileBlock,
    flattener: &mut Flattener,
    reader: &mut Reader,
) -> SqlResult<RecordBatch> {
    let refused = |line: u64, error: &fhir_arrow::LineError| {
        let place = format!("line {line} of {}", lines.path.display());
        DataFusionError::External(Box::new(Error::Invalid(format!("{place}: {error}"))))
    };
    for line in lines.block.lines() {
        let resource = reader.read(line.bytes).map_err(|error| refused(line.number, &error))?;
        let header = resource.header().map_err(|error| refused(line.number, &error))?;
        if header.resource_type == source.elements.resource_type() {
            let appended = flattener.append_resource(&resource, line.bytes.len());
            appended.map_err(|error| refused(line.number, &error))?;
        }
    }
    let batch = flattener.finish();
    let columns = source.schema.fields().iter().map(|field| batch.schema_ref().index_of(field.name()));
    Ok(batch.project(&columns.collect::<Result<Vec<_>, _>>()?)?)
}
