//! What the server no longer has, for servers that never report deletions: all ids are exported, and what is in the lake and
//! not among them is gone.
//!
//! One invariant: nothing is removed that was not counted before, of everything that came, and only where that is all.

use fhir_bulk_client::{BulkClient, Level};
use serde::Serialize;

use super::asked::scope;
use super::export::{ExportOptions, Since};
use super::jobs;
use super::load::{JUDGED, Prepared, load, prepare};
use super::plan::{self, RECONCILE};
use super::progress::Observer;
use super::receive::receive;
use super::removals::MaxRemovals;
use super::report::Report;
use super::run::{self, Run};
use super::scope::Query;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;
use crate::lake::identity::Identity;
use crate::lake::ledger::ABSENT;
use crate::raw::layout;

/// How a lake is compared with its server.
#[derive(Debug, Clone, Default)]
pub struct AbsencesOptions {
    /// Only these resource types; empty for all that the lake has.
    pub types: Vec<String>,
    /// Whether what is gone is removed, or only told.
    pub apply: bool,
    /// How it works; how many rows of a table may go.
    pub settings: Settings,
}

/// How many rows of a table the server no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Absent {
    /// The resource type.
    pub resource_type: String,
    /// Its rows in the lake.
    pub rows: u64,
    /// Those that the server no longer has.
    pub absent: u64,
    /// The ids of the first of them.
    pub examples: Vec<String>,
}

/// What a comparison has found.
#[derive(Debug)]
pub struct Absences {
    /// By table. Empty where the rows were removed: the report has the counts.
    pub tables: Vec<Absent>,
    /// Why nothing can be said.
    pub warning: Option<String>,
    /// What was removed.
    pub report: Option<Report>,
}

/// Ids that are shown of each table.
const EXAMPLES: usize = 5;

/// Compares the lake at `location` with its server.
///
/// # Errors
/// [`Error::Refused`] where more would be removed of a table than may be, and for a lake of another server;
/// [`Error::Invalid`] where what the server sent cannot be read; [`Error::Server`].
pub async fn absences(
    location: &str,
    identity: &Identity,
    client: &mut BulkClient,
    options: &AbsencesOptions,
    observer: &dyn Observer,
) -> Result<Absences> {
    // Only a lake that is there can be compared, and only with its own server.
    if Lake::open(location).await?.identity.server.is_none() {
        return Err(Error::Refused(
            "this lake was made of files and has no server yet: the first export gives it one".to_owned(),
        ));
    }
    let check = client.check().await?;
    client.adopt(&check);
    let client: &BulkClient = client;
    let lake = Lake::admit(location, &identity.clone().with_grant(check.grant.as_ref())).await?;
    let _lease = run::lease(&lake.root, RECONCILE).await?;
    let export = of_ids(&lake, options).await?;
    let run = begin(&lake, client, &export, options.apply, observer).await?;
    let found = compare(&lake, client, &run, &export, options.apply, observer).await;
    // What it has begun to remove is finished by the next one; anything else is asked anew.
    if run.noted::<serde_json::Value>(JUDGED).await?.is_none() {
        give_up(&lake, client, &run, "its ids are not kept").await?;
    }
    found
}

async fn compare(
    lake: &Lake,
    client: &BulkClient,
    run: &Run,
    export: &ExportOptions,
    apply: bool,
    observer: &dyn Observer,
) -> Result<Absences> {
    let input = receive(lake, run, client, export, &[], observer).await?;
    if !apply {
        return Ok(told(prepare(lake, run, &input, &export.settings, observer).await?));
    }
    let report = load(lake, run, &input, &export.settings, observer).await?;
    clean(lake, client, run).await?;
    Ok(Absences { tables: Vec::new(), warning: None, report: Some(report) })
}

/// The export of all ids.
async fn of_ids(lake: &Lake, options: &AbsencesOptions) -> Result<ExportOptions> {
    let mut types = lake.root.folders("tables").await?;
    types.retain(|name| !name.starts_with('_'));
    if let Some(unknown) = options.types.iter().find(|name| !types.contains(name)) {
        return Err(Error::Refused(format!("the lake has no table {unknown}: it has {}", types.join(", "))));
    }
    if types.is_empty() {
        return Err(Error::Refused("the lake has no rows that could be gone from the server".to_owned()));
    }
    if !options.types.is_empty() {
        types.clone_from(&options.types);
    }
    // What is only told is told whatever its number.
    let told = MaxRemovals::Share(1.0);
    let max_removals = if options.apply { options.settings.max_removals } else { told };
    Ok(ExportOptions {
        level: Level::System,
        types,
        since: Since::Full,
        query: Query { elements: vec!["id".to_owned()], ..Query::default() },
        ids_only: true,
        settings: Settings { max_removals, ..options.settings.clone() },
        ..ExportOptions::default()
    })
}

/// Begins a run. What one before it has found is no longer new; what it has begun to remove is finished first.
async fn begin(
    lake: &Lake,
    client: &BulkClient,
    export: &ExportOptions,
    apply: bool,
    observer: &dyn Observer,
) -> Result<Run> {
    let mut exports = Exports::read(&lake.root).await?;
    if let Some(run) = Run::unfinished(&lake.root, RECONCILE, &exports).await? {
        match (run.noted::<serde_json::Value>(JUDGED).await?, run.input().await?) {
            (Some(_), Some(_)) if !apply => {
                return Err(Error::Refused(format!(
                    "run {} has begun to remove rows and was interrupted: --apply finishes it first",
                    run.plan.export_id
                )));
            }
            (Some(_), Some(input)) => {
                observer.note(&format!("run {} was interrupted and is finished first", run.plan.export_id));
                load(lake, &run, &input, &export.settings, observer).await?;
                clean(lake, client, &run).await?;
                exports = Exports::read(&lake.root).await?;
            }
            _ => give_up(lake, client, &run, "another comparison was asked for").await?,
        }
    }
    let scope = scope(export)?;
    let jobs = plan::jobs(&scope, &exports.watermarks(RECONCILE));
    Run::begin(&lake.root, RECONCILE, &exports, scope, jobs).await
}

/// Ids are kept for no longer than they are compared.
async fn give_up(lake: &Lake, client: &BulkClient, run: &Run, why: &str) -> Result<()> {
    run.abandon(why).await?;
    clean(lake, client, run).await
}

async fn clean(lake: &Lake, client: &BulkClient, run: &Run) -> Result<()> {
    jobs::delete(client, run).await?;
    lake.root.remove_all(&layout::folder(&run.plan.export_id)).await
}

fn told(prepared: Prepared) -> Absences {
    let Prepared { deletions, removals, .. } = prepared;
    let table = |(name, (absent, rows)): (String, (u64, u64))| {
        let of_type = deletions.rows.iter().filter(|row| row.resource_type == name && row.cause == ABSENT);
        let examples = of_type.map(|row| row.id.clone()).take(EXAMPLES).collect();
        Absent { resource_type: name, rows, absent, examples }
    };
    let tables = removals.of_tables.into_iter().map(table).collect();
    Absences { tables, warning: removals.warning, report: None }
}
