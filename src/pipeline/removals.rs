//! Snapshots: what a complete export did not bring is no longer there.
//!
//! One invariant: only a run that brought everything of its scope removes anything, only of whom it speaks ([`Whose`]), and
//! nothing that another run has seen after it. What is removed is logged in `_deletions` first, so a run that is continued removes the same.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::DateTime;
use delta_upsert::{DataFile, RoaringBitmap, Table, removed};
use fhir_arrow::{Instant, parse_instant};

use super::input::Input;
use super::run::Run;
use super::stage::StagedRun;
use super::whose::Whose;
use crate::error::{Error, Result};
use crate::lake::exports::{ExportRow, Exports};
use crate::lake::ledger::{ABSENT, DeletionRow};
use crate::lake::upsert::{Context, keys_of};
use crate::lake::{own, table};

/// How many of a table's rows a snapshot may remove.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxRemovals {
    /// This share of them, from 0 to 1.
    Share(f64),
    /// This many.
    Rows(u64),
}

impl Default for MaxRemovals {
    /// A server that forgot something should not empty a lake.
    fn default() -> Self {
        Self::Share(0.1)
    }
}

impl MaxRemovals {
    fn allows(self, absent: u64, rows: u64) -> bool {
        match self {
            Self::Share(share) => absent as f64 <= share * rows as f64,
            Self::Rows(most) => absent <= most,
        }
    }
}

/// What a run is a snapshot of.
#[derive(Debug)]
pub struct SnapshotScope<'r> {
    /// The types, none for all; `None` where the run is no snapshot.
    types: Option<&'r [String]>,
    /// When it was taken.
    at: Option<Instant>,
    /// Whether everything came that was promised.
    whole: bool,
    most: MaxRemovals,
    run: &'r Run,
}

impl<'r> SnapshotScope<'r> {
    /// What a run is a snapshot of. `whole` is whether everything came that was promised.
    pub fn of(run: &'r Run, input: &'r Input, whole: bool, most: MaxRemovals) -> Self {
        Self {
            types: input.snapshot.as_deref(),
            at: parse_instant(&input.transaction_time),
            whole,
            most,
            run,
        }
    }

    /// A finished run that has seen the server later: a resource that it found unchanged may be missing here.
    async fn seen_later(&self, context: &Context) -> Result<Option<String>> {
        let exports = Exports::read(&context.lake.root).await?;
        let later = |row: &&ExportRow| row.brings_files() && parse_instant(&row.transaction_time) > self.at;
        Ok(exports.0.iter().find(later).map(|row| row.export_id.clone()))
    }

    fn has(&self, table: &str) -> bool {
        let of_types = |types: &[String]| types.is_empty() || types.iter().any(|name| name == table);
        !table.starts_with('_') && self.types.is_some_and(of_types)
    }
}

/// What a run removes.
#[derive(Debug, Default)]
pub struct Removals {
    /// The tombstones.
    pub rows: Vec<DeletionRow>,
    /// Table → how many of its rows go, and how many it has.
    pub of_tables: BTreeMap<String, (u64, u64)>,
    /// What the user should know.
    pub warning: Option<String>,
}

