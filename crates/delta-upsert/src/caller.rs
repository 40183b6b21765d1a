//! What an upsert needs to know that is not in the table.

use std::collections::HashMap;

use futures::future::BoxFuture;

use crate::data_file::FileNames;
use crate::table::{DataFile, Stamp, Table};
use crate::upsert::Changed;
use crate::{IdHash, Key, KeyFileBuilder, Result, Version, Workers};

/// Which versions of a row are deleted, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buried {
    /// Those up to this version.
    pub at: i64,
    /// Those that were last seen up to this instant.
    pub seen: i64,
}

impl Buried {
    /// Nothing is.
    pub const NOTHING: Self = Self { at: i64::MIN, seen: i64::MIN };

    /// Whether a version is deleted.
    #[must_use]
    pub fn covers(&self, version: Version) -> bool {
        version.at <= self.at || version.seen <= self.seen
    }
}

/// Who changes a table.
pub trait Caller: Send + Sync {
    /// The keys of a data file that has no key file: another program has written it, or its key file is lost.
    fn keys<'a>(&'a self, table: &'a Table, file: &'a DataFile) -> BoxFuture<'a, Result<KeyFileBuilder>>;

    /// Of the ids of sorted keys those that are deleted, each with what is. Asked after the table was opened: whoever
    /// buries something later commits to the table later, and wins. Without an answer of its own, nothing is.
    fn tombstones<'a>(
        &'a self,
        _table: &'a Table,
        _keys: &'a [Key],
    ) -> BoxFuture<'a, Result<HashMap<IdHash, Buried>>> {
        Box::pin(async { Ok(HashMap::new()) })
    }

    /// Writes down what a commit will do, before it is tried: whoever continues the work finds it. Nothing is written where
    /// work is not continued.
    fn note<'a>(&'a self, _table: &'a Table, _changed: &'a Changed) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// What was written down of the commit that the table has.
    fn noted<'a>(&'a self, _table: &'a Table) -> BoxFuture<'a, Result<Changed>> {
        Box::pin(async { Ok(Changed::default()) })
    }
}

/// How a table is changed.
#[derive(Clone)]
pub struct Context<'c> {
    /// Who changes it.
    pub caller: &'c dyn Caller,
    /// The transaction of the commits.
    pub stamp: Stamp,
    /// The names of the files that are made.
    pub names: FileNames,
    /// How much is done at a time.
    pub workers: Workers,
    /// Bytes of keys that are merged at a time.
    pub chunk: usize,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("stamp", &self.stamp)
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}
