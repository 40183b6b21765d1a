//! `_quarantine`: lines that could not become rows, with their bytes, place and reason.
//!
//! One invariant: a line is in it until it is replayed, or its time is over. No other table holds identifying text that
//! nobody has judged.

use std::collections::HashSet;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use delta_upsert::data_file::{self, DataFileWriter, FileNames, NewFile, Parts};
use delta_upsert::table::Commit;
use delta_upsert::{DataFile, Stamp, Table};
use fhir_arrow::LineError;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::ledger::{number, text};
use super::own::{ATTEMPTS, OwnRow, back_off, open_or_create};
use super::table;
use crate::error::{Error, Result};
use crate::raw::Line;
use crate::storage::Root;

/// `_quarantine`: a line that could not become a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRow {
    /// The run.
    pub export_id: String,
    /// The type that the line says, or the manifest says of its file.
    pub resource_type: Option<String>,
    /// The line's id, where it can be read.
    pub id: Option<String>,
    /// The raw file.
    pub raw_file: String,
    /// The line's number in it, from 1, blank lines counted.
    pub line_number: i64,
    /// Where the line begins.
    pub byte_offset: i64,
    /// Its length, without the line's end.
    pub byte_length: i64,
    /// Where in the resource, as far as it is known.
    pub element_path: Option<String>,
    /// FHIR's issue type: `structure`, `required`, `value`, `invalid`, …
    pub issue_code: String,
    /// What is wrong, without the values.
    pub reason: String,
    /// The line's bytes; none of a line that is longer than [`QuarantineRow::MAX_CONTENT`].
    #[serde(with = "hexadecimal")]
    pub content: Option<Vec<u8>>,
}

impl QuarantineRow {
    /// The longest line, in bytes, that is kept in the table too and not in its raw file alone.
    pub const MAX_CONTENT: usize = 64 << 20;

    /// The row of a line that is refused.
    pub fn new(
        export_id: &str,
        raw_file: &str,
        line: &Line<'_>,
        resource_type: Option<String>,
        id: Option<String>,
        error: &LineError,
    ) -> Self {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            export_id: export_id.to_owned(),
            resource_type,
            id,
            raw_file: raw_file.to_owned(),
            line_number: signed(line.number),
            byte_offset: signed(line.offset),
            byte_length: signed(line.bytes.len() as u64),
            element_path: error.element_path.clone(),
            issue_code: error.code.to_string(),
            reason: error.reason.clone(),
            content: (line.bytes.len() <= Self::MAX_CONTENT).then(|| line.bytes.to_vec()),
        }
    }
}

/// Bytes as arrow-json reads them.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(hex::encode).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(hex::decode).transpose().map_err(serde::de::Error::custom)
    }
}

/// Of a quarantined line no more than its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFile {
    /// The raw file.
    pub raw_file: String,
}

/// Of a quarantined line all but its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedLine {
    /// The run.
    pub export_id: String,
    /// The type that the line says, or the manifest says of its file.
    pub resource_type: Option<String>,
    /// The line's id, where it can be read.
    pub id: Option<String>,
    /// The raw file.
    pub raw_file: String,
    /// The line's number in it, from 1.
    pub line_number: i64,
    /// Where the line begins.
    pub byte_offset: i64,
    /// Its length, without the line's end.
    pub byte_length: i64,
    /// Where in the resource, as far as it is known.
    pub element_path: Option<String>,
    /// FHIR's issue type.
    pub issue_code: String,
    /// What is wrong.
    pub reason: String,
}

impl OwnRow for QuarantinedLine {
    const TABLE: &'static str = QuarantineRow::TABLE;

    fn schema() -> Schema {
        let all = QuarantineRow::schema();
        let but_content = all.fields().iter().filter(|field| field.name() != "content").cloned();
        Schema::new(but_content.collect::<Vec<_>>())
    }
}

impl OwnRow for RefusedFile {
    const TABLE: &'static str = QuarantineRow::TABLE;

    fn schema() -> Schema {
        Schema::new(vec![text("raw_file")])
    }
}

impl OwnRow for QuarantineRow {
    const TABLE: &'static str = "_quarantine";

    fn schema() -> Schema {
        Schema::new(vec![
            text("export_id"),
            text("resource_type"),
            text("id"),
            text("raw_file"),
            number("line_number"),
            number("byte_offset"),
            number("byte_length"),
            text("element_path"),
            text("issue_code"),
            text("reason"),
            Field::new("content", DataType::Binary, true),
        ])
    }
}

