//! Files that no run within retention needs go: those of older versions of the tables, and those that no commit ever named.
//!
//! One invariant: what `_exports` pins within retention can be read afterwards, and a run that goes on, or was interrupted,
//! loses nothing of what it has written.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use delta_upsert::data_file::FileNames;
use delta_upsert::vacuum::{Keep, vacuum as vacuum_table};
use serde::Serialize;

use super::maintain::MAINTAIN;
use super::progress::{Observer, Step};
use super::run::{self, Run};
use crate::error::{Error, Result};
use crate::lake::exports::Exports;
use crate::lake::materialized::{self, Stored};
use crate::lake::{Lake, table};
use crate::storage::{Lock, Root};

/// Below it a file that a run has just written is as old as one that nobody needs: no run may go on.
const ALONE_BELOW: Duration = Duration::from_secs(3600);

/// What is removed.
#[derive(Debug, Clone)]
pub struct VacuumOptions {
    /// Only of the tables of these resource types; empty for all tables.
    pub types: Vec<String>,
    /// How long what a run has left can be read.
    pub retention: Duration,
}

/// What was removed of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vacuumed {
    /// The table.
    pub table: String,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
    /// Why nothing was removed, where something should have been looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// Removes what no version needs that a run has left within retention, of tables of the lake at `location`. Of a run that is
/// not finished everything stays that is younger than it.
///
/// # Errors
/// [`Error::Refused`] where the lake is being maintained, and where retention is below an hour while a run goes on.
pub async fn vacuum(
    location: &str,
    options: &VacuumOptions,
    observer: &dyn Observer,
) -> Result<Vec<Vacuumed>> {
    let lake = Lake::open(location).await?;
    let _lease = run::lease(&lake.root, MAINTAIN).await?;
    // Before it is known which runs go on: what one writes that begins afterwards is younger.
    let since =
        TimeDelta::from_std(options.retention).ok().and_then(|age| Utc::now().checked_sub_signed(age));
    let since = since.ok_or_else(|| Error::Refused("nothing is as old as --retention says".to_owned()))?;
    let _alone = if options.retention < ALONE_BELOW { take_pipelines(&lake.root).await? } else { Vec::new() };
    let exports = Exports::read(&lake.root).await?;
    let unfinished = unfinished(&lake.root, &exports).await?;
    if let Some(run) = unfinished.first().filter(|_| options.retention < ALONE_BELOW) {
        return Err(Error::Refused(format!(
            "run {} is not finished, and with a --retention below 1h files that it has written could be removed: run its \
             command again first, or choose a longer --retention",
            run.plan.export_id
        )));
    }
    let mut all = Vec::new();
    let names = tables(&lake.root, &options.types).await?;
    let views = if options.types.is_empty() { materialized::all(&lake.root).await? } else { Vec::new() };
    observer.begin(Step::Load, Some((names.len() + views.len()) as u64));
    for name in names {
        if let Some(opened) = table::open(&lake.root, &name).await? {
            let keep = Keep {
                since,
                version: oldest_pinned(&exports, since, &name),
                writing_since: unfinished.iter().map(|run| run.plan.started_at).min(),
                prefixes: unfinished.iter().map(|run| FileNames::of_run(&run.stamp())).collect(),
            };
            all.push(told(name, vacuum_table(&opened, &keep).await)?);
        }
        observer.advance(Step::Load, 1);
    }
    all.extend(of_views(&lake.root, views, since, observer).await?);
    observer.end(Step::Load);
    all.retain(|table| table.bytes > 0 || table.skipped.is_some());
    Ok(all)
}

