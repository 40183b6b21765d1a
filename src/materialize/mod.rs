//! Views as Delta tables: each is computed from the versions that the last finished run has left, and its table brought to it.
//!
//! One invariant: a table has the rows that its view has over the versions that the table itself names, all of them by one
//! commit. Where it is interrupted, the same command finds the table as it was, or as it should be.

mod decide;
mod target;
mod write;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::AsArray;
use delta_upsert::contents::{Brought, Scope};
use delta_upsert::{IdHash, Table};
use futures::StreamExt;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::decide::{Known, Plan};
use self::target::Target;
use self::write::Memory;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;
use crate::lake::materialized::{self, Record};
use crate::pipeline::progress::{Observer, Step};
use crate::query::session::failed;
use crate::query::{
    ChangedSince, ChangesOptions, Only, Pin, Session, SessionOptions, Sources, ValueSets, changes, sources,
    vocabulary,
};
use crate::views::Folder;

/// What is materialized, and how.
#[derive(Debug, Clone)]
pub struct MaterializeOptions {
    /// The views, by their names; none for all that the lake's FHIR version has, those of `omop` only with a vocabulary.
    pub views: Vec<String>,
    /// Views of one's own.
    pub folder: Folder,
    /// A folder with the vocabulary by which the schema `omop` maps codes.
    pub vocabulary: Option<PathBuf>,
    /// The value sets that `in_value_set` knows.
    pub value_sets: Arc<ValueSets>,
    /// Whether every row is written again.
    pub full: bool,
    /// Bytes of memory, about; what needs more is sorted on disk.
    pub memory: u64,
}

/// How a table came to its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The rows of the resources that have changed were computed.
    Incremental,
    /// All rows were computed; written is what differs.
    Full,
    /// It had them.
    UpToDate,
    /// The view is not for the lake's FHIR version: there is no table.
    Skipped,
    /// The view cannot be computed: its table, where there is one, is as it was.
    Failed,
}

/// What was done for a view.
#[derive(Debug, Clone, Serialize)]
pub struct Materialized {
    /// The view.
    pub view: String,
    /// The table, below the lake's folder.
    pub table: String,
    /// How it came to its rows.
    pub how: How,
    /// Why so.
    pub why: String,
    /// The rows that it has.
    pub rows: u64,
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that are no longer there.
    pub removed: u64,
    /// The table's version.
    pub version: Option<u64>,
    /// How long it took.
    pub seconds: f64,
}

/// Brings the tables of views of the lake at `location` to what the views are.
///
/// # Errors
/// [`Error::Refused`] for a view that there is not, or not for the lake's FHIR version, and where another process
/// materializes views of the lake; those of the view where there is one, such as [`Error::Query`] and [`Error::QueryFailed`] if it
/// cannot be computed. Of several, such a one is told ([`How::Failed`]), and the others are brought up to date.
pub async fn materialize(
    location: &str,
    options: &MaterializeOptions,
    observer: &dyn Observer,
) -> Result<Vec<Materialized>> {
    let lake = Lake::open(location).await?;
    let version = lake.definitions().version();
    let targets = target::choose(&options.folder, version, &options.views, options.vocabulary.is_some())?;
    let _lease = materialized::lease(&lake.root).await?;
    lake.root.remove_unfinished(materialized::FOLDER).await?;
    let work = Work::new(lake, options).await?;
    let session = work.session(None).await?;
    let mut all = Vec::with_capacity(targets.len());
    observer.begin(Step::Materialize, Some(targets.len() as u64));
    for target in &targets {
        observer.message(Step::Materialize, &target.name);
        let done = if target.is_of_version {
            work.target(&session, target).await.map_err(|error| in_view(&target.name, error))
        } else {
            Ok(without_rows(target, How::Skipped, format!("it is not for FHIR {version}")))
        };
        all.push(match done {
            Err(error) if targets.len() > 1 => without_rows(target, How::Failed, error.to_string()),
            done => done?,
        });
        observer.advance(Step::Materialize, 1);
    }
    observer.end(Step::Materialize);
    Ok(all)
}