/// Lines that leave the quarantine.
#[derive(Debug, Default)]
pub struct Leaving {
    /// Raw file and number of each.
    pub lines: HashSet<(String, i64)>,
    /// The runs whose lines have been there long enough.
    pub runs: HashSet<String>,
}

impl Leaving {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.runs.is_empty()
    }

    /// Which rows of a batch stay.
    fn stay(&self, batch: &RecordBatch) -> Option<BooleanArray> {
        let runs = batch.column_by_name("export_id")?.as_string_opt::<i32>()?;
        let files = batch.column_by_name("raw_file")?.as_string_opt::<i32>()?;
        let numbers = batch.column_by_name("line_number")?.as_primitive_opt::<Int64Type>()?;
        let leaves = |row: usize| {
            self.runs.contains(runs.value(row))
                || self.lines.contains(&(files.value(row).to_owned(), numbers.value(row)))
        };
        Some((0..batch.num_rows()).map(|row| Some(!leaves(row))).collect())
    }
}

/// Adds the lines of files that are in their places already, and takes lines out, in one commit of the run. Returns the
/// version that has it; `None` where there is nothing to do and no table.
pub async fn update(root: &Root, run: &Stamp, new: Vec<NewFile>, leaving: &Leaving) -> Result<Option<u64>> {
    if new.is_empty() && leaving.is_empty() {
        return Ok(None);
    }
    for attempt in 0..ATTEMPTS {
        let mut table = match table::open(root, QuarantineRow::TABLE).await? {
            None if new.is_empty() => return Ok(None),
            None => open_or_create::<QuarantineRow>(root, &QuarantineRow::schema()).await?,
            Some(table) => table,
        };
        if table.done_by(run).await? {
            table.discard(&new).await;
            return Ok(Some(table.version()));
        }
        let (mut remove, mut copies) = (Vec::new(), Vec::new());
        for file in table.files()? {
            if let Some(copy) = without(run, &table, &file, leaving).await? {
                remove.extend(file.remove());
                copies.extend(copy);
            }
        }
        if new.is_empty() && remove.is_empty() {
            return Ok(Some(table.version()));
        }
        let add = new.iter().chain(&copies).cloned().collect();
        match table.commit(remove, add, run).await? {
            Commit::Done(version) => return Ok(Some(version)),
            Commit::Lost => table.discard(&copies).await,
        }
        back_off(attempt).await;
    }
    Err(Error::Contended { table: QuarantineRow::TABLE.to_owned(), attempts: ATTEMPTS })
}

/// A file written again without the lines that leave: `None` where none does, no copy where all do.
async fn without(
    run: &Stamp,
    table: &Table,
    file: &DataFile,
    leaving: &Leaving,
) -> Result<Option<Option<NewFile>>> {
    let places = ["export_id", "raw_file", "line_number"];
    let (mut stay, mut leave) = (0, 0);
    let mut batches = data_file::read(table, file, Some(&places)).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(Error::parquet(table.name()))?;
        let staying = leaving.stay(&batch).ok_or_else(|| damaged(file))?.true_count();
        (stay, leave) = (stay + staying, leave + batch.num_rows() - staying);
    }
    match (stay, leave) {
        (_, 0) => return Ok(None),
        (0, _) => return Ok(Some(None)),
        _ => {}
    }
    let mut parts = Parts::new(table.place());
    let mut writer: Option<DataFileWriter> = None;
    let mut batches = data_file::read_in(table, file, None, ROWS).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(Error::parquet(table.name()))?;
        let staying = leaving.stay(&batch).ok_or_else(|| damaged(file))?;
        let kept = filter_record_batch(&batch, &staying).map_err(Error::arrow(table.name()))?;
        let mut open = match writer.take() {
            Some(mut open) => {
                open.write(&kept)?;
                open
            }
            None => {
                DataFileWriter::begin(table.place(), FileNames::new(run).next(), &kept, Default::default())?
            }
        };
        open.end_group()?;
        parts.place(open.part()).await?;
        writer = Some(open);
    }
    let Some(writer) = writer else { return Ok(Some(None)) };
    let (part, copy) = writer.finish()?;
    parts.place([part]).await?;
    Ok(Some(Some(copy)))
}

/// Rows that are copied at a time: their lines may be long.
const ROWS: usize = 64;

fn damaged(file: &DataFile) -> Error {
    Error::Damaged {
        path: format!("tables/{}/{}", QuarantineRow::TABLE, file.path),
        reason: "its columns are not those of quarantined lines".to_owned(),
    }
}
