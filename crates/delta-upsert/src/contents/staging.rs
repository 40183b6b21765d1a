//! Computed rows on their way: into data files that no commit names yet, with their keys.
//!
//! One invariant: memory is bounded by the limits, whatever the number of rows.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::keys::{NO_VERSION, RowKeys};
use crate::busy::busy;
use crate::data_file::{DataFileWriter, FileNames, NewFile, Parts};
use crate::{Error, Existing, IdHash, Key, KeyFileBuilder, KeyRuns, Place, Result, SortedKeys};

/// How large things get.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a file.
    pub file_size: usize,
    /// Rows of a file.
    pub file_rows: u64,
    /// Bytes of rows that are being encoded.
    pub encoding: usize,
    /// Bytes of keys in memory; more are sorted on disk.
    pub keys: usize,
}

/// Rows that become files.
pub struct Staging {
    place: Place,
    names: FileNames,
    indexed: Arc<Vec<String>>,
    limits: Limits,
    parts: Parts,
    /// The keys of rows; none while they are made elsewhere.
    rows: Option<RowKeys>,
    open: Option<Open>,
    staged: Vec<NewFile>,
    keys: KeyRuns,
}

/// A file that is being written.
struct Open {
    writer: DataFileWriter,
    keys: KeyFileBuilder,
}

impl std::fmt::Debug for Staging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staging").field("place", &self.place.folder).finish_non_exhaustive()
    }
}

impl Staging {
    /// Stages rows of a table with these columns, one of which may have their ids.
    ///
    /// # Errors
    /// [`Error::Arrow`] for columns whose values have no hash, and for ids that are no texts.
    pub fn new(
        place: &Place,
        columns: &SchemaRef,
        id: Option<&str>,
        indexed: Arc<Vec<String>>,
        names: FileNames,
        limits: Limits,
    ) -> Result<Self> {
        let rows = RowKeys::new(columns, id).map_err(Error::arrow(&place.name))?;
        Ok(Self {
            place: place.clone(),
            names,
            indexed,
            limits,
            parts: Parts::new(place),
            rows: Some(rows),
            open: None,
            staged: Vec::new(),
            keys: KeyRuns::default(),
        })
    }

    /// Says that the rows of an id are among those that are computed, even if there are none.
    ///
    /// # Errors
    /// [`Error::Spill`].
    pub fn covers(&mut self, id: IdHash) -> Result<()> {
        let tombstone = Key { id, version: NO_VERSION, place: 0, row_hash: 0, file: Key::TOMBSTONE, row: 0 };
        self.take([tombstone])
    }

    fn take(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<()> {
        self.keys.extend(keys);
        if self.keys.memory() > self.limits.keys { self.keys.spill() } else { Ok(()) }
    }

    /// Takes rows.
    ///
    /// # Errors
    /// [`Error::Arrow`], [`Error::Parquet`], and what the store does.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = self.rows.take().ok_or(Error::Interrupted)?;
        let (open, place, indexed) = (self.open.take(), self.place.clone(), Arc::clone(&self.indexed));
        let (name, encoding) = (open.is_none().then(|| self.names.next()), self.limits.encoding);
        let number = u32::try_from(self.staged.len()).unwrap_or(u32::MAX);
        let written = busy(move || {
            let keys_of_rows = rows.of(&batch).map_err(Error::arrow(&place.name))?;
            let mut open = match open {
                Some(mut open) => {
                    open.writer.write(&batch)?;
                    open
                }
                None => {
                    let name = name.unwrap_or_default();
                    let writer = DataFileWriter::begin(&place, name, &batch, indexed)?;
                    Open { writer, keys: KeyFileBuilder::default() }
                }
            };
            if open.writer.memory() > encoding {
                open.writer.end_group()?;
            }
            let keys = open.take(keys_of_rows, number);
            Ok::<_, Error>((rows, open.writer.part(), open, keys))
        });
        let (rows, part, open, keys) = written.await?;
        self.rows = Some(rows);
        self.take(keys)?;
        self.parts.place(part).await?;
        let is_full =
            open.writer.size() >= self.limits.file_size || open.writer.rows() >= self.limits.file_rows;
        self.open = Some(open);
        if is_full { self.end_file().await } else { Ok(()) }
    }

    async fn end_file(&mut self) -> Result<()> {
        let Some(Open { writer, keys }) = self.open.take() else { return Ok(()) };
        let (part, file, keys) = busy(move || {
            let (part, file) = writer.finish()?;
            Ok::<_, Error>((part, file, keys.finish()?))
        })
        .await?;
        self.parts.place([part]).await?;
        self.place.put_rebuildable(&self.place.key_file(file.path()), keys).await?;
        self.staged.push(file);
        Ok(())
    }

    /// The files, and the keys of their rows and of the ids that are covered.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn finish(mut self) -> Result<(Vec<NewFile>, SortedKeys)> {
        self.end_file().await?;
        Ok((self.staged, self.keys.finish()))
    }
}

impl Open {
    /// Takes the keys of rows that were written last, and gives them as those of a change.
    fn take(&mut self, rows: Vec<(IdHash, i64)>, file: u32) -> Vec<Key> {
        let first = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let keys = rows.into_iter().zip(first..).map(|((id, row_hash), row)| {
            self.keys.push(Existing { id, version: NO_VERSION, row_hash, row });
            Key { id, version: NO_VERSION, place: 0, row_hash, file, row }
        });
        keys.collect()
    }
}
