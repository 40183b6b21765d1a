//! One Delta table, as one of its versions shows it: open, create, commit.
//!
//! One invariant: a commit carries its application transaction, is refused when anybody committed since the version that it
//! was made from, and is never sent twice. Delta does not refuse a repeated transaction, so [`Table::done_by`] is asked
//! first; and a commit whose answer was lost is found again by it.

use std::collections::BTreeMap;

use arrow_schema::Schema;
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, MetadataExt, Remove, StructType, Transaction};
use deltalake::protocol::DeltaOperation;
use deltalake::table::builder::DeltaTableBuilder;
use deltalake::{DeltaTable, DeltaTableError};
use object_store::path::Path;

use crate::data_file::NewFile;
use crate::{Error, Place, Result};

/// The property that names the columns with statistics.
const INDEXED: &str = "delta.dataSkippingStatsColumns";

/// Delta's application transaction: who commits, and the rising number of what is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The application id. It stays in every checkpoint for ever, so there should be few.
    pub application: String,
    /// The rising number.
    pub version: i64,
}

/// How the rows that a change takes away leave a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// By a deletion vector: the file stays as it is.
    #[default]
    DeletionVectors,
    /// The file is written again without them.
    CopyOnWrite,
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
    /// Rows in the file, with those that its deletion vector removes.
    pub rows: u64,
    /// Rows that its deletion vector removes.
    pub removed: u64,
    /// None of a file that no commit has named yet.
    named: Option<(Add, Remove)>,
}

impl DataFile {
    /// A file that no commit has named yet.
    #[must_use]
    pub fn of_new(file: &NewFile) -> Self {
        Self::unnamed(Path::from(file.path()), file.size(), file.rows)
    }

    pub(crate) fn unnamed(path: Path, size: u64, rows: u64) -> Self {
        Self { path, size, rows, removed: 0, named: None }
    }

    /// The rows of the table that are in it.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.rows.saturating_sub(self.removed)
    }

    /// The action that takes the file out of the table, if it is in it.
    #[must_use]
    pub fn remove(&self) -> Option<Action> {
        self.named.as_ref().map(|(_, remove)| Action::Remove(remove.clone()))
    }

    /// The action that takes the file out of the table while its rows stay.
    pub(crate) fn moved_away(&self) -> Option<Action> {
        self.named.as_ref().map(|(_, remove)| Action::Remove(Remove { data_change: false, ..remove.clone() }))
    }

    /// The action that puts it into the table, if it is in it.
    pub(crate) fn add(&self) -> Option<&Add> {
        self.named.as_ref().map(|(add, _)| add)
    }
}

/// A Delta table at one version.
#[derive(Debug, Clone)]
pub struct Table {
    place: Place,
    delta: DeltaTable,
}

impl Table {
    /// Opens a table at its newest version; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Delta`].
    pub async fn open(place: &Place) -> Result<Option<Self>> {
        Self::open_at(place, None).await
    }

    /// Opens a table at a version (the newest where none is named).
    ///
    /// # Errors
    /// [`Error::Delta`].
    pub async fn open_at(place: &Place, version: Option<u64>) -> Result<Option<Self>> {
        let mut delta = Self::unloaded(place)?;
        let found = delta.log_store().is_delta_table_location().await;
        if !found.map_err(Error::delta(&place.name, "look for it"))? {
            return Ok(None);
        }
        match version {
            Some(version) => delta.load_version(version).await,
            None => delta.load().await,
        }
        .map_err(Error::delta(&place.name, "open it"))?;
        Ok(Some(Self { place: place.clone(), delta }))
    }

    fn unloaded(place: &Place) -> Result<DeltaTable> {
        DeltaTableBuilder::from_url(place.url.clone())
            .and_then(DeltaTableBuilder::build)
            .map_err(Error::delta(&place.name, "find its place"))
    }

