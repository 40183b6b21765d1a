//! Removes the files of versions that nobody reads any more.
//!
//! One invariant: every version that was the newest at some time since an instant, or is pinned, keeps its files: data,
//! vectors and keys. What its commits since then have taken out is read from the log itself, so it does not matter how long
//! the table keeps tombstones; and nothing is removed where the log no longer goes back so far.

use std::collections::{BTreeMap, BTreeSet};

use buoyant_kernel::actions::deletion_vector::DeletionVectorDescriptor as KernelDescriptor;
use chrono::{DateTime, Utc};
use deltalake::kernel::{Action, DeletionVectorDescriptor};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::changes::actions;
use crate::table::Table;
use crate::{Error, Result};

/// What was removed of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Files.
    pub files: u64,
    /// Their bytes, and those of their keys.
    pub bytes: u64,
}

/// What stays.
#[derive(Debug, Clone)]
pub struct Keep {
    /// The files of every version that was the newest at some time since then, and what is younger.
    pub since: DateTime<Utc>,
    /// The files of this version and of all after it, too.
    pub version: Option<u64>,
    /// What is younger than this, because a run that goes on may have written it: the names of vectors do not say whose
    /// they are.
    pub writing_since: Option<DateTime<Utc>>,
    /// Files whose names begin with one of these: they are of runs that go on.
    pub prefixes: Vec<String>,
}

impl Keep {
    /// What was needed at some time since then, where nobody writes.
    #[must_use]
    pub fn since(since: DateTime<Utc>) -> Self {
        Self { since, version: None, writing_since: None, prefixes: Vec::new() }
    }

    /// Whether an object that no kept version names goes all the same.
    fn is_old(&self, object: &ObjectMeta) -> bool {
        object.last_modified < self.writing_since.map_or(self.since, |at| at.min(self.since))
    }
}

/// Removes what no version needs that is kept, and what no commit ever named, if it is old enough.
///
/// # Errors
/// [`Error::LogTooShort`] where the log does not go back to what is kept: nothing was removed; [`Error::Store`].
pub async fn vacuum(table: &Table, keep: &Keep) -> Result<Vacuumed> {
    let place = table.place();
    let objects = list(table, &place.folder).await?;
    let needed = needed(table, keep, &Log::of(&objects, &place.folder)).await?;
    let (mut done, mut stays) = (Vacuumed::default(), BTreeSet::new());
    for object in objects {
        let Some(name) = relative(&object, &place.folder) else { continue };
        let is_ours = name.ends_with(".parquet") || name.ends_with(".bin");
        if name.starts_with("_delta_log/") || !is_ours {
            continue;
        }
        let is_spared = keep.prefixes.iter().any(|prefix| name.starts_with(prefix));
        let goes = !needed.contains(&name) && !is_spared && keep.is_old(&object);
        if goes && place.remove(object.location.as_ref()).await {
            done.files += 1;
            done.bytes += object.size;
        } else {
            stays.insert(place.key_file(&name));
        }
    }
    for object in list(table, &place.keys).await? {
        // A new file's keys may be there before it is.
        let goes = !stays.contains(object.location.as_ref()) && keep.is_old(&object);
        if goes && place.remove(object.location.as_ref()).await {
            done.bytes += object.size;
        }
    }
    Ok(done)
}

/// The entries of a table's log that are there: version → when the store took it.
struct Log(BTreeMap<u64, DateTime<Utc>>);

impl Log {
    fn of(objects: &[ObjectMeta], folder: &str) -> Self {
        let entry = |object: &ObjectMeta| {
            let name = relative(object, folder)?;
            let version = name.strip_prefix("_delta_log/")?.strip_suffix(".json")?;
            Some((version.parse().ok()?, object.last_modified))
        };
        Self(objects.iter().filter_map(entry).collect())
    }

    /// The last version that the store took, like all before it, before an instant. Clocks of those who commit may differ,
    /// and one that is late would hide what was committed before it.
    fn last_before(&self, instant: DateTime<Utc>) -> Option<u64> {
        self.0.iter().take_while(|(_, at)| **at < instant).last().map(|(version, _)| *version)
    }

    /// The version from which on no entry is missing.
    fn first(&self, newest: u64) -> u64 {
        (0..=newest).rev().take_while(|version| self.0.contains_key(version)).last().unwrap_or(newest + 1)
    }
}

/// The names of the files that the versions need which are kept.
async fn needed(table: &Table, keep: &Keep, log: &Log) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in table.files()? {
        names.insert(file.path.to_string());
        names.extend(vector_name(table, file.add().and_then(|add| add.deletion_vector.as_ref()))?);
    }
    let first = log.first(table.version());
    let last_before = log.last_before(keep.since);
    for version in (0..=table.version()).rev() {
        if version < first {
            return Err(Error::LogTooShort { table: table.name().to_owned(), first });
        }
        let actions = actions(table, version).await?;
        let is_before = committed_at(&actions).is_none_or(|at| at < keep.since)
            && last_before.is_some_and(|last| version <= last)
            && keep.version.is_none_or(|kept| version <= kept);
        if is_before {
            break;
        }
        for action in &actions {
            names.extend(taken(table, action)?);
        }
    }
    Ok(names)
}

/// The names of what a commit has taken out of the table, or told of its change.
fn taken(table: &Table, action: &Action) -> Result<Vec<String>> {
    match action {
        Action::Remove(remove) => names(table, &remove.path, remove.deletion_vector.as_ref()),
        Action::Cdc(file) => names(table, &file.path, None),
        _ => Ok(Vec::new()),
    }
}

/// The names of a file of the log and of its vector's.
pub(crate) fn names(
    table: &Table,
    path: &str,
    vector: Option<&DeletionVectorDescriptor>,
) -> Result<Vec<String>> {
    let file = Path::from_url_path(path).ok().map(|path| path.to_string());
    Ok(file.into_iter().chain(vector_name(table, vector)?).collect())
}

fn committed_at(actions: &[Action]) -> Option<DateTime<Utc>> {
    actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => DateTime::from_timestamp_millis(info.timestamp?),
        _ => None,
    })
}

/// The name of a vector's file; `None` for one that is in the log itself.
fn vector_name(table: &Table, vector: Option<&DeletionVectorDescriptor>) -> Result<Option<String>> {
    let Some(vector) = vector.cloned() else { return Ok(None) };
    let (place, damaged) = (table.place(), |reason: String| Error::Damaged {
        path: table.place().folder.clone(),
        reason: format!("a deletion vector has no place: {reason}"),
    });
    let descriptor = KernelDescriptor::try_from(vector).map_err(|e| damaged(e.to_string()))?;
    let url = descriptor.absolute_path(&place.url).map_err(|e| damaged(e.to_string()))?;
    Ok(url.and_then(|url| url.as_str().strip_prefix(place.url.as_str()).map(str::to_owned)))
}

pub(crate) async fn list(table: &Table, folder: &str) -> Result<Vec<ObjectMeta>> {
    let listed = table.place().store.list(Some(&Path::from(folder)));
    listed.try_collect().await.map_err(Error::store("list", folder))
}

pub(crate) fn relative(object: &ObjectMeta, folder: &str) -> Option<String> {
    Some(object.location.as_ref().strip_prefix(folder)?.strip_prefix('/')?.to_owned())
}
