//! One Delta table of the lake, as one of its versions shows it: open, create, commit.
//!
//! One invariant: a commit carries the application transaction of its run, is refused when anybody committed since the
//! version that it was made from, and is never sent twice. Delta does not refuse a repeated transaction, so
//! [`Table::done_by`] is asked first; and a commit whose answer was lost is found again by it.

use datafusion::catalog::TableProvider;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, MetadataExt, Remove, StructType, Transaction};
use deltalake::protocol::DeltaOperation;
use deltalake::table::builder::DeltaTableBuilder;
use deltalake::{DeltaTable, DeltaTableError};
use std::sync::Arc;

use arrow::datatypes::Schema;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::data_file::NewFile;
use crate::error::{Error, Result};
use crate::storage::Root;

/// The run that a commit belongs to: Delta's application transaction `fhirlake/<pipeline>`, version `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStamp {
    /// The pipeline's name.
    pub pipeline: String,
    /// The run's rising number in its pipeline.
    pub seq: i64,
}

impl RunStamp {
    /// Delta's application id: one for each pipeline, since an id stays in every checkpoint for ever.
    fn application(&self) -> String {
        format!("fhirlake/{}", self.pipeline)
    }
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// It is in the table; the version holds it.
    Done(u64),
    /// Somebody else committed since the table was opened: locate again, and try again.
    Lost,
}

/// A data file of a table's version.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Path, relative to the table.
    pub path: Path,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// None of a file that no commit has named yet.
    remove: Option<Remove>,
}

impl DataFile {
    /// A file that no commit has named yet.
    pub fn of_new(file: &NewFile) -> Self {
        Self { path: Path::from(file.path()), size: file.size(), rows: file.rows, remove: None }
    }

    /// The action that takes the file out of the table, if it is in it.
    pub fn remove(&self) -> Option<Action> {
        self.remove.clone().map(Action::Remove)
    }
}

/// A Delta table at one version.
#[derive(Debug, Clone)]
pub struct Table {
    root: Root,
    name: String,
    delta: DeltaTable,
}

impl Table {
    /// Opens a table at its newest version; `None` where the lake has none of that name.
    pub async fn open(root: &Root, name: &str) -> Result<Option<Self>> {
        Self::open_at(root, name, None).await
    }

    /// Opens a table at a version (the newest where none is named).
    pub async fn open_at(root: &Root, name: &str, version: Option<u64>) -> Result<Option<Self>> {
        let mut delta = Self::unloaded(root, name)?;
        let found = delta.log_store().is_delta_table_location().await;
        if !found.map_err(Error::delta(name, "look for it"))? {
            return Ok(None);
        }
        match version {
            Some(version) => delta.load_version(version).await,
            None => delta.load().await,
        }
        .map_err(Error::delta(name, "open it"))?;
        Ok(Some(Self { root: root.clone(), name: name.to_owned(), delta }))
    }

    fn unloaded(root: &Root, name: &str) -> Result<DeltaTable> {
        DeltaTableBuilder::from_url(root.url(&format!("tables/{name}"))?)
            .and_then(DeltaTableBuilder::build)
            .map_err(Error::delta(name, "find its place"))
    }

