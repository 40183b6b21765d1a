//! What can go wrong, as the caller can act on it.
//!
//! One invariant: no error text holds a value out of a resource. Paths, types, ids of files, line numbers and byte
//! offsets are enough to find it in the raw store, and may be logged.

use std::path::PathBuf;

/// A result of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for is refused before anything was changed: the text says what, and what to do. Exit code 2.
    #[error("{0}")]
    Refused(String),
    /// The run was interrupted; started again, it continues. Exit code 130.
    #[error("interrupted; run the same command again to continue")]
    Interrupted,
    /// The store of the lake did not do as asked.
    #[error("the lake's store cannot {operation} {path}: {source}")]
    Storage {
        /// What was tried.
        operation: &'static str,
        /// Path, relative to the lake.
        path: String,
        /// The store's own words.
        source: object_store::Error,
    },
    /// A local file outside of the lake.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// A Delta table.
    #[error("table {table}: cannot {operation}: {source}")]
    Delta {
        /// The table's name.
        table: String,
        /// What was tried.
        operation: &'static str,
        /// Delta's own words.
        source: Box<deltalake::DeltaTableError>,
    },
    /// Other writers won every attempt to commit.
    #[error(
        "table {table}: other writers committed first {attempts} times in a row; run the same command again"
    )]
    Contended {
        /// The table's name.
        table: String,
        /// How often the commit was tried.
        attempts: u32,
    },
    /// A Parquet file of a table.
    #[error("data file {path}: {source}")]
    Parquet {
        /// The file, relative to the lake.
        path: String,
        /// Parquet's own words.
        source: parquet::errors::ParquetError,
    },
    /// The keys of a change, which are sorted in a temporary file.
    #[error("a temporary file of keys in {folder}: {source}")]
    Spill {
        /// Where temporary files are made.
        folder: String,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// Rows that do not fit their columns: a defect of the program or of a table that was changed by others.
    #[error("table {table}: {source}")]
    Arrow {
        /// The table's name.
        table: String,
        /// Arrow's own words.
        source: arrow::error::ArrowError,
    },
    /// A file of the lake, or one that it refers to, that is not what its name says.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// Its path: relative to the lake, or absolute outside of it.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Files that a change was made of are gone: nobody knows any more which rows it has changed.
    #[error(
        "table {table}: a vacuum has removed files that its earlier changes are read from; they are known after version {known_after} of it: give --since a later run, or with --type {table} that version"
    )]
    Vacuumed {
        /// The table's name.
        table: String,
        /// The version after which all changes are known.
        known_after: u64,
    },
    /// The FHIR server, or the way to it.
    #[error(transparent)]
    Server(#[from] fhir_bulk_client::Error),
    /// The shape of a resource type's table.
    #[error(transparent)]
    Schema(#[from] fhir_arrow::SchemaError),
    /// Data that the user does not want in the lake: nothing was changed. Exit code 2.
    #[error("{0}")]
    Invalid(String),
    /// SQL that means nothing in this lake, or an answer that its format cannot hold. Exit code 2.
    #[error("{0}")]
    Query(String),
    /// A statement that was right and could not be carried out.
    #[error("the query failed: {0}")]
    QueryFailed(String),
    /// Whoever reads an answer does not take it.
    #[error("the answer cannot be written: {0}")]
    Output(std::io::Error),
    /// A run whose input is complete cannot be finished, and will not be by trying again.
    #[error(
        "run {run} cannot be finished: {source}. Repair it and run the same command again; or give the run up by creating {path} in the lake, and have everything again with `--full` or another ingest"
    )]
    Blocked {
        /// The run.
        run: String,
        /// The file that gives it up, relative to the lake.
        path: String,
        /// Why.
        source: Box<Error>,
    },
    /// Something that counts what must agree does not: a defect, never to be passed over.
    #[error("counts do not reconcile: {0}")]
    Unreconciled(String),
}

impl Error {
    /// For `map_err`: an error of Delta on a table.
    pub(crate) fn delta(
        table: &str,
        operation: &'static str,
    ) -> impl FnOnce(deltalake::DeltaTableError) -> Self {
        let table = table.to_owned();
        move |source| Self::Delta { table, operation, source: Box::new(source) }
    }

    /// For `map_err`: an error of Parquet on a file of a table.
    pub(crate) fn parquet(table: &str) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let path = format!("tables/{table}");
        move |source| Self::Parquet { path, source }
    }

    /// For `map_err`: an error of Arrow on a table.
    pub(crate) fn arrow(table: &str) -> impl FnOnce(arrow::error::ArrowError) -> Self {
        let table = table.to_owned();
        move |source| Self::Arrow { table, source }
    }

    /// For `map_err`: an error on a file outside of the lake.
    pub(crate) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }
}

impl From<delta_upsert::Error> for Error {
    fn from(error: delta_upsert::Error) -> Self {
        use delta_upsert::Error as Table;
        match error {
            Table::Store { operation, path, source } => Self::Storage { operation, path, source },
            Table::Durable { path, source } => {
                Self::Io { operation: "write to disk", path: path.into(), source }
            }
            Table::Delta { table, operation, source } => Self::Delta { table, operation, source },
            Table::Contended { table, attempts } => Self::Contended { table, attempts },
            Table::Parquet { path, source } => Self::Parquet { path, source },
            Table::Arrow { table, source } => Self::Arrow { table, source },
            Table::Damaged { path, reason } => Self::Damaged { path, reason },
            Table::Vacuumed { table, known_after } => Self::Vacuumed { table, known_after },
            Table::LogTooShort { table, first } => Self::Damaged {
                path: format!("tables/{table}"),
                reason: format!("its log goes back to version {first} only"),
            },
            Table::Spill { folder, source } => Self::Spill { folder, source },
            Table::Unreconciled(text) => Self::Unreconciled(text),
            Table::Interrupted => Self::Interrupted,
            Table::Caller(ours) => match ours.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Damaged { path: "a table".to_owned(), reason: other.to_string() },
            },
            other => Self::Damaged { path: "a table".to_owned(), reason: other.to_string() },
        }
    }
}

impl From<Error> for delta_upsert::Error {
    fn from(error: Error) -> Self {
        Self::Caller(Box::new(error))
    }
}
