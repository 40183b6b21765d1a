//! What can go wrong before a request arrives: opening a folder, applying changes, binding the port.
//!
//! Places are given as file and line. Content of resources, including their ids, is never part of a message.

use std::path::PathBuf;

/// Why a folder of NDJSON could not be opened or applied. The dataset is as it was before the call.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The folder or one of its files could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The server's own copy of the data could not be written or read.
    #[error("cannot keep a copy of the data in the folder of temporary files: {source}")]
    Spool {
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line is not JSON.
    #[error("{place} is not JSON: {source}")]
    Json {
        /// File and line.
        place: Place,
        /// What the parser said: position and kind of the error.
        source: serde_json::Error,
    },
    /// A line is JSON, but not what its folder must hold.
    #[error("{place} {reason}")]
    Content {
        /// File and line.
        place: Place,
        /// What is missing or wrong.
        reason: &'static str,
    },
    /// The same type and id came twice in one folder: which of the two is current is not known.
    #[error("{place} repeats the type and id of an earlier line; keep one line per resource")]
    Duplicate {
        /// File and line of the second one.
        place: Place,
    },
    /// A change that clients of the former snapshot would never receive by `_since`.
    #[error(
        "{place} is a change before the transactionTime {transaction_time} that clients may hold already; \
         give it a later instant"
    )]
    NotLater {
        /// File and line.
        place: Place,
        /// The transactionTime of the dataset before the changes.
        transaction_time: String,
    },
}

/// A line of a file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} line {}", self.path.display(), self.line)
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port could not be bound on 127.0.0.1.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any free one")]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the operating system said.
        source: std::io::Error,
    },
}
