//! The table of one resource type: its columns as FHIR defines them, then where each row comes from.
//!
//! One invariant: the columns follow from the FHIR version alone, so they are the same in every lake.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use fhir_arrow::{Instant, TableSchema};
use fhir_definitions::Definitions;

use super::exports::timestamp;
use crate::error::{Error, Result};

/// The folder, under `tables/`, of resources that the server sent without all of their elements.
const PARTIAL: &str = "_partial/";

/// The elements by which a type's rows belong to a patient: the first that a type has gets statistics.
const SUBJECTS: [&str; 3] = ["subject", "patient", "beneficiary"];

/// The elements that say when what a resource tells of was: those that a type has get statistics, as far as there is room.
const DATES: [&str; 17] = [
    "effectiveDateTime",
    "effectivePeriod.start",
    "period.start",
    "period.end",
    "onsetDateTime",
    "performedDateTime",
    "performedPeriod.start",
    "occurrenceDateTime",
    "occurrencePeriod.start",
    "authoredOn",
    "recordedDate",
    "issued",
    "billablePeriod.start",
    "created",
    "date",
    "started",
    "birthDate",
];

/// How many columns have statistics: each is in the log's entry of every file.
const INDEXED: usize = 8;

/// The columns of a resource type's table.
#[derive(Debug, Clone)]
pub struct ResourceTable {
    /// Name under `tables/`: the type, or `_partial/` and the type.
    pub name: String,
    /// The elements' columns.
    pub elements: Arc<TableSchema>,
    /// All columns: the elements', then lineage.
    pub columns: SchemaRef,
    /// The leaves with statistics in the log: id, `meta.lastUpdated`, the patient's id, the main dates. Never anything else of
    /// a patient.
    pub indexed: Arc<Vec<String>>,
}

/// The name of the table that a resource belongs to.
pub fn table_name(resource_type: &str, subsetted: bool) -> String {
    if subsetted { format!("{PARTIAL}{resource_type}") } else { resource_type.to_owned() }
}

/// The resource type of a table's name.
pub fn resource_type(table: &str) -> &str {
    table.strip_prefix(PARTIAL).unwrap_or(table)
}

impl ResourceTable {
    /// The table of that name, with the columns that are configured for its type.
    pub fn new(definitions: &Definitions, name: &str, configured: &[String]) -> Result<Self> {
        let elements = TableSchema::with_columns(definitions, resource_type(name), configured)?;
        let mut fields: Vec<_> = elements.arrow().fields().iter().cloned().collect();
        fields.extend(lineage_fields().into_iter().map(Arc::new));
        let mut indexed = vec!["id".to_owned(), "meta.lastUpdated".to_owned()];
        let subject =
            SUBJECTS.iter().find(|subject| elements.arrow().field_with_name(subject).is_ok_and(is_struct));
        indexed.extend(subject.map(|subject| format!("{subject}.__reference_id")));
        let dates = DATES.iter().filter_map(|date| first_moment(&elements.arrow(), date));
        indexed.extend(dates.take(INDEXED - 3));
        Ok(Self {
            name: name.to_owned(),
            elements: Arc::new(elements),
            columns: Arc::new(Schema::new(fields)),
            indexed: Arc::new(indexed),
        })
    }
}

/// The column of a date's first moment, where a type has that date.
fn first_moment(elements: &Schema, date: &str) -> Option<String> {
    let (parent, name) = date.rsplit_once('.').map_or((None, date), |(parent, name)| (Some(parent), name));
    let annotation = format!("__{name}_start");
    let fields = match parent {
        None => elements.fields(),
        Some(parent) => match elements.field_with_name(parent).ok()?.data_type() {
            DataType::Struct(fields) => fields,
            _ => return None,
        },
    };
    fields.find(&annotation)?;
    Some(parent.map_or_else(|| annotation.clone(), |parent| format!("{parent}.{annotation}")))
}

fn is_struct(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Struct(_))
}

