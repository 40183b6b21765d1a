//! What commits have changed: the rows that each has brought, and those that it has taken away.
//!
//! One invariant: a row that only moved (a file written again, files put together) is in neither. What a commit did is read
//! from its entry in the log and from vectors, so finding it costs what the commits say, not what the tables hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use deltalake::kernel::{Action, Add, DeletionVectorDescriptor, Remove};
use deltalake::logstore::get_actions;
use futures::{Stream, StreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::table::{DataFile, Table};
use crate::vacuum::{list, names, relative};
use crate::{Error, Result, RoaringBitmap, Stamp, data_file, vector};

/// What a commit has changed.
#[derive(Debug, Clone)]
pub struct CommitChanges {
    /// The version that it made.
    pub version: u64,
    /// Its application transaction, where it has one.
    pub stamp: Option<Stamp>,
    /// Rows that it has taken away.
    pub gone: Vec<Rows>,
    /// Rows that it has brought.
    pub came: Vec<Rows>,
}

/// Rows of a data file.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The file.
    pub file: DataFile,
    which: Which,
}

/// Which rows of a file.
#[derive(Debug, Clone)]
enum Which {
    /// All but these.
    Without(RoaringBitmap),
    /// These.
    These(RoaringBitmap),
}

/// What a commit says of one file.
#[derive(Debug, Default)]
struct Of {
    /// The vector that the file had.
    removed: Option<Option<DeletionVectorDescriptor>>,
    /// The vector that the file has.
    added: Option<Option<DeletionVectorDescriptor>>,
    /// Its bytes: a commit that takes a file out need not say them.
    size: Option<u64>,
    rows: u64,
}

/// The versions after `after` (all of them where it is `None`) up to the one that is open.
#[must_use]
pub fn versions(table: &Table, after: Option<u64>) -> Range<u64> {
    after.map_or(0, |after| after.saturating_add(1))..table.version().saturating_add(1)
}

/// Looks whether all files are there that the changes after `after` are read from.
///
/// # Errors
/// [`Error::Vacuumed`] where files of them are gone, and [`Error::Damaged`] where an entry of the log is.
pub async fn check(table: &Table, after: Option<u64>) -> Result<()> {
    let folder = &table.place().folder;
    let listed = list(table, folder).await?;
    let here: BTreeSet<String> = listed.iter().filter_map(|object| relative(object, folder)).collect();
    for version in versions(table, after).rev() {
        for action in actions(table, version).await? {
            if read_for(table, &action)?.iter().any(|name| !here.contains(name)) {
                return Err(Error::Vacuumed { table: table.name().to_owned(), known_after: version });
            }
        }
    }
    Ok(())
}

/// The names of the files that have to be read to know what an action changes.
fn read_for(table: &Table, action: &Action) -> Result<Vec<String>> {
    match action {
        Action::Add(add) if add.data_change => names(table, &add.path, add.deletion_vector.as_ref()),
        Action::Remove(remove) if remove.data_change => {
            names(table, &remove.path, remove.deletion_vector.as_ref())
        }
        _ => Ok(Vec::new()),
    }
}

/// What the commit has changed that made a version; nothing where it has changed no row.
///
/// # Errors
/// [`Error::Damaged`] where the log no longer has its entry; [`Error::Delta`].
pub async fn commit(table: &Table, version: u64) -> Result<CommitChanges> {
    let (mut files, mut stamp) = (BTreeMap::<String, Of>::new(), None);
    for action in actions(table, version).await? {
        match action {
            Action::Add(add) if add.data_change => {
                let of = files.entry(add.path.clone()).or_default();
                of.size = u64::try_from(add.size).ok();
                of.rows = num_records(&add);
                of.added = Some(add.deletion_vector);
            }
            Action::Remove(Remove { path, deletion_vector, size, data_change: true, .. }) => {
                let of = files.entry(path).or_default();
                of.removed = Some(deletion_vector);
                of.size = of.size.or(size.and_then(|size| u64::try_from(size).ok()));
            }
            Action::Txn(txn) => {
                stamp = Some(Stamp { application: txn.app_id, version: txn.version });
            }
            _ => {}
        }
    }
    let mut changes = CommitChanges { version, stamp, gone: Vec::new(), came: Vec::new() };
    for (path, of) in files {
        changes.file(table, &path, of).await?;
    }
    Ok(changes)
}

