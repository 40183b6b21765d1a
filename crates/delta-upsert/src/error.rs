//! What can go wrong: a store, a local disk, or a file that is not what its name says.

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why keys cannot be read, sorted or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of keys in the table's store.
    #[error("key file {path}: {source}")]
    Store {
        /// The file.
        path: String,
        /// The store's own words.
        source: object_store::Error,
    },
    /// The content of a file of keys.
    #[error("key file {path}: {source}")]
    Parquet {
        /// The file; empty for one that is being made.
        path: String,
        /// Parquet's own words.
        source: parquet::errors::ParquetError,
    },
    /// A file of keys that has other columns than one has.
    #[error("key file {path} is damaged: {reason}; remove it, and it is made anew")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Keys that do not fit into memory are sorted in a temporary file.
    #[error("a temporary file of keys in {folder}: {source}")]
    Spill {
        /// Where temporary files are made.
        folder: String,
        /// The operating system's words.
        source: std::io::Error,
    },
}
