//! Raw lines → the Parquet files of a table, which nothing refers to until they are committed.
//!
//! One invariant: staging is a function of its split alone (raw files and ranges), so that a run which is started again
//! stages the same rows. Memory is bounded by the rows of a batch and the compressed size of a file, times the workers.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use fhir_arrow::{Flattener, LineError, ServerBase};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::data_file::{DataFileWriter, FileNames, NewFile};
use super::resource::{Lineage, Origin, ResourceTable};
use super::table::Table;
use super::upsert::{Candidate, Context, Refusal};
use crate::error::{Error, Result};
use crate::raw::reader::{Block, Blocks};

/// Raw bytes that become the rows of one split.
const SPLIT: u64 = 128 << 20;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// Raw bytes of a batch.
const BATCH_BYTES: u64 = 12 << 20;

/// How many splits are flattened and written at a time, over all tables of a run.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Semaphore>);

impl Workers {
    /// That many.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.max(1))))
    }

    /// Waits for a turn, which lasts as long as what is returned.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.acquire().await.ok()
    }
}

/// What staging made.
#[derive(Debug, Default)]
pub struct Staged {
    /// The files, which no commit has named yet.
    pub files: Vec<NewFile>,
    /// The lines that have no row in them.
    pub refused: Vec<Refusal>,
}

/// Stages the candidates of a table, which are in the order of their files and offsets.
pub async fn stage(
    context: &Context,
    table: &Table,
    spec: &ResourceTable,
    names: &FileNames,
    candidates: Vec<Candidate>,
) -> Result<Staged> {
    let splits = splits(candidates);
    let parallel = splits.len().max(1);
    let staged: Vec<Staged> = futures::stream::iter(splits)
        .map(|split| async {
            let _turn = context.workers.turn().await;
            stage_split(context, table, spec, names, split).await
        })
        .buffered(parallel)
        .try_collect()
        .await?;
    let mut all = Staged::default();
    for split in staged {
        all.files.extend(split.files);
        all.refused.extend(split.refused);
    }
    Ok(all)
}

fn splits(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let mut splits = Vec::new();
    let (mut split, mut bytes) = (Vec::new(), 0);
    for candidate in candidates {
        bytes += candidate.length;
        split.push(candidate);
        if bytes >= SPLIT {
            splits.push(std::mem::take(&mut split));
            bytes = 0;
        }
    }
    splits.extend((!split.is_empty()).then_some(split));
    splits
}

async fn stage_split(
    context: &Context,
    table: &Table,
    spec: &ResourceTable,
    names: &FileNames,
    split: Vec<Candidate>,
) -> Result<Staged> {
    let mut writer = SplitWriter::new(context, table, spec, names);
    let mut files = Vec::new();
    for of_file in split.chunk_by(|one, other| one.file == other.file) {
        let (Some(first), Some(last)) = (of_file.first(), of_file.last()) else { continue };
        let Some(path) = context.raw_files.get(first.file as usize) else { continue };
        let mut blocks = Blocks::new(&context.lake.root, path, first.offset, last.offset + last.length);
        let mut waiting = of_file;
        while let Some(block) = blocks.next().await? {
            let end = block.offset + block.bytes.len() as u64;
            let (these, later) =
                waiting.split_at(waiting.partition_point(|candidate| candidate.offset < end));
            waiting = later;
            let (these, path) = (these.to_vec(), Arc::clone(path));
            writer = crate::blocking(move || writer.append(&block, &these, &path)).await?;
            for full in std::mem::take(&mut writer.full) {
                files.push(full.finish().await?);
            }
        }
        if let Some(missing) = waiting.first() {
            let reason = format!("it ends before the line at byte {}", missing.offset);
            return Err(Error::Damaged { path: path.to_string(), reason });
        }
    }
    let (last, refused) = crate::blocking(move || writer.close()).await?;
    for file in last {
        files.push(file.finish().await?);
    }
    Ok(Staged { files, refused })
}

/// Flattens the lines of a split into batches, and the batches into files.
struct SplitWriter {
    table: Table,
    names: FileNames,
    spec: ResourceTable,
    origin: Origin,
    flattener: Flattener,
    lineage: Lineage,
    pending: u64,
    open: Option<DataFileWriter>,
    full: Vec<DataFileWriter>,
    refused: Vec<Refusal>,
}

