//! What can go wrong, as the caller can act on it.

use deltalake::DeltaTableError;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a table did not take a change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store of the table did not do as asked.
    #[error("the store cannot {operation} {path}: {source}")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// The object.
        path: String,
        /// The store's own words.
        source: object_store::Error,
    },
    /// An object cannot be made to survive a loss of power.
    #[error("cannot write {path} to disk: {source}")]
    Durable {
        /// The object.
        path: String,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The table's log.
    #[error("table {table}: cannot {operation}: {source}")]
    Delta {
        /// The table's name.
        table: String,
        /// What was tried.
        operation: &'static str,
        /// Delta's own words.
        source: Box<DeltaTableError>,
    },
    /// Other writers won every attempt to commit.
    #[error("table {table}: other writers committed first {attempts} times in a row")]
    Contended {
        /// The table's name.
        table: String,
        /// How often the commit was tried.
        attempts: u32,
    },
    /// A data file, or a file of keys.
    #[error("{path}: {source}")]
    Parquet {
        /// The file; empty for one that is being made.
        path: String,
        /// Parquet's own words.
        source: parquet::errors::ParquetError,
    },
    /// Rows that do not fit their columns.
    #[error("table {table}: {source}")]
    Arrow {
        /// The table's name.
        table: String,
        /// Arrow's own words.
        source: arrow_schema::ArrowError,
    },
    /// A table or file that is not what its name says.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file, or the table's folder.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log was cleaned: nobody knows what the versions before have needed.
    #[error("table {table}: its log goes back to version {first} only")]
    LogTooShort {
        /// The table's name.
        table: String,
        /// The version from which on it is whole.
        first: u64,
    },
    /// Files that a change was made of are gone: nobody knows any more which rows it has changed.
    #[error(
        "table {table}: a vacuum has removed files of before version {known_after}; its changes are known after that version"
    )]
    Vacuumed {
        /// The table's name.
        table: String,
        /// The version after which all changes are known.
        known_after: u64,
    },
    /// Keys that do not fit into memory are sorted in a temporary file.
    #[error("a temporary file of keys in {folder}: {source}")]
    Spill {
        /// Where temporary files are made.
        folder: String,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// Something that counts what must agree does not: a defect, never to be passed over.
    #[error("counts do not reconcile: {0}")]
    Unreconciled(String),
    /// The program ends.
    #[error("interrupted")]
    Interrupted,
    /// What the caller was asked for failed.
    #[error(transparent)]
    Caller(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// For `map_err`: an error of Delta on a table.
    pub(crate) fn delta(table: &str, operation: &'static str) -> impl FnOnce(DeltaTableError) -> Self {
        let table = table.to_owned();
        move |source| Self::Delta { table, operation, source: Box::new(source) }
    }

    /// For `map_err`: an error of the store on an object.
    pub(crate) fn store(operation: &'static str, path: &str) -> impl FnOnce(object_store::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Store { operation, path, source }
    }

    /// For `map_err`: an error of Parquet on a file.
    pub(crate) fn parquet(path: &str) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let path = path.to_owned();
        move |source| Self::Parquet { path, source }
    }

    /// For `map_err`: an error of Arrow on a table.
    pub(crate) fn arrow(table: &str) -> impl FnOnce(arrow_schema::ArrowError) -> Self {
        let table = table.to_owned();
        move |source| Self::Arrow { table, source }
    }
}