fn lineage_fields() -> [Field; 7] {
    [
        Field::new("__source", DataType::Utf8, true),
        Field::new("__export_id", DataType::Utf8, true),
        Field::new("__raw_file", DataType::Utf8, true),
        Field::new("__raw_offset", DataType::Int64, true),
        Field::new("__raw_length", DataType::Int64, true),
        Field::new("__row_hash", DataType::Int64, true),
        Field::new("__ingested_at", timestamp(), true),
    ]
}

/// What all rows out of one run have in common.
#[derive(Debug, Clone)]
pub struct Origin {
    /// `__source`: the server's alias.
    pub source: String,
    /// `__export_id`: the run.
    pub export_id: String,
    /// `__ingested_at`: when the run was planned, so that a rebuild gives the same rows.
    pub ingested_at: DateTime<Utc>,
    /// When the server took the snapshot that the run brought.
    pub transaction_time: Instant,
}

/// Where the rows of a batch lie in the raw store, row by row.
#[derive(Debug, Default)]
pub struct Lineage {
    origins: Vec<Arc<Origin>>,
    files: Vec<Arc<str>>,
    offsets: Vec<i64>,
    lengths: Vec<i64>,
    hashes: Vec<i64>,
}

impl Lineage {
    /// Appends a row's place and hash.
    pub fn push(&mut self, origin: Arc<Origin>, file: Arc<str>, offset: u64, length: u64, hash: i64) {
        self.origins.push(origin);
        self.files.push(file);
        self.offsets.push(i64::try_from(offset).unwrap_or(i64::MAX));
        self.lengths.push(i64::try_from(length).unwrap_or(i64::MAX));
        self.hashes.push(hash);
    }

    /// The elements' columns with the lineage columns after them, and without the columns that hold nothing.
    pub fn attach(self, elements: &RecordBatch) -> Result<RecordBatch> {
        let ingested_at = self.origins.iter().map(|origin| origin.ingested_at.timestamp_micros());
        let ingested_at = TimestampMicrosecondArray::from_iter_values(ingested_at);
        let lineage: [ArrayRef; 7] = [
            Arc::new(StringArray::from_iter_values(self.origins.iter().map(|origin| &origin.source))),
            Arc::new(StringArray::from_iter_values(self.origins.iter().map(|origin| &origin.export_id))),
            Arc::new(StringArray::from_iter_values(self.files.iter().map(AsRef::as_ref))),
            Arc::new(Int64Array::from(self.offsets)),
            Arc::new(Int64Array::from(self.lengths)),
            Arc::new(Int64Array::from(self.hashes)),
            Arc::new(ingested_at.with_timezone("UTC")),
        ];
        let elements = elements.schema_ref().fields().iter().cloned().zip(elements.columns().iter().cloned());
        let lineage = lineage_fields().into_iter().map(Arc::new).zip(lineage);
        let holds_values = |array: &ArrayRef| array.null_count() < array.len();
        let (fields, columns): (Vec<_>, Vec<_>) =
            elements.filter(|(_, array)| holds_values(array)).chain(lineage).unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::arrow("(staging)"))
    }
}

#[cfg(test)]
mod tests {
    use fhir_definitions::FhirVersion;

    use super::*;

    fn indexed(name: &str) -> String {
        ResourceTable::new(Definitions::of(FhirVersion::R4), name, &[]).unwrap().indexed.join(" ")
    }

    #[test]
    fn statistics_are_of_ids_and_of_the_main_dates() {
        assert_eq!(
            indexed("Observation"),
            "id meta.lastUpdated subject.__reference_id __effectiveDateTime_start effectivePeriod.__start_start __issued_start"
        );
        assert_eq!(indexed("Patient"), "id meta.lastUpdated __birthDate_start");
        assert_eq!(
            indexed("Encounter"),
            "id meta.lastUpdated subject.__reference_id period.__start_start period.__end_start"
        );
        for name in Definitions::of(FhirVersion::R4).resource_types() {
            assert!(indexed(name).split(' ').count() <= INDEXED, "{name}");
        }
    }
}