/// The actions of a commit.
pub(crate) async fn actions(table: &Table, version: u64) -> Result<Vec<Action>> {
    let entry = table.delta().log_store().read_commit_entry(version).await;
    let entry = entry.map_err(Error::delta(table.name(), "read an entry of its log"))?;
    let entry = entry.ok_or_else(|| Error::Damaged {
        path: table.place().folder.clone(),
        reason: format!(
            "its log no longer has the entry of version {version}, so nobody knows what that changed"
        ),
    })?;
    get_actions(version, &entry).map_err(Error::delta(table.name(), "read an entry of its log"))
}

/// How large a file is, as the store says.
async fn stored_size(table: &Table, path: &Path) -> Result<u64> {
    let path = table.place().data_file(path.as_ref());
    let found = table.place().store.head(&Path::from(path.as_str())).await;
    Ok(found.map_err(Error::store("find", &path))?.size)
}

fn num_records(add: &Add) -> u64 {
    let stats = add.stats.as_deref().and_then(|stats| serde_json::from_str::<serde_json::Value>(stats).ok());
    stats.and_then(|stats| stats.get("numRecords")?.as_u64()).unwrap_or_default()
}

impl CommitChanges {
    async fn file(&mut self, table: &Table, path: &str, of: Of) -> Result<()> {
        let path = Path::from_url_path(path).map_err(|e| Error::Damaged {
            path: table.place().folder.clone(),
            reason: format!("its log names a file that has no path: {e}"),
        })?;
        let size = match of.size {
            Some(size) => size,
            None => stored_size(table, &path).await?,
        };
        let file = DataFile::unnamed(path, size, of.rows);
        let (before, now) = match (&of.removed, &of.added) {
            (None, None) => return Ok(()),
            (Some(before), None) => {
                let which = Which::Without(vector::rows(table, &file, before.as_ref()).await?);
                self.gone.push(Rows { file, which });
                return Ok(());
            }
            (None, Some(now)) => {
                let which = Which::Without(vector::rows(table, &file, now.as_ref()).await?);
                self.came.push(Rows { file, which });
                return Ok(());
            }
            (Some(before), Some(now)) => (
                vector::rows(table, &file, before.as_ref()).await?,
                vector::rows(table, &file, now.as_ref()).await?,
            ),
        };
        let rows = |which: RoaringBitmap| {
            (!which.is_empty()).then(|| Rows { file: file.clone(), which: Which::These(which) })
        };
        self.gone.extend(rows(&now - &before));
        self.came.extend(rows(before - now));
        Ok(())
    }
}

impl Rows {
    /// Reads them: the columns that are named, nested ones too (`meta.lastUpdated`). A file may have left out a column that
    /// has no value in it.
    ///
    /// # Errors
    /// [`Error::Parquet`]; also where the file has been vacuumed.
    pub async fn read(
        &self,
        table: &Table,
        columns: &[&str],
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
        let batches = data_file::read(table, &self.file, Some(columns)).await?;
        let path = table.place().data_file(self.file.path.as_ref());
        let (name, which, mut first) = (table.name().to_owned(), self.which.clone(), 0_u32);
        Ok(batches.map(move |batch| {
            let batch = batch.map_err(Error::parquet(&path))?;
            let rows = first..first.saturating_add(u32::try_from(batch.num_rows()).unwrap_or(u32::MAX));
            first = rows.end;
            let wanted: BooleanArray = rows.map(|row| Some(which.has(row))).collect();
            filter_record_batch(&batch, &wanted).map_err(Error::arrow(&name))
        }))
    }
}

impl Which {
    fn has(&self, row: u32) -> bool {
        match self {
            Self::Without(rows) => !rows.contains(row),
            Self::These(rows) => rows.contains(row),
        }
    }
}
