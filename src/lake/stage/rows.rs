//! The rows of one table in a split: lines → batches of columns → data files, each with its keys.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use delta_upsert::data_file::{DataFileWriter, Part};
use delta_upsert::{Existing, IdHash, Key, KeyFileBuilder, Place};
use fhir_arrow::{Flattener, Header, LineError, Resource, ServerBase, row_hash};

use super::{FILE_ROWS, StageFile, StagedFile, Staging};
use crate::error::{Error, Result};
use crate::lake::keys;
use crate::lake::resource::{Lineage, ResourceTable};
use crate::raw::Line;

/// The rows of a table that are being staged.
pub struct Rows {
    table: Arc<ResourceTable>,
    place: Place,
    /// Whether rows become files; otherwise they are only looked at.
    kept: bool,
    flattener: Flattener,
    lineage: Lineage,
    waiting_bytes: u64,
    /// The keys of the rows of the open file and of those that wait.
    keys: Vec<Key>,
    open: Option<DataFileWriter>,
}

impl Rows {
    /// No rows yet.
    pub fn new(table: Arc<ResourceTable>, place: Place, base: Option<ServerBase>, kept: bool) -> Self {
        Self {
            flattener: Flattener::new(Arc::clone(&table.elements), base),
            table,
            place,
            kept,
            lineage: Lineage::default(),
            waiting_bytes: 0,
            keys: Vec::new(),
            open: None,
        }
    }

    /// Rows that wait to become a batch of columns.
    pub fn waiting(&self) -> usize {
        self.flattener.len()
    }

    /// Their raw bytes.
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// The memory of rows that are being encoded.
    pub fn memory(&self) -> usize {
        self.open.as_ref().map_or(0, DataFileWriter::memory)
    }

    /// Makes a row of a line.
    pub fn append(
        &mut self,
        of: &StageFile,
        file: u32,
        line: &Line<'_>,
        resource: &Resource<'_>,
        header: &Header<'_>,
    ) -> Result<(), LineError> {
        self.flattener.append_resource(resource, line.bytes.len())?;
        let length = line.bytes.len() as u64;
        let hash = row_hash(line.bytes);
        self.lineage.push(Arc::clone(&of.origin), Arc::clone(&of.name), line.offset, length, hash);
        self.waiting_bytes += length;
        self.keys.push(Key {
            id: IdHash::of(&header.id),
            version: keys::version(header.last_updated, of.origin.transaction_time),
            place: place(file, line.number),
            row_hash: hash,
            file: 0,
            row: u32::try_from(self.keys.len()).unwrap_or(u32::MAX),
        });
        Ok(())
    }

    /// Turns the waiting rows into columns of the open file. Returns a file that is full.
    pub fn write(&mut self, staging: &Staging, parts: &mut Vec<Part>) -> Result<Option<StagedFile>> {
        if self.flattener.is_empty() {
            return Ok(None);
        }
        let elements = self.flattener.finish();
        let lineage = std::mem::take(&mut self.lineage);
        self.waiting_bytes = 0;
        if !self.kept {
            self.keys.clear();
            return Ok(None);
        }
        let batch = lineage.attach(&elements)?;
        let before = self.open.take();
        let fits = |writer: &DataFileWriter| {
            batch.schema_ref().fields().iter().all(|field| writer.schema().index_of(field.name()).is_ok())
        };
        let mut full = None;
        let mut writer = match before {
            Some(mut open) if fits(&open) => {
                open.write(&self.pad(&batch, open.schema())?)?;
                open
            }
            // A column that the open file has left out: it goes on in a new file, which has both.
            Some(open) => {
                let columns = self.columns(&batch, Some(open.schema()));
                full = Some(self.end(open, batch.num_rows(), parts)?);
                self.begin(staging, &self.pad(&batch, &columns)?)?
            }
            None => self.begin(staging, &batch)?,
        };
        parts.extend(writer.part());
        if full.is_none() && (writer.size() >= staging.limits.file_size || writer.rows() >= FILE_ROWS) {
            full = Some(self.end(writer, 0, parts)?);
        } else {
            self.open = Some(writer);
        }
        Ok(full)
    }

    /// Ends the row group of the open file, so that its memory is free. False where there is nothing to end.
    pub fn end_group(&mut self, parts: &mut Vec<Part>) -> Result<bool> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let before = open.memory();
        open.end_group()?;
        parts.extend(open.part());
        Ok(open.memory() < before)
    }

    /// Ends what is open.
    pub fn finish(mut self, staging: &Staging, parts: &mut Vec<Part>) -> Result<Vec<StagedFile>> {
        let mut files: Vec<StagedFile> = self.write(staging, parts)?.into_iter().collect();
        if let Some(open) = self.open.take() {
            files.push(self.end(open, 0, parts)?);
        }
        Ok(files)
    }

    fn begin(&self, staging: &Staging, first: &RecordBatch) -> Result<DataFileWriter> {
        let indexed = Arc::clone(&self.table.indexed);
        Ok(DataFileWriter::begin(&self.place, staging.names.next(), first, indexed)?)
    }

    fn pad(&self, batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
        pad(batch, columns).map_err(Error::arrow(&self.table.name))
    }

    /// Ends a file. The keys of the last `later` rows belong to the next one.
    fn end(&mut self, file: DataFileWriter, later: usize, parts: &mut Vec<Part>) -> Result<StagedFile> {
        let mut next = self.keys.split_off(self.keys.len() - later.min(self.keys.len()));
        next.iter_mut().zip(0..).for_each(|(key, row)| key.row = row);
        let keys = std::mem::replace(&mut self.keys, next);
        let (part, file) = file.finish()?;
        parts.push(part);
        let mut builder = KeyFileBuilder::default();
        keys.iter().for_each(|key| builder.push(Existing::from(key)));
        let path = self.place.key_file(file.path());
        parts.push(Part { path, bytes: builder.finish()?.into(), last: true });
        Ok(StagedFile { file, keys })
    }

    /// The table's columns that the batch or the file before it has, in the table's order.
    fn columns(&self, batch: &RecordBatch, before: Option<&SchemaRef>) -> SchemaRef {
        let names: HashSet<&String> = [Some(batch.schema_ref()), before]
            .into_iter()
            .flatten()
            .flat_map(|schema| schema.fields().iter().map(|f| f.name()))
            .collect();
        let fields = self.table.columns.fields().iter().filter(|field| names.contains(field.name())).cloned();
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// The place of a line in the run's input: of two equal versions, the one that comes later stands.
pub fn place(file: u32, line: u64) -> u64 {
    const LINES: u64 = 1 << 36;
    u64::from(file) * LINES + line.min(LINES - 1)
}

/// The batch with all columns of a file, nulls where it has none of its own.
fn pad(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, arrow::error::ArrowError> {
    let rows = batch.num_rows();
    let column = |field: &FieldRef| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), rows),
    };
    let arrays = columns.fields().iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(columns), arrays, &options)
}
