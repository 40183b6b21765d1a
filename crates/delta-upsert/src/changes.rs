//! What commits have changed: the rows that each has brought, and those that it has taken away.
//!
//! One invariant: a row that only moved (a file written again, files put together) is in neither. What a commit did is read
//! from its entry in the log and from vectors, so finding it costs what the commits say, not what the tables hold.

use std::collections::BTreeMap;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use deltalake::kernel::{Action, Add, DeletionVectorDescriptor, Remove};
use deltalake::logstore::get_actions;
use futures::{Stream, StreamExt};
use object_store::path::Path;

use crate::table::{DataFile, Table};
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
    size: u64,
    rows: u64,
}

/// The changes of the commits after version `after` (all of them where it is `None`) up to the version that is open, the
/// oldest first. Commits that change no row are left out.
///
/// # Errors
/// [`Error::Damaged`] where the log no longer has the entry of such a commit; [`Error::Delta`].
pub async fn changes(table: &Table, after: Option<u64>) -> Result<Vec<CommitChanges>> {
    let mut all = Vec::new();
    for version in after.map_or(0, |after| after + 1)..=table.version() {
        let changes = commit(table, version).await?;
        all.extend(Some(changes).filter(|changes| !changes.gone.is_empty() || !changes.came.is_empty()));
    }
    Ok(all)
}

async fn commit(table: &Table, version: u64) -> Result<CommitChanges> {
    let (mut files, mut stamp) = (BTreeMap::<String, Of>::new(), None);
    for action in actions(table, version).await? {
        match action {
            Action::Add(add) if add.data_change => {
                let of = files.entry(add.path.clone()).or_default();
                of.size = u64::try_from(add.size).unwrap_or_default();
                of.rows = num_records(&add);
                of.added = Some(add.deletion_vector);
            }
            Action::Remove(Remove { path, deletion_vector, size, data_change: true, .. }) => {
                let of = files.entry(path).or_default();
                of.removed = Some(deletion_vector);
                if of.added.is_none() {
                    of.size = size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                }
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
        let file = DataFile::unnamed(path, of.size, of.rows);
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