/// An error of the view's SQL, with its name.
fn in_view(name: &str, error: Error) -> Error {
    match error {
        Error::Query(text) => Error::Query(format!("the view {name}: {text}")),
        Error::QueryFailed(text) if text.contains("Resources exhausted") => Error::QueryFailed(format!(
            "the view {name} takes more than its part of --memory: give it more. {text}"
        )),
        Error::QueryFailed(text) => Error::QueryFailed(format!("the view {name}: {text}")),
        other => other,
    }
}

fn without_rows(target: &Target, how: How, why: String) -> Materialized {
    let table = format!("{}/{}", materialized::FOLDER, materialized::path(&target.name));
    let view = target.name.clone();
    Materialized { view, table, how, why, rows: 0, inserted: 0, removed: 0, version: None, seconds: 0.0 }
}

/// What all views of a call have in common.
struct Work<'o> {
    lake: Lake,
    options: &'o MaterializeOptions,
    memory: Memory,
    /// The versions that the last finished run has left.
    pinned: BTreeMap<String, i64>,
    /// Those that each rebuild has left.
    rebuilt: Vec<BTreeMap<String, i64>>,
    /// What tells the state of the vocabulary.
    vocabulary: String,
    /// What tells the value sets.
    value_sets: String,
}

impl<'o> Work<'o> {
    async fn new(lake: Lake, options: &'o MaterializeOptions) -> Result<Self> {
        let exports = Exports::read(&lake.root).await?;
        let pinned = exports.last().map(|run| run.table_versions.clone()).unwrap_or_default();
        let mut rebuilt = Vec::new();
        let mut before = BTreeMap::new();
        for run in exports.0 {
            if run.makes_rows_anew() {
                // What it did not touch has the version of the run before it.
                let made =
                    run.table_versions.iter().filter(|(name, version)| before.get(*name) != Some(*version));
                rebuilt.push(made.map(|(name, version)| (name.clone(), *version)).collect());
            }
            before = run.table_versions;
        }
        let vocabulary = options.vocabulary.as_deref().map(vocabulary::fingerprint).transpose()?;
        Ok(Self {
            lake,
            options,
            memory: Memory::of(options.memory),
            pinned,
            rebuilt,
            vocabulary: vocabulary.unwrap_or_default(),
            value_sets: options.value_sets.fingerprint(),
        })
    }

    /// A session on the versions, with all resources or some.
    async fn session(&self, only: Option<Only>) -> Result<Session> {
        let options = SessionOptions {
            views: self.options.folder.clone(),
            vocabulary: self.options.vocabulary.clone(),
            value_sets: Arc::clone(&self.options.value_sets),
            versions: Some(self.pinned.clone()),
            only,
            memory: Some(self.memory.query),
            ..SessionOptions::at(Pin::LastRun)
        };
        Session::open_with(&self.lake, options).await
    }

    /// What the rows of a view are computed from.
    fn record(&self, target: &Target, sources: &Sources) -> Record {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        // What functions answer may differ between versions of the program.
        add(env!("CARGO_PKG_VERSION"));
        add(datafusion::DATAFUSION_VERSION);
        for (name, definition) in &sources.definitions {
            add(name);
            add(definition);
        }
        add(if sources.vocabulary { &self.vocabulary } else { "" });
        if sources.value_sets {
            add(&self.value_sets);
        }
        let definition = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let version = |name: &String| Some((name.clone(), *self.pinned.get(name)?));
        let key = target.key.as_ref().map(|key| key.column.clone());
        Record { definition, read: sources.tables.iter().filter_map(version).collect(), key }
    }