    /// Creates a table, or opens the one that another run created first.
    ///
    /// `indexed` are the columns with statistics in the log. Whether a table can have deletion vectors is decided here
    /// and for ever: the feature stays in its protocol.
    ///
    /// # Errors
    /// [`Error::Delta`], [`Error::Arrow`].
    pub async fn create(place: &Place, schema: &Schema, indexed: &[String], mode: Mode) -> Result<Self> {
        let fields: StructType = schema.try_into_kernel().map_err(Error::arrow(&place.name))?;
        let vectors = (mode == Mode::DeletionVectors).then(|| "true".to_owned());
        let created = Self::unloaded(place)?
            .create()
            .with_columns(fields.fields().cloned())
            .with_configuration([
                ("delta.checkpointInterval", Some("10".to_owned())),
                (INDEXED, Some(indexed.join(","))),
            ])
            // With vectors, what a commit changed is what they say. A file that is written again would need files of changes
            // beside it.
            .with_configuration(
                ["delta.enableDeletionVectors", "delta.enableChangeDataFeed"]
                    .into_iter()
                    .filter_map(|feature| Some((feature, Some(vectors.clone()?)))),
            )
            .await;
        match created {
            Ok(delta) => Ok(Self { place: place.clone(), delta }),
            Err(error) => match Self::open(place).await? {
                Some(table) => Ok(table),
                None => Err(Error::delta(&place.name, "create it")(error)),
            },
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// The version that is open.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.delta.version().unwrap_or_default()
    }

    /// Delta's own handle.
    #[must_use]
    pub fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// Whether the open version holds the commit of a transaction already.
    ///
    /// # Errors
    /// [`Error::Delta`].
    pub async fn done_by(&self, stamp: &Stamp) -> Result<bool> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(self.name(), "read its log"))?;
        let last = snapshot
            .transaction_version(self.delta.log_store().as_ref(), &stamp.application)
            .await
            .map_err(Error::delta(self.name(), "read its transactions"))?;
        Ok(last.is_some_and(|version| version >= stamp.version))
    }

    /// The data files of the open version.
    ///
    /// # Errors
    /// [`Error::Delta`].
    pub fn files(&self) -> Result<Vec<DataFile>> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(self.name(), "read its log"))?;
        let files = snapshot.log_data().into_iter().map(|file| {
            let vector = file.deletion_vector_descriptor();
            #[expect(deprecated, reason = "what replaces it is not public")]
            let add = file.add_action();
            DataFile {
                path: file.object_store_path(),
                size: u64::try_from(file.size()).unwrap_or_default(),
                rows: file.num_records().unwrap_or_default() as u64,
                removed: vector.map_or(0, |vector| vector.cardinality.unsigned_abs()),
                named: Some((add, file.remove_action(true))),
            }
        });
        Ok(files.collect())
    }

    /// The rows of the open version, by its log.
    ///
    /// # Errors
    /// [`Error::Delta`].
    pub fn rows(&self) -> Result<u64> {
        Ok(self.files()?.iter().map(DataFile::live).sum())
    }

    /// Whether the open version's files can have deletion vectors.
    #[must_use]
    pub fn mode(&self) -> Mode {
        let configured = self.delta.snapshot().is_ok_and(|snapshot| {
            let configuration = snapshot.metadata().configuration();
            configuration.get("delta.enableDeletionVectors").is_some_and(|value| value == "true")
        });
        if configured { Mode::DeletionVectors } else { Mode::CopyOnWrite }
    }

    /// Commits changes on top of the open version, and opens the version that holds them. New files are in their places
    /// already, durably.
    ///
    /// # Errors
    /// [`Error::Delta`], [`Error::Durable`].
    pub async fn commit(&mut self, remove: Vec<Action>, new: Vec<NewFile>, stamp: &Stamp) -> Result<Commit> {
        let actions = remove.into_iter().chain(new.into_iter().map(|file| Action::Add(file.add))).collect();
        self.commit_actions(actions, stamp).await
    }

    /// The action that gives the table these columns; `None` where it has them.
    pub(crate) fn new_columns(&self, columns: &Schema) -> Result<Option<Action>> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(self.name(), "read its log"))?;
        let schema: StructType = columns.try_into_kernel().map_err(Error::arrow(self.name()))?;
        if *snapshot.schema() == schema {
            return Ok(None);
        }
        let cannot =
            |error: deltalake::kernel::Error| Error::delta(self.name(), "change its columns")(error.into());
        let metadata = snapshot.metadata().clone().with_schema(&schema).map_err(cannot)?;
        Ok(Some(Action::Metadata(metadata)))
    }

    /// A property of the table, as its log has it.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<String> {
        self.delta.snapshot().ok()?.metadata().configuration().get(name).cloned()
    }

    /// The columns with statistics in the log.
    #[must_use]
    pub fn indexed(&self) -> Vec<String> {
        let names = self.property(INDEXED).unwrap_or_default();
        names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Whether the table has these columns, and no others.
    ///
    /// # Errors
    /// [`Error::Delta`], [`Error::Arrow`] for columns that no table can have.
    pub fn has_columns(&self, columns: &Schema) -> Result<bool> {
        Ok(self.new_columns(columns)?.is_none())
    }

    /// The action that gives the table these columns, with statistics of some, and properties; `None` where it has them.
    pub(crate) fn described(
        &self,
        columns: &Schema,
        indexed: &[String],
        properties: &BTreeMap<String, String>,
    ) -> Result<Option<Action>> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(self.name(), "read its log"))?;
        let schema: StructType = columns.try_into_kernel().map_err(Error::arrow(self.name()))?;
        let cannot = |error: deltalake::kernel::Error| Error::delta(self.name(), "describe it")(error.into());
        let mut metadata = snapshot.metadata().clone();
        if *snapshot.schema() != schema {
            metadata = metadata.with_schema(&schema).map_err(cannot)?;
        }
        let indexed = (INDEXED.to_owned(), indexed.join(","));
        for (name, value) in properties.clone().into_iter().chain([indexed]) {
            if metadata.configuration().get(&name) != Some(&value) {
                metadata = metadata.add_config_key(name, value).map_err(cannot)?;
            }
        }
        Ok((metadata != *snapshot.metadata()).then_some(Action::Metadata(metadata)))
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> Result<Schema> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(self.name(), "read its log"))?;
        snapshot.schema().as_ref().try_into_arrow().map_err(Error::arrow(self.name()))
    }

    /// Commits files in the place of others with the same rows; `None` where another commit came first.
    pub(crate) async fn commit_moves(
        &mut self,
        actions: Vec<Action>,
        new: &[NewFile],
    ) -> Result<Option<u64>> {
        let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
        let committed = self.send(CommitProperties::default(), actions, operation).await?;
        self.delta.load().await.map_err(Error::delta(self.name(), "read its log"))?;
        // No other file ever has the name of a new one: where it is in the table, the commit is.
        let done = match committed {
            Ok(version) => Some(version),
            Err(error) => {
                let files = self.files()?;
                let here = |new: &NewFile| files.iter().any(|file| file.path.as_ref() == new.path());
                match new.first() {
                    Some(first) if here(first) => Some(self.version()),
                    _ if lost(&error) => None,
                    _ => return Err(Error::delta(self.name(), "commit")(error)),
                }
            }
        };
        if let Some(version) = done {
            self.durable(version).await?;
        }
        Ok(done)
    }

    /// Sends a commit, once.
    async fn send(
        &self,
        properties: CommitProperties,
        actions: Vec<Action>,
        operation: DeltaOperation,
    ) -> Result<Result<u64, DeltaTableError>> {
        let snapshot = self.delta.snapshot().map_err(Error::delta(self.name(), "read its log"))?;
        let committed = CommitBuilder::from(properties.with_max_retries(0))
            .with_actions(actions)
            .build(Some(snapshot), self.delta.log_store(), operation)
            .await;
        Ok(committed.map(|finalized| finalized.version()))
    }

    /// Commits actions on top of the open version.
    pub(crate) async fn commit_actions(&mut self, actions: Vec<Action>, stamp: &Stamp) -> Result<Commit> {
        let properties = CommitProperties::default()
            .with_application_transaction(Transaction::new(&stamp.application, stamp.version));
        // A merge that read everything: Delta's conflict checks of all other operations have holes.
        let operation = DeltaOperation::Merge {
            predicate: None,
            merge_predicate: None,
            matched_predicates: Vec::new(),
            not_matched_predicates: Vec::new(),
            not_matched_by_source_predicates: Vec::new(),
        };
        let committed = self.send(properties, actions, operation).await?;
        self.delta.load().await.map_err(Error::delta(self.name(), "read its log"))?;
        match committed {
            Ok(version) => self.durable(version).await,
            // The store may have answered an error to a put that it had carried out.
            Err(_) if self.done_by(stamp).await? => self.durable(self.version()).await,
            Err(error) if lost(&error) => Ok(Commit::Lost),
            Err(error) => Err(Error::delta(self.name(), "commit")(error)),
        }
    }

    /// Makes a commit survive a loss of power, before anything is built on it.
    async fn durable(&self, version: u64) -> Result<Commit> {
        let entry = format!("_delta_log/{version:020}.json");
        self.place.sync(&self.place.data_file(&entry)).await?;
        Ok(Commit::Done(version))
    }

    /// Removes files that no commit will name, with their keys.
    pub async fn discard(&self, files: &[NewFile]) {
        for file in files {
            for path in [self.place.data_file(file.path()), self.place.key_file(file.path())] {
                self.place.remove(&path).await;
            }
        }
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
