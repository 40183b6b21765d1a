//! Files that no run within retention needs go: those of older versions of the tables, and those that no commit ever named.
//!
//! One invariant: what `_exports` pins within retention can be read afterwards, and a run that was interrupted can go on.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use delta_upsert::data_file::FileNames;
use delta_upsert::vacuum::vacuum as vacuum_table;
use serde::Serialize;

use super::maintain::MAINTAIN;
use super::progress::{Observer, Step};
use super::run::{self, Run};
use crate::error::{Error, Result};
use crate::lake::exports::Exports;
use crate::lake::{Lake, table};

/// What was removed of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vacuumed {
    /// The table.
    pub table: String,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Removes what no version needs that a run has left within `retention`, of all tables of the lake at `location`.
///
/// # Errors
/// [`Error::Refused`] where the lake is being maintained; [`Error::Damaged`] where a table's log does not go back so far.
pub async fn vacuum(location: &str, retention: Duration, observer: &dyn Observer) -> Result<Vec<Vacuumed>> {
    let lake = Lake::open(location).await?;
    let _lease = run::lease(&lake.root, MAINTAIN).await?;
    let exports = Exports::read(&lake.root).await?;
    let mut spared = Vec::new();
    for pipeline in lake.root.folders("_runs").await? {
        let unfinished = Run::unfinished(&lake.root, &pipeline, &exports).await?;
        spared.extend(unfinished.map(|run| FileNames::of_run(&run.stamp())));
    }
    let since =
        TimeDelta::from_std(retention).ok().and_then(|retention| Utc::now().checked_sub_signed(retention));
    let since = since.ok_or_else(|| Error::Refused("nothing is as old as --retention says".to_owned()))?;
    let mut names = lake.root.folders("tables").await?;
    names.retain(|name| name != "_partial");
    names.extend(lake.root.folders("tables/_partial").await?.iter().map(|name| format!("_partial/{name}")));
    let mut all = Vec::new();
    observer.begin(Step::Load, Some(names.len() as u64));
    for name in names {
        if let Some(opened) = table::open(&lake.root, &name).await? {
            let done = vacuum_table(&opened, since, &spared).await?;
            all.push(Vacuumed { table: name, files: done.files, bytes: done.bytes });
        }
        observer.advance(Step::Load, 1);
    }
    observer.end(Step::Load);
    all.retain(|table| table.bytes > 0);
    Ok(all)
}