    /// Brings the table of a view to what it is.
    async fn target(&self, session: &Session, target: &Target) -> Result<Materialized> {
        let began = Instant::now();
        let path = materialized::path(&target.name);
        let table = materialized::open(&self.lake.root, &path).await?;
        let before = table.as_ref().map(Record::of).transpose()?.flatten();
        let sources = sources(session, &self.options.folder, &target.name).await?;
        if let Some(key) = target.key.as_ref().filter(|key| !sources.tables.contains(&key.resource)) {
            return Err(Error::Query(format!("its key is of {}, which it does not read", key.resource)));
        }
        let now = self.record(target, &sources);
        let known = Known {
            before: before.as_ref(),
            now: &now,
            key: target.key.as_ref(),
            depends_on_more: sources.depends_on_more,
            full: self.options.full,
            rebuilt: &self.rebuilt,
        };
        let plan = known.plan();
        let (how, why, brought) = match (plan, table) {
            (Plan::Nothing, Some(table)) => (How::UpToDate, String::new(), untouched(&table)?),
            (Plan::Changed { resource, after }, _) => {
                self.changed(session, target, now, resource, after).await?
            }
            (Plan::Whole(why), _) => self.whole(session, target, now, why, Scope::Table).await?,
            (Plan::Anew(why), _) => self.whole(session, target, now, why, Scope::Anew).await?,
            (Plan::Nothing, None) => self.whole(session, target, now, String::new(), Scope::Anew).await?,
        };
        Ok(Materialized {
            view: target.name.clone(),
            table: format!("{}/{path}", materialized::FOLDER),
            how,
            why,
            rows: brought.rows,
            inserted: brought.inserted,
            removed: brought.removed,
            version: Some(brought.version),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// Computes the rows of what has changed.
    async fn changed(
        &self,
        session: &Session,
        target: &Target,
        now: Record,
        resource: String,
        after: u64,
    ) -> Result<(How, String, Brought)> {
        let ids = match self.changed_ids(&resource, after).await? {
            Ok(ids) => Arc::new(ids),
            Err(why) => return self.whole(session, target, now, why, Scope::Table).await,
        };
        let why = format!("{} of {resource} changed", ids.len());
        let only = Only { table: resource, ids: Arc::clone(&ids) };
        let session = self.session(Some(only)).await?;
        let brought = self.write(&session, target, now, Scope::Ids, Some(&ids)).await?;
        Ok((How::Incremental, why, brought))
    }

    async fn whole(
        &self,
        session: &Session,
        target: &Target,
        now: Record,
        why: String,
        scope: Scope,
    ) -> Result<(How, String, Brought)> {
        Ok((How::Full, why, self.write(session, target, now, scope, None).await?))
    }

    /// The ids of the resources that a table has changed after a version; or why they are not known.
    async fn changed_ids(&self, resource: &str, after: u64) -> Result<Result<HashSet<IdHash>, String>> {
        // A run that has finished meanwhile adds ids to them, whose rows are then the same.
        let options = ChangesOptions {
            since: ChangedSince::Version(after),
            until: Pin::LastRun,
            types: vec![resource.to_owned()],
            memory: self.memory.query,
        };
        let mut answer = match changes(&self.lake, &options).await {
            Err(Error::Vacuumed { .. } | Error::Damaged { .. }) => {
                return Ok(Err(format!("nobody knows any more what of {resource} changed")));
            }
            answer => answer?,
        };
        let mut ids = HashSet::new();
        while let Some(batch) = answer.next().await {
            let batch = batch.map_err(|e| failed(&e))?;
            let column = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>());
            ids.extend(column.into_iter().flat_map(|column| column.iter().flatten().map(IdHash::of)));
            if ids.len() > self.memory.ids {
                return Ok(Err(format!("more than {} of {resource} changed", self.memory.ids)));
            }
        }
        Ok(Ok(ids))
    }
}

fn untouched(table: &Table) -> Result<Brought> {
    Ok(Brought { inserted: 0, removed: 0, rows: table.rows()?, version: table.version() })
}
