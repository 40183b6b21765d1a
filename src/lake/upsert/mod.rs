//! The upsert of the resource types' tables: what [`delta_upsert`] needs to know of a run.

mod filter;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use delta_upsert::data_file::FileNames;
use delta_upsert::upsert::{Change, Changed};
use delta_upsert::{
    Buried, Caller, DataFile, IdHash, Key, KeyFileBuilder, Mode, Stamp, Table, Version, Workers,
};
use fhir_arrow::Instant;
use futures::future::BoxFuture;

pub use filter::{Dropped, Filter, Looked, Present};

use super::resource::resource_type;
use super::{Lake, keys, ledger, table};
use crate::error::{Error, Result};

/// What a run knows when its tables are written.
#[derive(Debug, Clone)]
pub struct Context {
    /// The lake.
    pub lake: Lake,
    /// The run.
    pub run: Stamp,
    /// The names of the files that are made.
    pub names: FileNames,
    /// The resource types of which this run's tombstones say something new.
    pub newly_deleted: Arc<BTreeSet<String>>,
    /// Runs that are finished → their transaction time.
    pub transaction_times: Arc<HashMap<String, Instant>>,
    /// The folder of the run's own notes.
    pub notes: String,
    /// How much is done at a time.
    pub workers: Workers,
    /// Bytes of keys that are merged at a time.
    pub chunk: usize,
}

impl Context {
    /// The same for the engine.
    pub fn of_tables(&self) -> delta_upsert::Context<'_> {
        delta_upsert::Context {
            caller: self,
            stamp: self.run.clone(),
            names: self.names.clone(),
            workers: self.workers.clone(),
            chunk: self.chunk,
        }
    }

    fn note_path(&self, name: &str) -> String {
        format!("{}/changes/{}.json", self.notes, name.replace('/', "-"))
    }
}

impl Caller for Context {
    fn keys<'a>(
        &'a self,
        table: &'a Table,
        file: &'a DataFile,
    ) -> BoxFuture<'a, delta_upsert::Result<KeyFileBuilder>> {
        Box::pin(async { Ok(keys::build(table, file, &self.transaction_times).await?) })
    }

    fn tombstones<'a>(
        &'a self,
        table: &'a Table,
        keys: &'a [Key],
    ) -> BoxFuture<'a, delta_upsert::Result<HashMap<IdHash, Buried>>> {
        Box::pin(async { Ok(ledger::tombstones(&self.lake.root, resource_type(table.name()), keys).await?) })
    }

    fn note<'a>(&'a self, table: &'a Table, changed: &'a Changed) -> BoxFuture<'a, delta_upsert::Result<()>> {
        Box::pin(async {
            let path = self.note_path(table.name());
            let content = serde_json::to_vec(changed)
                .map_err(|e| Error::Damaged { path: path.clone(), reason: e.to_string() })?;
            Ok(self.lake.root.put(&path, content).await?)
        })
    }

    fn noted<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, delta_upsert::Result<Changed>> {
        Box::pin(async {
            let path = self.note_path(table.name());
            let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
            let content = self.lake.root.get(&path).await?;
            let content = content.ok_or_else(|| {
                damaged("the table has the run's commit, and the note of it is missing".into())
            })?;
            Ok(serde_json::from_slice(&content).map_err(|e| damaged(e.to_string()))?)
        })
    }
}

/// The key of a tombstone: a deletion of `id` that covers what is not newer than `deleted_at`.
pub fn tombstone(id: &str, deleted_at: Instant) -> Key {
    // Tombstones are kept in microseconds, so these decide.
    let version = Version { at: deleted_at.micros(), beyond: u32::MAX, seen: i64::MAX };
    Key { id: IdHash::of(id), version, place: 0, row_hash: 0, file: Key::TOMBSTONE, row: 0 }
}

/// Brings a table to what the run says. Returns at once where the run has done so before.
pub async fn upsert(context: &Context, name: &str, change: Change) -> Result<Changed> {
    let spec = context.lake.resource_table(name)?;
    let place = context.lake.root.table(name)?;
    if change.staged.is_empty() && table::open(&context.lake.root, name).await?.is_none() {
        return Ok(Changed::default());
    }
    let buries = change.buries && context.newly_deleted.contains(resource_type(name));
    let change = Change { buries, indexed: Arc::clone(&spec.indexed), ..change };
    let mode: Mode = context.lake.identity.upsert.into();
    let open = async || match Table::open(&place).await? {
        Some(table) => Ok(table),
        None => Table::create(&place, &spec.columns, &spec.indexed, mode).await,
    };
    Ok(delta_upsert::upsert::upsert(&context.of_tables(), open, change).await?)
}

/// Replaces the rows and the columns of a table, unless the run has done so before. Returns the version that has them.
///
/// # Errors
/// [`Error::Unreconciled`] where the table would have more rows or fewer.
pub async fn replace(context: &Context, name: &str, change: Change) -> Result<u64> {
    let spec = context.lake.resource_table(name)?;
    let table = table::open(&context.lake.root, name).await?.ok_or_else(|| table::missing(name))?;
    let change = Change { indexed: Arc::clone(&spec.indexed), ..change };
    Ok(delta_upsert::upsert::replace(&context.of_tables(), table, &spec.columns, change).await?)
}

/// The keys of a table's data files.
pub async fn keys_of(context: &Context, table: &Table, file: &DataFile) -> Result<delta_upsert::KeyFile> {
    Ok(delta_upsert::keys_of(context, table, file).await?)
}
