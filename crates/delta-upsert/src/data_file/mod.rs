//! The Parquet files of a table: written in place, read column by column.
//!
//! One invariant: a file that is written here belongs to nothing until a commit names it, and no other file ever has its
//! name, so a crash leaves garbage at worst. A file may leave out a whole top-level column that has no value in it
//! (readers fill it with nulls), never a nested field.

mod parts;
mod properties;
mod read;
mod statistics;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use deltalake::kernel::Add;

pub use parts::{Part, Parts};
pub use read::{read, read_all, read_in};
pub use writer::DataFileWriter;

use crate::Stamp;

/// The names of the files that a process writes for a run.
#[derive(Debug, Clone)]
pub struct FileNames {
    prefix: Arc<str>,
    next: Arc<AtomicU32>,
}

impl FileNames {
    /// Names that nobody has used before, not even the same run in another process.
    #[must_use]
    pub fn new(run: &Stamp) -> Self {
        let attempt = uuid::Uuid::new_v4().simple().to_string();
        let prefix = format!("{}{}", Self::of_run(run), &attempt[..12]).into();
        Self { prefix, next: Arc::default() }
    }

    /// What the names of all files of a run begin with.
    #[must_use]
    pub fn of_run(run: &Stamp) -> String {
        let writer: String = run.application.rsplit('/').next().unwrap_or_default().to_owned();
        format!("part-{writer}-{}-", run.version)
    }

    /// The next name.
    #[must_use]
    pub fn next(&self) -> String {
        format!("{}-{:05}.parquet", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A data file that no commit has named yet.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The action that makes it part of the table.
    pub add: Add,
    /// Its rows.
    pub rows: u64,
}

impl NewFile {
    /// A file at a path of its table.
    pub fn new(path: String, size: u64, rows: u64, statistics: &serde_json::Value) -> Self {
        let add = Add {
            path,
            partition_values: Default::default(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: chrono::Utc::now().timestamp_millis(),
            data_change: true,
            stats: Some(statistics.to_string()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        };
        Self { add, rows }
    }

    /// Its path in its table.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.add.path
    }

    /// Its bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::try_from(self.add.size).unwrap_or_default()
    }
}
