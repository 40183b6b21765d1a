//! Lines that cannot become rows: rows of `_quarantine` with their bytes, staged like all others.

use std::sync::Arc;

use delta_upsert::data_file::{DataFileWriter, NewFile, Part};
use fhir_arrow::LineError;

use super::{StageFile, Staging};
use crate::error::Result;
use crate::lake::own::{self, OwnRow};
use crate::lake::quarantine::QuarantineRow;
use crate::raw::Line;

/// Bytes of refused lines that are written at a time.
const BATCH_BYTES: usize = 8 << 20;
/// Rows that are written at a time.
const BATCH_ROWS: usize = 1024;

/// Refused lines of a split.
#[derive(Default)]
pub struct Refusals {
    waiting: Vec<QuarantineRow>,
    waiting_bytes: usize,
    open: Option<DataFileWriter>,
}

impl Refusals {
    /// Takes a refused line.
    pub fn push(
        &mut self,
        of: &StageFile,
        line: &Line<'_>,
        resource_type: Option<String>,
        id: Option<String>,
        error: &LineError,
    ) {
        let row = QuarantineRow::new(&of.origin.export_id, &of.name, line, resource_type, id, error);
        self.waiting_bytes += row.content.as_ref().map_or(0, Vec::len);
        self.waiting.push(row);
    }

    /// Writes what waits, if it is much.
    pub fn write(
        &mut self,
        staging: &Staging,
        files: &mut Vec<NewFile>,
        parts: &mut Vec<Part>,
    ) -> Result<()> {
        if self.waiting.len() < BATCH_ROWS && self.waiting_bytes < BATCH_BYTES {
            return Ok(());
        }
        self.encode(staging, parts)?;
        if self.open.as_ref().is_some_and(|open| open.size() >= staging.limits.file_size) {
            self.end(files, parts)?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn finish(
        &mut self,
        staging: &Staging,
        files: &mut Vec<NewFile>,
        parts: &mut Vec<Part>,
    ) -> Result<()> {
        self.encode(staging, parts)?;
        self.end(files, parts)
    }

    fn encode(&mut self, staging: &Staging, parts: &mut Vec<Part>) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting).into_iter().peekable();
        self.waiting_bytes = 0;
        let schema = Arc::new(QuarantineRow::schema());
        while waiting.peek().is_some() {
            // One huge line after the other, and many small ones at once.
            let mut bytes = 0;
            let mut rows = Vec::new();
            while let Some(row) = waiting.next_if(|row| {
                bytes += row.content.as_ref().map_or(0, Vec::len);
                rows.is_empty() || (bytes < BATCH_BYTES && rows.len() < BATCH_ROWS)
            }) {
                rows.push(row);
            }
            let batch = own::encode(&schema, &rows)?;
            let mut open = match self.open.take() {
                Some(mut open) => {
                    open.write(&batch)?;
                    open
                }
                None => {
                    let (name, place) =
                        (staging.names.next(), staging.lake.root.table(QuarantineRow::TABLE)?);
                    DataFileWriter::begin(&place, name, &batch, Arc::default())?
                }
            };
            open.end_group()?;
            parts.extend(open.part());
            self.open = Some(open);
        }
        Ok(())
    }

    fn end(&mut self, files: &mut Vec<NewFile>, parts: &mut Vec<Part>) -> Result<()> {
        if let Some(open) = self.open.take() {
            let (part, file) = open.finish()?;
            parts.push(part);
            files.push(file);
        }
        Ok(())
    }
}
