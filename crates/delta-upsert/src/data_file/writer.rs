//! A data file on its way: rows in, bytes out, a row group at a time.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};

use super::properties::properties;
use super::statistics::statistics;
use super::{NewFile, Part};
use crate::{Error, Place, Result};

/// Encodes rows. It does no input or output: whoever uses it places the [`Part`]s.
pub struct DataFileWriter {
    place: Place,
    name: String,
    schema: SchemaRef,
    indexed: Arc<Vec<String>>,
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
}

impl DataFileWriter {
    /// Begins a file of a table with the columns of its first rows, and writes them. `indexed` are the columns with
    /// statistics.
    ///
    /// # Errors
    /// [`Error::Parquet`], where the rows cannot be encoded.
    pub fn begin(
        place: &Place,
        name: String,
        first: &RecordBatch,
        indexed: Arc<Vec<String>>,
    ) -> Result<Self> {
        let path = place.data_file(&name);
        let schema = first.schema();
        let properties = properties(first, &indexed).map_err(Error::parquet(&path))?;
        // The embedded Arrow schema would say nothing that the Delta log does not, in every file again.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)
            .map_err(Error::parquet(&path))?;
        let mut begun = Self { place: place.clone(), name, schema, indexed, writer, rows: 0 };
        begun.write(first)?;
        Ok(begun)
    }

    /// The file's name in its table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes of the file so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// The memory that the rows take which have not been encoded to the end.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.writer.memory_size()
    }

    /// Appends rows, which have the file's columns.
    ///
    /// # Errors
    /// [`Error::Parquet`].
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(Error::parquet(&self.path()))
    }

    /// Ends the row group, so that its memory is free once its bytes are taken.
    ///
    /// # Errors
    /// [`Error::Parquet`].
    pub fn end_group(&mut self) -> Result<()> {
        self.writer.flush().map_err(Error::parquet(&self.path()))
    }

    /// What has been encoded since the last time: bytes of the file, which are to be placed in this order.
    pub fn part(&mut self) -> Option<Part> {
        let bytes = std::mem::take(self.writer.inner_mut());
        (!bytes.is_empty()).then(|| Part { path: self.path(), bytes, last: false })
    }

    /// The last bytes, and the file as a commit names it.
    ///
    /// # Errors
    /// [`Error::Parquet`].
    pub fn finish(mut self) -> Result<(Part, NewFile)> {
        let metadata = self.writer.finish().map_err(Error::parquet(&self.path()))?;
        let size = self.writer.bytes_written() as u64;
        let bytes = std::mem::take(self.writer.inner_mut());
        let path = self.path();
        let file = NewFile::new(self.name, size, self.rows, &statistics(&metadata, &self.indexed));
        Ok((Part { path, bytes, last: true }, file))
    }

    fn path(&self) -> String {
        self.place.data_file(&self.name)
    }
}
