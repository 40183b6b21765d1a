//! What can go wrong before a scan begins.
//!
//! One invariant: a table that cannot be read exactly is refused, never read in part.

use datafusion::error::DataFusionError;

/// Why a table cannot be scanned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table needs something of its readers that this scan does not have.
    #[error(
        "the table {table} cannot be scanned: it has {what}, which this scan does not read; open it with deltalake's own provider"
    )]
    Unsupported {
        /// Where the table lies.
        table: String,
        /// What it has.
        what: String,
    },
    /// The table's log says what cannot be.
    #[error("the table {table} is damaged: {path}: {reason}")]
    Damaged {
        /// Where the table lies.
        table: String,
        /// The data file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log cannot be read.
    #[error("the table {table}: {source}")]
    Delta {
        /// Where the table lies.
        table: String,
        /// What deltalake says.
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

/// The result of what can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;
