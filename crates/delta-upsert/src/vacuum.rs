//! Removes the files of versions that nobody reads any more.
//!
//! One invariant: every version that was the newest at some time since an instant keeps its files: data, vectors and keys.
//! What its commits since then have taken out is read from the log itself, so it does not matter how long the table keeps
//! tombstones; and nothing is removed where the log no longer goes back so far.

use std::collections::BTreeSet;

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
    /// Their bytes.
    pub bytes: u64,
}

/// Removes what no version needs that was the newest since `since`, and what no commit ever named, if it is older.
/// Files whose names begin with one of `spared` stay: they are of runs that go on.
///
/// # Errors
/// [`Error::Damaged`] where the log does not go back to `since`; [`Error::Store`].
pub async fn vacuum(table: &Table, since: DateTime<Utc>, spared: &[String]) -> Result<Vacuumed> {
    let needed = needed(table, since).await?;
    let place = table.place();
    let (mut done, mut stays) = (Vacuumed::default(), BTreeSet::new());
    for object in list(table, &place.folder).await? {
        let Some(name) = relative(&object, &place.folder) else { continue };
        let is_ours = name.ends_with(".parquet") || name.ends_with(".bin");
        if name.starts_with("_delta_log/") || !is_ours {
            continue;
        }
        let is_spared = spared.iter().any(|prefix| name.starts_with(prefix));
        if needed.contains(&name) || is_spared || object.last_modified >= since {
            stays.insert(place.key_file(&name));
            continue;
        }
        place.remove(object.location.as_ref()).await;
        done.files += 1;
        done.bytes += object.size;
    }
    for object in list(table, &place.keys).await? {
        // A new file's keys may be there before it is.
        if !stays.contains(object.location.as_ref()) && object.last_modified < since {
            place.remove(object.location.as_ref()).await;
            done.bytes += object.size;
        }
    }
    Ok(done)
}

/// The names of the files that versions since an instant need.
async fn needed(table: &Table, since: DateTime<Utc>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in table.files()? {
        names.insert(file.path.to_string());
        names.extend(vector_name(table, file.add().and_then(|add| add.deletion_vector.as_ref()))?);
    }
    for version in (0..=table.version()).rev() {
        let actions = actions(table, version).await?;
        if committed_at(&actions).is_some_and(|at| at < since) {
            break;
        }
        for action in actions {
            let Action::Remove(remove) = action else { continue };
            names.extend(Path::from_url_path(&remove.path).ok().map(|path| path.to_string()));
            names.extend(vector_name(table, remove.deletion_vector.as_ref())?);
        }
    }
    Ok(names)
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

async fn list(table: &Table, folder: &str) -> Result<Vec<ObjectMeta>> {
    let listed = table.place().store.list(Some(&Path::from(folder)));
    listed.try_collect().await.map_err(Error::store("list", folder))
}

fn relative(object: &ObjectMeta, folder: &str) -> Option<String> {
    Some(object.location.as_ref().strip_prefix(folder)?.strip_prefix('/')?.to_owned())
}
