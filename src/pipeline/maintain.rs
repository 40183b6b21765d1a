//! Maintenance: small files become larger ones, and rows that vectors mask leave their files.
//!
//! One invariant: not a row comes or goes. A table that somebody else commits to meanwhile is left to the next time, and
//! files of older versions stay: whoever reads a pinned version goes on reading it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use delta_upsert::Workers;
use delta_upsert::compact::{Compacted, Policy, compact};
use delta_upsert::data_file::FileNames;
use serde::Serialize;

use super::progress::{Observer, Step};
use super::run;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::lake::exports::{self, ExportRow, Exports, FINISHED};
use crate::lake::materialized::{self, Stored};
use crate::lake::upsert::Context;
use crate::lake::{Lake, table};

/// The name of the lease, and the level of the row in `_exports`.
pub(super) const MAINTAIN: &str = "maintain";

/// What to maintain.
#[derive(Debug, Clone, Default)]
pub struct MaintainOptions {
    /// Only these resource types; empty for all.
    pub types: Vec<String>,
    /// Whether every masked row leaves its file, and not only where they are many.
    pub fold: bool,
    /// How it works.
    pub settings: Settings,
}

/// What was done to a table.
#[derive(Debug, Clone, Serialize)]
pub struct Maintained {
    /// The table.
    pub table: String,
    /// Files that were written again.
    pub files_before: u64,
    /// Files that have their rows now.
    pub files_after: u64,
    /// Masked rows that have left.
    pub rows_folded: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// Whether another commit came first, so that nothing was done.
    pub lost: bool,
}

/// Maintains the tables of the resource types of the lake at `location`, and those of its materialized views.
///
/// # Errors
/// [`crate::Error::Refused`] where the lake is being maintained; and what the lake's store does.
pub async fn maintain(
    location: &str,
    options: &MaintainOptions,
    observer: &dyn Observer,
) -> Result<Vec<Maintained>> {
    let lake = Lake::open(location).await?;
    let _lease = run::lease(&lake.root, MAINTAIN).await?;
    let exports = Exports::read(&lake.root).await?;
    let seq = exports.last_seq(MAINTAIN) + 1;
    let stamp = exports::stamp(MAINTAIN, seq);
    let context = Context {
        lake: lake.clone(),
        run: stamp.clone(),
        names: FileNames::new(&stamp),
        newly_deleted: Arc::default(),
        transaction_times: Arc::new(exports.transaction_times()),
        notes: String::new(),
        workers: Workers::new(options.settings.workers()),
        chunk: options.settings.key_chunk(),
    };
    let policy =
        Policy { masked: if options.fold { 0.0 } else { Policy::default().masked }, ..Policy::default() };
    let mut names = lake.root.folders("tables").await?;
    names.retain(|name| !name.starts_with('_') && (options.types.is_empty() || options.types.contains(name)));
    let started_at = Utc::now();
    let pinned = exports.last().map(|row| row.table_versions.clone()).unwrap_or_default();
    let (mut all, mut versions) = (Vec::new(), BTreeMap::new());
    let views = if options.types.is_empty() { materialized::all(&lake.root).await? } else { Vec::new() };
    observer.begin(Step::Load, Some((names.len() + views.len()) as u64));
    for name in names {
        let Some(mut opened) = table::open(&lake.root, &name).await? else { continue };
        let (before, indexed) = (opened.version(), Arc::clone(&lake.resource_table(&name)?.indexed));
        let done = compact(&context.of_tables(), &indexed, &mut opened, policy).await?;
        // Another version than the pinned one may hold a part of a run that is not finished.
        let is_pinned = pinned.get(&name).is_some_and(|version| u64::try_from(*version) == Ok(before));
        if let Some(version) = done.version.filter(|_| is_pinned) {
            versions.insert(name.clone(), i64::try_from(version).unwrap_or(i64::MAX));
        }
        all.push(told(name, &done));
        observer.advance(Step::Load, 1);
    }
    all.extend(of_views(&context, views, policy, observer).await?);
    observer.end(Step::Load);
    if !versions.is_empty() {
        let row = ExportRow {
            export_id: format!("{MAINTAIN}-{seq}"),
            pipeline: MAINTAIN.to_owned(),
            seq,
            level: MAINTAIN.to_owned(),
            status: FINISHED.to_owned(),
            transaction_time: exports.last().map(|row| row.transaction_time.clone()).unwrap_or_default(),
            started_at,
            finished_at: Utc::now(),
            table_versions: versions,
            ..ExportRow::default()
        };
        exports::finish(&lake.root, &stamp, &row).await?;
    }
    all.retain(|table| table.files_before > 0);
    Ok(all)
}

/// Maintains the tables of materialized views. No run names their versions.
async fn of_views(
    context: &Context,
    views: Vec<Stored>,
    policy: Policy,
    observer: &dyn Observer,
) -> Result<Vec<Maintained>> {
    let mut all = Vec::new();
    let _lease = match materialized::lease(&context.lake.root).await {
        _ if views.is_empty() => return Ok(all),
        Err(Error::Refused(_)) => {
            observer.note("the tables of views are left to the next time: another process writes them");
            return Ok(all);
        }
        lease => lease?,
    };
    for Stored { mut table, record, .. } in views {
        let (caller, indexed) = (record.keys(), Arc::new(table.indexed()));
        let context = delta_upsert::Context { caller: &caller, ..context.of_tables() };
        let done = compact(&context, &indexed, &mut table, policy).await?;
        all.push(told(table.name().to_owned(), &done));
        observer.advance(Step::Load, 1);
    }
    Ok(all)
}

fn told(table: String, done: &Compacted) -> Maintained {
    Maintained {
        table,
        files_before: done.before,
        files_after: done.after,
        rows_folded: done.folded,
        bytes_written: done.bytes,
        lost: done.lost,
    }
}
