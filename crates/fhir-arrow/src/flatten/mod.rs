//! From lines to columns.
//!
//! A line is tokenised and checked as a whole ([`Tape`]); then its tokens are walked over once, and each value is
//! appended to its column. Nothing in the walk can fail, so a refused line leaves no half row behind.
//!
//! Columns are filled lazily: a column is as long as the last row that has a value in it, and is padded with nulls
//! when the next value comes, or at the end. So a row costs what is in it, however many columns the type has.

mod leaf;
mod nested;
mod nulls;

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};

use self::leaf::Fill as _;
use self::nested::ObjectColumn;
use self::nulls::Nulls;
use crate::reference::Resolver;
use crate::rest::{Place, Rest};
use crate::scan::{Identity, Reader, Resource};
use crate::{IssueCode, LineError, ServerBase, TableSchema};

/// How many bytes of lines a batch takes: no column may have more than 2 GiB of text.
pub const MAX_BATCH_BYTES: usize = 1 << 30;

/// Turns lines of one resource type into rows.
#[derive(Debug)]
pub struct Flattener {
    schema: Arc<TableSchema>,
    base: Option<ServerBase>,
    reader: Reader,
    columns: ObjectColumn,
    rests: StringBuilder,
    /// What the row that is being appended leaves over.
    rest: Rest,
    scratch: String,
    rows: usize,
    line_bytes: usize,
    byte_size: usize,
}

/// What the columns need to know, and where they leave what they cannot hold.
struct Walk<'w> {
    resolver: Resolver<'w>,
    rest: &'w mut Rest,
    /// For strings with escapes.
    scratch: &'w mut String,
    /// Bytes that were appended to columns.
    bytes: usize,
}

impl Flattener {
    /// A flattener without rows. Absolute references below `base` are resolved like relative ones.
    #[must_use]
    pub fn new(schema: Arc<TableSchema>, base: Option<ServerBase>) -> Self {
        let columns = ObjectColumn::new(&schema.shape);
        Self {
            schema,
            base,
            reader: Reader::default(),
            columns,
            rests: StringBuilder::new(),
            rest: Rest::default(),
            scratch: String::new(),
            rows: 0,
            line_bytes: 0,
            byte_size: 0,
        }
    }

    /// Adds the resource of a line, with or without its line end, as the next row.
    ///
    /// # Errors
    /// A line that [`scan`](crate::scan) refuses too, a resource of another type ([`IssueCode::Invalid`]), or a
    /// batch that cannot take so much more ([`IssueCode::TooCostly`], after [`MAX_BATCH_BYTES`] of lines). There is
    /// no row of the line then, and the flattener can be used as before.
    pub fn append(&mut self, line: &[u8]) -> Result<(), LineError> {
        let mut reader = std::mem::take(&mut self.reader);
        let appended = reader.read(line).and_then(|resource| self.append_resource(&resource, line.len()));
        self.reader = reader;
        appended
    }

    /// Adds a resource that has been read, from a line of so many bytes.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_resource(&mut self, resource: &Resource<'_>, length: usize) -> Result<(), LineError> {
        if self.rows > 0 && self.line_bytes + length > MAX_BATCH_BYTES {
            let reason = "the batch is full: it must be finished before the line is appended";
            return Err(LineError::new(IssueCode::TooCostly, reason, 0));
        }
        let root = resource.root();
        let identity = Identity::of(root)?;
        if identity.resource_type != self.schema.resource_type() {
            let reason = format!("the resource is no {}", self.schema.resource_type());
            let path = format!("{}.resourceType", identity.resource_type);
            return Err(LineError::new(IssueCode::Invalid, reason, 0).within(path));
        }
        self.rest.clear();
        let mut walk = Walk {
            resolver: Resolver { base: self.base.as_ref(), resource_types: &self.schema.resource_types },
            rest: &mut self.rest,
            scratch: &mut self.scratch,
            bytes: 0,
        };
        self.columns.put(&self.schema.shape, self.rows, root, Place::Root, &mut walk);
        if let Some(rest) = walk.rest.text() {
            self.rests.fill(self.rows);
            self.rests.append_value(rest);
            walk.bytes += rest.len();
        }
        self.byte_size += walk.bytes;
        self.line_bytes += length;
        self.rows += 1;
        Ok(())
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The size of the values in the rows, in bytes: an estimate of the batch, which is larger by the nulls of
    /// columns that have values in other rows.
    #[must_use]
    pub fn byte_size(&self) -> usize {
        self.byte_size
    }