/// What the snapshot of a run leaves out.
///
/// # Errors
/// [`Error::Refused`] where that is more than may be removed of a table: nothing was changed.
pub async fn removals(context: &Context, scope: &SnapshotScope<'_>, staged: &StagedRun) -> Result<Removals> {
    let (Some(_), Some(at)) = (scope.types, scope.at) else { return Ok(Removals::default()) };
    if !scope.whole || staged.tally.all_refused() > 0 {
        let why = "not everything came and could be read: what did not come is not taken for deleted";
        return Ok(Removals { warning: Some(why.to_owned()), ..Removals::default() });
    }
    if let Some(later) = scope.seen_later(context).await? {
        let why =
            format!("run {later} is of a later time: what this one did not bring is not taken for deleted");
        return Ok(Removals { warning: Some(why), ..Removals::default() });
    }
    if let Some(rows) = recorded(context, scope.run).await? {
        return Ok(Removals { rows, ..Removals::default() });
    }
    let whose = Whose::of(context, scope.run, &staged.tally.patients).await?;
    if let Whose::Nothing(why) = &whose {
        let warning = format!("{why}: what did not come is not taken for deleted");
        return Ok(Removals { warning: Some(warning), ..Removals::default() });
    }
    let (mut rows, mut of_tables) = (Vec::new(), BTreeMap::new());
    for name in context.lake.root.folders("tables").await?.into_iter().filter(|name| scope.has(name)) {
        let Some(table) = table::open(&context.lake.root, &name).await? else { continue };
        if staged.done.contains(&name) || !whose.has_type(context, &name) {
            continue;
        }
        let mut ids = Vec::new();
        for file in table.files()? {
            if let Some(present) = present(staged, &name, &file) {
                ids.extend(absent(context, &table, &file, &present, at, &whose).await?);
            }
        }
        let (count, all) = (ids.len() as u64, table.rows()?);
        if !scope.most.allows(count, all) {
            return Err(too_many(scope.run, &name, count, all));
        }
        of_tables.insert(name.clone(), (count, all));
        rows.extend(ids.into_iter().map(|id| DeletionRow {
            resource_type: name.clone(),
            id,
            cause: ABSENT.to_owned(),
            deleted_at: DateTime::from_timestamp_micros(at.micros()).unwrap_or_default(),
            export_id: scope.run.plan.export_id.clone(),
        }));
    }
    Ok(Removals { rows, of_tables, warning: None })
}

fn too_many(run: &Run, table: &str, absent: u64, rows: u64) -> Error {
    let give_up = if run.plan.scope.ids_only {
        String::new()
    } else {
        format!("; if not, `fhirlake export --cancel` gives run {} up", run.plan.export_id)
    };
    Error::Refused(format!(
        "the export has brought {absent} of the {rows} rows of {table} no more, which would all be removed; nothing was \
         changed. If they are gone from the server, run again with --max-removals {absent} (or a share: 100%){give_up}"
    ))
}

/// What the run has removed before it was interrupted; `None` where it had not come so far.
async fn recorded(context: &Context, run: &Run) -> Result<Option<Vec<DeletionRow>>> {
    let Some(table) = table::open(&context.lake.root, "_deletions").await? else { return Ok(None) };
    if !table.done_by(&context.run).await? {
        return Ok(None);
    }
    let rows: Vec<DeletionRow> = own::rows_of(&table).await?;
    let ours = |row: &DeletionRow| row.cause == ABSENT && row.export_id == run.plan.export_id;
    Ok(Some(rows.into_iter().filter(ours).collect()))
}

/// The rows of a data file whose resources came; `None` where nobody has looked, because another run has just brought it.
fn present<'s>(staged: &'s StagedRun, table: &str, file: &DataFile) -> Option<Cow<'s, RoaringBitmap>> {
    match staged.present.get(table) {
        Some(files) => files.get(file.path.as_ref()).map(Cow::Borrowed),
        None if staged.tally.lines.contains_key(table) => None,
        None => Some(Cow::Owned(RoaringBitmap::new())),
    }
}

/// The ids of a data file's rows that did not come, and that no run has seen after the snapshot was taken.
async fn absent(
    context: &Context,
    table: &Table,
    file: &DataFile,
    present: &RoaringBitmap,
    at: Instant,
    whose: &Whose,
) -> Result<Vec<String>> {
    let mut left: RoaringBitmap = (0..u32::try_from(file.rows).unwrap_or(u32::MAX)).collect();
    left -= &removed(table, file).await?;
    left -= present;
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let keys = keys_of(context, table, file).await?;
    keys.for_each(|key| {
        if key.version.at > at.micros() || key.version.seen > at.micros() {
            left.remove(key.row);
        }
    })
    .await?;
    whose.ids(context, table, file, &left).await
}