impl SplitWriter {
    fn new(context: &Context, table: &Table, spec: &ResourceTable, names: &FileNames) -> Self {
        let base = context.lake.identity.server.as_ref().map(|server| ServerBase::new(server.as_str()));
        Self {
            table: table.clone(),
            names: names.clone(),
            spec: spec.clone(),
            origin: context.origin.clone(),
            flattener: Flattener::new(Arc::clone(&spec.elements), base),
            lineage: Lineage::default(),
            pending: 0,
            open: None,
            full: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn append(mut self, block: &Block, candidates: &[Candidate], path: &Arc<str>) -> Result<Self> {
        for candidate in candidates {
            let begin = usize::try_from(candidate.offset - block.offset).unwrap_or(usize::MAX);
            let end = begin.saturating_add(usize::try_from(candidate.length).unwrap_or(usize::MAX));
            let line = block.bytes.get(begin..end).ok_or_else(|| Error::Damaged {
                path: path.to_string(),
                reason: format!("it ends before the line at byte {}", candidate.offset),
            })?;
            match self.flattener.append(line) {
                Ok(()) => {
                    let path = Arc::clone(path);
                    self.lineage.push(path, candidate.offset, candidate.length, candidate.row_hash);
                    self.pending += candidate.length;
                }
                Err(error) => self.refused.push(refusal(&self.spec, candidate, &error)),
            }
            if self.flattener.len() >= BATCH_ROWS || self.pending >= BATCH_BYTES {
                self.write_batch()?;
            }
        }
        Ok(self)
    }

    fn close(mut self) -> Result<(Vec<DataFileWriter>, Vec<Refusal>)> {
        self.write_batch()?;
        self.full.extend(self.open);
        Ok((self.full, self.refused))
    }

    fn write_batch(&mut self) -> Result<()> {
        if self.flattener.is_empty() {
            return Ok(());
        }
        let elements = self.flattener.finish();
        self.pending = 0;
        let batch = std::mem::take(&mut self.lineage).attach(&elements, &self.origin)?;
        let open = self.open.take();
        let fits = |writer: &DataFileWriter| {
            batch.schema_ref().fields().iter().all(|field| writer.schema().index_of(field.name()).is_ok())
        };
        let mut writer = match open {
            Some(writer) if fits(&writer) => writer,
            // A column that the open file has left out: it goes on in a new file, which has both.
            open => {
                let columns = self.columns(&batch, open.as_ref().map(DataFileWriter::schema));
                self.full.extend(open);
                DataFileWriter::new(&self.table, &self.names, columns, Arc::clone(&self.spec.indexed))?
            }
        };
        writer.write(&pad(&batch, writer.schema()).map_err(Error::arrow(&self.spec.name))?)?;
        self.open = Some(writer);
        Ok(())
    }

    /// The table's columns that the batch or the file before it has, in the table's order.
    fn columns(&self, batch: &RecordBatch, before: Option<&SchemaRef>) -> SchemaRef {
        let names: HashSet<&String> = [Some(batch.schema_ref()), before]
            .into_iter()
            .flatten()
            .flat_map(|schema| schema.fields().iter().map(|f| f.name()))
            .collect();
        let fields = self.spec.columns.fields().iter().filter(|field| names.contains(field.name())).cloned();
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// The batch with all columns of a file, nulls where it has none of its own.
fn pad(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, arrow::error::ArrowError> {
    let rows = batch.num_rows();
    let column = |field: &arrow::datatypes::FieldRef| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), rows),
    };
    let arrays = columns.fields().iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(columns), arrays, &options)
}

fn refusal(spec: &ResourceTable, candidate: &Candidate, error: &LineError) -> Refusal {
    Refusal {
        resource_type: Some(spec.elements.resource_type().to_owned()),
        id: Some(candidate.id.to_string()),
        file: candidate.file,
        line: candidate.line,
        offset: candidate.offset,
        length: candidate.length,
        issue_code: error.code.to_string(),
        element_path: error.element_path.clone(),
        reason: error.reason.clone(),
    }
}