    /// The rows, as a batch of the schema. The flattener is empty afterwards and can be filled again.
    ///
    /// Columns without any value cost next to nothing: they share their memory.
    pub fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        (self.line_bytes, self.byte_size) = (0, 0);
        (self.scratch, self.rest) = (String::new(), Rest::default());
        let mut arrays = self.columns.finish_members(&self.schema.shape, rows, &mut Nulls::default());
        self.rests.fill(rows);
        arrays.push(Arc::new(self.rests.finish()) as ArrayRef);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.arrow(), arrays, &options)
            .expect("the columns are made from the shape that the schema is made from, each with a value or null a row")
    }
}

#[cfg(test)]
mod tests {
    use fhir_definitions::Definitions;

    use super::*;

    fn flattener(resource_type: &str) -> Flattener {
        Flattener::new(Arc::new(TableSchema::new(Definitions::r4(), resource_type).unwrap()), None)
    }

    const GOOD: &[u8] = br#"{"resourceType":"Patient","id":"1","name":[{"given":["A"]}],"x":1}"#;

    #[test]
    fn a_refused_line_leaves_no_half_row() {
        let bad: [&[u8]; 4] = [
            br#"{"resourceType":"Patient","id":"1","name":[{"given":["B"]},{"given":[],"given":[]}]}"#,
            br#"{"resourceType":"Patient","id":"1","name":[{"given":["B"]}],"y":1"#,
            br#"{"resourceType":"Patient","name":[{"given":["B"]}],"id":""}"#,
            br#"{"resourceType":"Basic","id":"1","x":1}"#,
        ];
        let mut with_bad = flattener("Patient");
        let mut without = flattener("Patient");
        for line in bad {
            with_bad.append(line).unwrap_err();
            with_bad.append(GOOD).unwrap();
            without.append(GOOD).unwrap();
        }
        assert_eq!((with_bad.len(), with_bad.byte_size()), (4, without.byte_size()));
        assert_eq!(with_bad.finish(), without.finish());
    }

    #[test]
    fn a_resource_of_another_type_is_refused() {
        let error = flattener("Observation").append(GOOD).unwrap_err();
        assert_eq!(error.to_string(), "the resource is no Observation at byte 0 in Patient.resourceType");
        assert_eq!(error.code, IssueCode::Invalid);
    }

    #[test]
    fn a_finished_flattener_begins_anew() {
        let mut flattener = flattener("Patient");
        flattener.append(GOOD).unwrap();
        assert!(flattener.byte_size() > 0 && !flattener.is_empty());
        let first = flattener.finish();
        assert_eq!((flattener.len(), flattener.byte_size()), (0, 0));
        assert_eq!(flattener.finish().num_rows(), 0);
        flattener.append(br#"{"resourceType":"Patient","id":"2"}"#).unwrap();
        let second = flattener.finish();
        assert_eq!(
            (second.num_rows(), second.column_by_name("name").map(|names| names.null_count())),
            (1, Some(1))
        );
        flattener.append(GOOD).unwrap();
        assert_eq!(flattener.finish(), first);
    }

    #[test]
    fn a_batch_without_values_is_of_the_schema_and_small() {
        let mut flattener = flattener("ExplanationOfBenefit");
        for _ in 0..1000 {
            flattener.append(br#"{"resourceType":"ExplanationOfBenefit","id":"1"}"#).unwrap();
        }
        let batch = flattener.finish();
        assert_eq!(batch.schema(), flattener.schema.arrow());
        let empty = batch.columns().iter().filter(|column| column.null_count() == 1000).count();
        assert_eq!(empty, batch.num_columns() - 2);
        // All columns of texts without values are one.
        let texts: Vec<_> = ["implicitRules", "language", "status"]
            .iter()
            .filter_map(|name| batch.column_by_name(name))
            .collect();
        assert!(texts.len() == 3 && texts.windows(2).all(|pair| Arc::ptr_eq(pair[0], pair[1])));
    }
}