/// Removes files of materialized views' tables, of which no run names a version. One that is being written keeps all.
async fn of_views(
    root: &Root,
    views: Vec<Stored>,
    since: DateTime<Utc>,
    observer: &dyn Observer,
) -> Result<Vec<Vacuumed>> {
    let mut all = Vec::new();
    let lease = match materialized::lease(root).await {
        _ if views.is_empty() => return Ok(all),
        Err(Error::Refused(_)) => None,
        lease => Some(lease?),
    };
    for Stored { table, .. } in views {
        let (name, keep) = (table.name().to_owned(), Keep::since(since));
        all.push(match &lease {
            Some(_) => told(name, vacuum_table(&table, &keep).await)?,
            None => Vacuumed {
                table: name,
                files: 0,
                bytes: 0,
                skipped: Some("another process writes it".to_owned()),
            },
        });
        observer.advance(Step::Load, 1);
    }
    Ok(all)
}

/// Takes every pipeline that has ever run: none goes on, and none begins.
async fn take_pipelines(root: &Root) -> Result<Vec<Lock>> {
    let mut pipelines: BTreeSet<String> = root.folders("_leases").await?.into_iter().collect();
    pipelines.extend(root.folders("_runs").await?);
    pipelines.remove(MAINTAIN);
    // Taken when it is the turn of the views' tables.
    pipelines.remove(materialized::FOLDER);
    let mut leases = Vec::new();
    for pipeline in pipelines {
        leases.push(run::lease(root, &pipeline).await?);
    }
    Ok(leases)
}

/// The runs that are neither finished nor given up.
async fn unfinished(root: &Root, exports: &Exports) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for pipeline in root.folders("_runs").await? {
        runs.extend(Run::unfinished(root, &pipeline, exports).await?);
    }
    Ok(runs)
}

/// The tables to look at, those of subsetted resources too; the lake's own where no types are named.
async fn tables(root: &Root, types: &[String]) -> Result<Vec<String>> {
    let is_wanted = |name: &String| types.is_empty() || types.contains(name);
    let mut names = root.folders("tables").await?;
    names.retain(|name| name != "_partial" && is_wanted(name));
    let partial = root.folders("tables/_partial").await?;
    names.extend(partial.iter().filter(|name| is_wanted(name)).map(|name| format!("_partial/{name}")));
    Ok(names)
}

/// The oldest version of a table that a reader of finished runs has had before it at some time since an instant: that of
/// the run that was the last one then, and of those that have finished since.
fn oldest_pinned(exports: &Exports, since: DateTime<Utc>, table: &str) -> Option<u64> {
    let last_before = exports.0.iter().rposition(|run| run.finished_at < since).unwrap_or(0);
    let pinned = exports.0.iter().skip(last_before).filter_map(|run| run.table_versions.get(table));
    pinned.filter_map(|version| u64::try_from(*version).ok()).min()
}

/// What was done to a table; one whose log was cleaned is left as it is.
fn told(table: String, done: delta_upsert::Result<delta_upsert::vacuum::Vacuumed>) -> Result<Vacuumed> {
    match done {
        Ok(done) => Ok(Vacuumed { table, files: done.files, bytes: done.bytes, skipped: None }),
        Err(delta_upsert::Error::LogTooShort { first, .. }) => Ok(Vacuumed {
            table,
            files: 0,
            bytes: 0,
            skipped: Some(format!("its log goes back to version {first} only; choose a shorter --retention")),
        }),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::exports::ExportRow;

    #[test]
    fn the_run_that_was_the_last_one_at_an_instant_is_kept_with_those_after_it() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let run = |seconds, version| ExportRow {
            finished_at: at(seconds),
            table_versions: [("Patient".to_owned(), version)].into(),
            ..ExportRow::default()
        };
        let exports = Exports(vec![run(10, 1), run(20, 4), run(30, 6)]);
        let oldest = |since, table: &str| oldest_pinned(&exports, at(since), table);
        assert_eq!(oldest(5, "Patient"), Some(1));
        assert_eq!(oldest(25, "Patient"), Some(4));
        assert_eq!(oldest(99, "Patient"), Some(6));
        assert_eq!(oldest(99, "Device"), None);
    }
}
