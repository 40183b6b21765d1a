//! The rows of a view, computed, staged, and brought into its table.
//!
//! One invariant: rows stream. What is in memory of them at a time is a share of what the call may take.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use delta_upsert::contents::{Brought, Contents, Limits, Scope, Staging, bring};
use delta_upsert::data_file::FileNames;
use delta_upsert::{Context, IdHash, Mode, Stamp, Table, Workers};
use futures::StreamExt;

use super::Work;
use super::target::{Target, stored};
use crate::error::{Error, Result};
use crate::lake::materialized::{self, Record};
use crate::pipeline::settings::LEAST_MEMORY;
use crate::query::Session;
use crate::query::session::{execute, failed};
use crate::views::Key;

/// What the program takes whatever it does.
const OF_THE_PROGRAM: u64 = 64 << 20;

/// Bytes of an id that is looked for, in its set.
const OF_AN_ID: u64 = 48;

/// The size of a data file.
const FILE_SIZE: usize = 128 << 20;

/// The rows of a data file: their keys are in memory together.
const FILE_ROWS: u64 = 1 << 20;

/// The shares of the memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// Bytes of a query.
    pub query: u64,
    /// How many ids are looked for at a time.
    pub ids: usize,
    /// Bytes of a part of the rest.
    part: usize,
}

impl Memory {
    pub(super) fn of(bytes: u64) -> Self {
        let shared = bytes.max(LEAST_MEMORY) - OF_THE_PROGRAM;
        let number = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self { query: shared / 2, ids: number(shared / 8 / OF_AN_ID), part: number(shared / 8) }
    }
}

impl Work<'_> {
    /// Computes the rows of a view in a session, and brings them into its table: all of its rows, or those of some ids.
    pub(super) async fn write(
        &self,
        session: &Session,
        target: &Target,
        record: Record,
        scope: Scope,
        ids: Option<&HashSet<IdHash>>,
    ) -> Result<Brought> {
        let frame = session.plan(&format!("SELECT * FROM {}", target.name)).await?;
        let columns = match &target.columns {
            Some(columns) => Arc::clone(columns),
            None => stored(frame.schema().as_arrow()),
        };
        check_names(&columns, frame.schema().as_arrow())?;
        check_key(&columns, record.key.as_deref())?;
        let place = self.lake.root.view(&materialized::path(&target.name))?;
        let stamp = Stamp { application: materialized::application(), version: 0 };
        let (names, key) = (FileNames::new(&stamp), record.key.as_deref());
        let indexed = Arc::new(materialized::indexed(&columns, key));
        let limits = Limits {
            file_size: FILE_SIZE,
            file_rows: FILE_ROWS,
            encoding: self.memory.part,
            keys: self.memory.part,
        };
        let mut staging = Staging::new(&place, &columns, key, Arc::clone(&indexed), names.clone(), limits)?;
        for id in ids.into_iter().flatten() {
            staging.covers(*id)?;
        }
        let mut rows = execute(frame).await?;
        while let Some(batch) = rows.next().await {
            let batch = batch.and_then(|batch| stored_rows(&batch, &columns).map_err(DataFusionError::from));
            let batch = batch.map_err(|e| failed(&e))?;
            if let (Some(ids), Some(key)) = (ids, &target.key) {
                check_ids(&batch, key, ids)?;
            }
            staging.write(batch).await?;
        }
        let (staged, keys) = staging.finish().await?;
        let caller = record.keys();
        let context =
            Context { caller: &caller, stamp, names, workers: Workers::new(1), chunk: self.memory.part };
        let mode: Mode = self.lake.identity.upsert.into();
        let open = async || match Table::open(&place).await? {
            Some(table) => Ok(table),
            None => Table::create(&place, &columns, &indexed, mode).await,
        };
        let properties = record.properties();
        let (columns, indexed) = (Arc::clone(&columns), Arc::clone(&indexed));
        let contents = Contents { staged, keys, scope, columns, indexed, properties };
        Ok(bring(&context, open, contents).await?)
    }
}

/// A header names the columns that the view has.
fn check_names(said: &SchemaRef, found: &Schema) -> Result<()> {
    let names =
        |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let (said, found) = (names(said), names(found));
    let mut seen = HashSet::new();
    if let Some(again) = said.iter().find(|name| !seen.insert(name.to_lowercase())) {
        return Err(Error::Query(format!(
            "it has two columns of the name {again}, and tables do not tell capitals from small letters"
        )));
    }
    if said == found {
        return Ok(());
    }
    Err(Error::Query(format!(
        "its header names the columns {}, and it has {}",
        said.join(", "),
        found.join(", ")
    )))
}

/// A key is a column of ids.
fn check_key(columns: &SchemaRef, key: Option<&str>) -> Result<()> {
    match key {
        Some(key) if columns.field_with_name(key).is_ok_and(|field| *field.data_type() == DataType::Utf8) => {
            Ok(())
        }
        Some(key) => Err(Error::Query(format!("its key {key} is no column of texts that it has"))),
        None => Ok(()),
    }
}

/// Rows that were computed of some resources are of these resources; others would never be taken out again.
fn check_ids(batch: &RecordBatch, key: &Key, ids: &HashSet<IdHash>) -> Result<()> {
    let column = batch.column_by_name(&key.column).and_then(|column| column.as_string_opt::<i32>());
    let is_of_them = |id: Option<&str>| id.is_some_and(|id| ids.contains(&IdHash::of(id)));
    if column.is_some_and(|column| column.iter().all(is_of_them)) {
        return Ok(());
    }
    Err(Error::Query(format!(
        "its key, {} of {}, does not hold: there are rows without it, or of other resources than those that the view was \
         computed for. Take the key out of the view's header",
        key.column, key.resource
    )))
}

/// Rows with the types of the table.
fn stored_rows(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let arrays = batch.columns().iter().zip(columns.fields());
    let arrays = arrays.map(|(array, field)| cast_with_options(array, field.data_type(), &options));
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let arrays = arrays.collect::<Result<Vec<ArrayRef>, _>>()?;
    RecordBatch::try_new_with_options(Arc::clone(columns), arrays, &rows)
}