    /// Creates a table, or opens the one that another run created first.
    ///
    /// `indexed` are the columns with statistics in the log: nothing but ids, references, dates.
    pub async fn create(root: &Root, name: &str, schema: &Schema, indexed: &[String]) -> Result<Self> {
        let fields: StructType =
            schema.try_into_kernel().map_err(|source| Error::Arrow { table: name.to_owned(), source })?;
        let created = Self::unloaded(root, name)?
            .create()
            .with_columns(fields.fields().cloned())
            .with_configuration([
                ("delta.checkpointInterval", Some("10".to_owned())),
                ("delta.dataSkippingStatsColumns", Some(indexed.join(","))),
            ])
            .await;
        match created {
            Ok(delta) => Ok(Self { root: root.clone(), name: name.to_owned(), delta }),
            Err(error) => match Self::open(root, name).await? {
                Some(table) => Ok(table),
                None => Err(Error::delta(name, "create it")(error)),
            },
        }
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that is open.
    pub fn version(&self) -> u64 {
        self.delta.version().unwrap_or_default()
    }

    /// The table as SQL reads it. Its store is made known to the session.
    pub async fn provider(
        &self,
        session: &dyn deltalake::datafusion::catalog::Session,
    ) -> Result<Arc<dyn TableProvider>> {
        self.delta
            .update_datafusion_session(session)
            .map_err(Error::delta(&self.name, "make it known to SQL"))?;
        let provider = self.delta.table_provider().await;
        provider.map_err(|e| Error::delta(&self.name, "open it for SQL")(e.into()))
    }

    /// Delta's own handle.
    pub fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// Whether the open version holds the run's commit already.
    pub async fn done_by(&self, run: &RunStamp) -> Result<bool> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(&self.name, "read its log"))?;
        let last = snapshot
            .transaction_version(self.delta.log_store().as_ref(), run.application())
            .await
            .map_err(Error::delta(&self.name, "read its transactions"))?;
        Ok(last.is_some_and(|seq| seq >= run.seq))
    }

    /// The data files of the open version.
    pub fn files(&self) -> Result<Vec<DataFile>> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(&self.name, "read its log"))?;
        let files = snapshot.log_data().into_iter().map(|file| {
            let remove = file.remove_action(true);
            if remove.deletion_vector.is_some() {
                return Err(Error::Damaged {
                    path: format!("tables/{}", self.name),
                    reason: "another program has written deletion vectors, which this version cannot apply; purge them \
                             there (REORG TABLE … APPLY (PURGE)), then run the same command again"
                        .to_owned(),
                });
            }
            Ok(DataFile {
                path: file.object_store_path(),
                size: u64::try_from(file.size()).unwrap_or_default(),
                rows: file.num_records().unwrap_or_default() as u64,
                remove: Some(remove),
            })
        });
        files.collect()
    }

    /// The rows of the open version, by its log.
    pub fn rows(&self) -> Result<u64> {
        Ok(self.files()?.iter().map(|file| file.rows).sum())
    }

    /// Commits the run's changes on top of the open version, and opens the version that holds them. The new files are in
    /// their places already, durably.
    pub async fn commit(&mut self, remove: Vec<Action>, new: Vec<NewFile>, run: &RunStamp) -> Result<Commit> {
        let actions = remove.into_iter().chain(new.into_iter().map(|file| Action::Add(file.add))).collect();
        self.commit_actions(actions, run).await
    }

    /// The same, and from then on the table has these columns. All of its files have to be among those that go.
    pub async fn commit_with_columns(
        &mut self,
        remove: Vec<Action>,
        new: Vec<NewFile>,
        columns: &Schema,
        run: &RunStamp,
    ) -> Result<Commit> {
        let mut actions: Vec<Action> = remove;
        actions.extend(new.into_iter().map(|file| Action::Add(file.add)));
        let snapshot = self.delta.snapshot().map_err(Error::delta(&self.name, "read its log"))?;
        let arrow = |source| Error::Arrow { table: self.name.clone(), source };
        let schema: StructType = columns.try_into_kernel().map_err(arrow)?;
        if *snapshot.schema() != schema {
            let metadata = snapshot.metadata().clone().with_schema(&schema);
            let cannot = |error: deltalake::kernel::Error| {
                Error::delta(&self.name, "change its columns")(error.into())
            };
            actions.push(Action::Metadata(metadata.map_err(cannot)?));
        }
        self.commit_actions(actions, run).await
    }

    async fn commit_actions(&mut self, actions: Vec<Action>, run: &RunStamp) -> Result<Commit> {
        let properties = CommitProperties::default()
            .with_application_transaction(Transaction::new(run.application(), run.seq))
            .with_max_retries(0);
        // A merge that read everything: Delta's conflict checks of all other operations have holes.
        let operation = DeltaOperation::Merge {
            predicate: None,
            merge_predicate: None,
            matched_predicates: Vec::new(),
            not_matched_predicates: Vec::new(),
            not_matched_by_source_predicates: Vec::new(),
        };
        let snapshot = self.delta.snapshot().map_err(Error::delta(&self.name, "read its log"))?.clone();
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot), self.delta.log_store(), operation)
            .await;
        self.delta.load().await.map_err(Error::delta(&self.name, "read its log"))?;
        match committed {
            Ok(finalized) => self.durable(finalized.version()).await,
            // The store may have answered an error to a put that it had carried out.
            Err(_) if self.done_by(run).await? => self.durable(self.version()).await,
            Err(error) if lost(&error) => Ok(Commit::Lost),
            Err(error) => Err(Error::delta(&self.name, "commit")(error)),
        }
    }

    /// Makes a commit survive a loss of power, before anything is built on it.
    async fn durable(&self, version: u64) -> Result<Commit> {
        self.root.sync(&format!("tables/{}/_delta_log/{version:020}.json", self.name)).await?;
        Ok(Commit::Done(version))
    }

    /// Removes files that no commit will name, with their keys.
    pub async fn discard(&self, files: &[NewFile]) {
        for file in files {
            let data = format!("tables/{}/{}", self.name, file.path());
            for path in [data, super::keys::path(&self.name, file.path())] {
                match self.root.store().delete(&Path::from(path.as_str())).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => {
                        tracing::warn!(path, %error, "a file that nothing refers to could not be removed")
                    }
                }
            }
        }
    }
}

/// A table that the last run has left, and that is no longer there.
pub fn missing(name: &str) -> Error {
    Error::Damaged {
        path: format!("tables/{name}"),
        reason: "the last finished run has left a version of this table, and it cannot be found".to_owned(),
    }
}

/// Whether a commit failed because another came first.
fn lost(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::Transaction {
            source: TransactionError::MaxCommitAttempts(_)
                | TransactionError::CommitConflict(_)
                | TransactionError::VersionAlreadyExists(_)
        } | DeltaTableError::VersionAlreadyExists(_)
    )
}
