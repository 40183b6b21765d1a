//! The lake's own tables: rows as plain structs, written and read like every other Delta table.
//!
//! One invariant: a run's rows are in a table once. The application transaction says whether they are there already,
//! and whoever loses a race reads the table again before trying again.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use delta_upsert::data_file::{DataFileWriter, FileNames, NewFile, Parts, read_all};
use delta_upsert::table::Commit;
pub use delta_upsert::upsert::{ATTEMPTS, back_off};
use delta_upsert::{DataFile, Mode, Stamp, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::storage::Root;

/// Rows that are encoded at a time.
const CHUNK: usize = 256;

/// A row of one of the lake's own tables.
pub trait OwnRow: Serialize + DeserializeOwned + Send + Sync {
    /// The table's name.
    const TABLE: &'static str;

    /// The table's columns, in order; the struct's fields by name.
    fn schema() -> Schema;
}

/// What becomes of a table's rows.
#[derive(Debug)]
pub enum Edit<R> {
    /// Nothing.
    Keep,
    /// These are added.
    Append(Vec<R>),
    /// These take the place of all that are there.
    Replace(Vec<R>),
}

/// Reads all rows of a table at its newest version: none where there is no table yet.
pub async fn rows<R: OwnRow>(root: &Root) -> Result<Vec<R>> {
    match super::table::open(root, R::TABLE).await? {
        Some(table) => rows_of(&table).await,
        None => Ok(Vec::new()),
    }
}

/// Reads all rows of an open table: of each the columns that `R` has.
pub async fn rows_of<R: OwnRow>(table: &Table) -> Result<Vec<R>> {
    let schema = R::schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    decode(table.name(), &read_all(table, Some(&columns)).await?)
}

/// Appends rows in one commit of the run. Returns the version that holds them; `None` without rows.
pub async fn append<R: OwnRow>(root: &Root, run: &Stamp, new: &[R]) -> Result<Option<u64>> {
    if new.is_empty() {
        return Ok(None);
    }
    let file = write(root, run, new).await?;
    let schema = R::schema();
    for attempt in 0..ATTEMPTS {
        let mut table = open_or_create::<R>(root, &schema).await?;
        if table.done_by(run).await? {
            table.discard(&[file]).await;
            return Ok(Some(table.version()));
        }
        match table.commit(Vec::new(), vec![file.clone()], run).await? {
            Commit::Done(version) => return Ok(Some(version)),
            Commit::Lost => back_off(attempt).await,
        }
    }
    Err(contended::<R>())
}

/// Changes a table in one commit of the run: `decide` sees the table as it is, and is asked again after a lost race.
///
/// Returns the version that holds the change; `None` where there is nothing to change and no table.
pub async fn edit<R: OwnRow>(
    root: &Root,
    run: &Stamp,
    mut decide: impl AsyncFnMut(&Table) -> Result<Edit<R>>,
) -> Result<Option<u64>> {
    let schema = Arc::new(R::schema());
    for attempt in 0..ATTEMPTS {
        let mut table = open_or_create::<R>(root, &schema).await?;
        if table.done_by(run).await? {
            return Ok(Some(table.version()));
        }
        let (remove, new) = match decide(&table).await? {
            Edit::Keep => return Ok(Some(table.version())),
            Edit::Append(new) => (Vec::new(), new),
            Edit::Replace(new) => (table.files()?.iter().filter_map(DataFile::remove).collect(), new),
        };
        let file = write(root, run, &new).await?;
        match table.commit(remove, vec![file.clone()], run).await? {
            Commit::Done(version) => return Ok(Some(version)),
            Commit::Lost => table.discard(&[file]).await,
        }
        back_off(attempt).await;
    }
    Err(contended::<R>())
}

/// Writes rows to a file of the table, which no commit names yet.
pub async fn write<R: OwnRow>(root: &Root, run: &Stamp, rows: &[R]) -> Result<NewFile> {
    let (schema, place) = (Arc::new(R::schema()), root.table(R::TABLE)?);
    let name = FileNames::new(run).next();
    let mut chunks = rows.chunks(CHUNK);
    let first = encode(&schema, chunks.next().unwrap_or_default())?;
    let mut writer = DataFileWriter::begin(&place, name, &first, Arc::default())?;
    for chunk in chunks {
        writer.write(&encode(&schema, chunk)?)?;
    }
    let (part, file) = writer.finish()?;
    Parts::new(&place).place([part]).await?;
    Ok(file)
}

/// The table as it is; made where it is missing.
pub(super) async fn open_or_create<R: OwnRow>(root: &Root, schema: &Schema) -> Result<Table> {
    match super::table::open(root, R::TABLE).await? {
        Some(table) => Ok(table),
        None => Ok(Table::create(&root.table(R::TABLE)?, schema, &[], Mode::CopyOnWrite).await?),
    }
}

fn contended<R: OwnRow>() -> Error {
    Error::Contended { table: R::TABLE.to_owned(), attempts: ATTEMPTS }
}

/// Rows as columns.
pub(super) fn encode<R: OwnRow>(schema: &SchemaRef, rows: &[R]) -> Result<RecordBatch> {
    let encoded = || {
        let mut decoder =
            ReaderBuilder::new(Arc::clone(schema)).with_batch_size(rows.len().max(1)).build_decoder()?;
        decoder.serialize(rows)?;
        Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema))))
    };
    encoded().map_err(Error::arrow(R::TABLE))
}

fn decode<R: OwnRow>(table: &str, batches: &[RecordBatch]) -> Result<Vec<R>> {
    let mut lines = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut lines);
    writer
        .write_batches(&batches.iter().collect::<Vec<_>>())
        .and_then(|()| writer.finish())
        .map_err(Error::arrow(table))?;
    serde_json::Deserializer::from_slice(&lines)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|e| Error::Damaged { path: format!("tables/{table}"), reason: e.to_string() })
}
