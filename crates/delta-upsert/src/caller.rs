//! What an upsert needs to know that is not in the table.

use std::collections::HashMap;

use futures::future::BoxFuture;

use crate::data_file::FileNames;
use crate::table::{DataFile, Stamp, Table};
use crate::upsert::Changed;
use crate::{IdHash, Key, KeyFileBuilder, Result, Workers};

/// Who changes a table.
pub trait Caller: Send + Sync {
    /// The keys of a data file that has no key file: another program has written it, or its key file is lost.
    fn keys<'a>(&'a self, table: &'a Table, file: &'a DataFile) -> BoxFuture<'a, Result<KeyFileBuilder>>;

    /// Of the ids of sorted keys those that are deleted, each with the last version that is: microseconds since 1970.
    /// Asked after the table was opened: whoever buries something later commits to the table later, and wins.
    fn tombstones<'a>(
        &'a self,
        table: &'a Table,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<HashMap<IdHash, i64>>>;

    /// Writes down what a commit will do, before it is tried: whoever continues the work finds it.
    fn note<'a>(&'a self, table: &'a Table, changed: &'a Changed) -> BoxFuture<'a, Result<()>>;

    /// What was written down of the commit that the table has.
    fn noted<'a>(&'a self, table: &'a Table) -> BoxFuture<'a, Result<Changed>>;
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
