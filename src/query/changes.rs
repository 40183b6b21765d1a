//! What changed since a run: the resources that came, went, or were replaced, each with the run that did it.
//!
//! One invariant: a change is a difference between two contents. A row that only moved is none, and a row that goes while
//! another of the same id comes, in one commit, is an update. Of another program's commit nobody knows what only moved: what
//! it wrote again is told as updates.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use delta_upsert::Table;
use delta_upsert::changes::{self as of_table, CommitChanges};
use futures::{StreamExt, TryStreamExt};

use super::changed_rows::ChangedRows;
use super::pushdown;
use super::session::{Pin, bounded, query_error};
use crate::error::{Error, Result};
use crate::lake::exports::{self, ExportRow, Exports};
use crate::lake::{Lake, table};

/// From when on changes are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedSince {
    /// What runs have changed that finished after this one, by its name, or by its pipeline and number (`system-3`).
    Run(String),
    /// What commits have changed after this version of each table.
    Version(u64),
}

/// Which changes are told.
#[derive(Debug, Clone)]
pub struct ChangesOptions {
    /// From when on.
    pub since: ChangedSince,
    /// Up to which versions of the tables.
    pub until: Pin,
    /// Only those of these resource types; empty for all.
    pub types: Vec<String>,
    /// Bytes of memory; what needs more is sorted on disk.
    pub memory: u64,
}

/// The changes, by table and commit.
///
/// # Errors
/// [`Error::Refused`] for a run that is none; [`Error::Damaged`] where the log or the files of that time are gone.
pub async fn changes(lake: &Lake, options: &ChangesOptions) -> Result<SendableRecordBatchStream> {
    let exports = Arc::new(Exports::read(&lake.root).await?);
    let (since, until) = (options.since.versions(&exports)?, versions_until(&exports, options.until));
    let mut opened = Vec::new();
    for name in tables(lake, options).await? {
        let version = match &until {
            None => None,
            Some(until) => match until.get(&name) {
                Some(version) => Some(*version),
                None => continue,
            },
        };
        opened.extend(table::open_at(&lake.root, &name, version).await?);
    }
    since.check(&opened)?;
    let mut commits = Vec::new();
    for table in opened {
        let after = since.after(table.name());
        let table = Arc::new(table);
        of_table::check(&table, after).await?;
        commits.extend(of_table::versions(&table, after).map(|version| (Arc::clone(&table), version)));
    }
    let runtime = bounded(options.memory).map_err(|e| query_error(&e))?;
    // What a commit has changed is read when its turn comes: of all of them together it would not fit into memory.
    let batches = futures::stream::iter(commits)
        .then(move |(table, version)| {
            let (exports, runtime) = (Arc::clone(&exports), Arc::clone(&runtime));
            async move {
                let commit = of_table::commit(&table, version).await;
                let commit = commit.map_err(|e| DataFusionError::External(Box::new(Error::from(e))))?;
                of_commit(table, commit, &exports, runtime).await?.execute_stream().await
            }
        })
        .try_flatten();
    Ok(Box::pin(RecordBatchStreamAdapter::new(columns(), batches)))
}

/// The columns of the changes.
fn columns() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let time = |name: &str| Field::new(name, timestamp(), true);
    Arc::new(Schema::new(vec![
        text("resource_type"),
        text("id"),
        text("change"),
        time("last_updated"),
        number("table_version"),
        text("pipeline"),
        text("export_id"),
        time("finished_at"),
        text("__raw_file"),
        number("__raw_offset"),
        number("__raw_length"),
    ]))
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

async fn tables(lake: &Lake, options: &ChangesOptions) -> Result<Vec<String>> {
    for name in &options.types {
        if !lake.definitions().is_resource(name) {
            return Err(Error::Refused(format!("{name} is no resource type of FHIR")));
        }
    }
    let mut names = lake.root.folders("tables").await?;
    names.retain(|name| !name.starts_with('_') && (options.types.is_empty() || options.types.contains(name)));
    names.sort();
    Ok(names)
}

/// The versions up to which changes are told; `None` for the newest.
fn versions_until(exports: &Exports, until: Pin) -> Option<BTreeMap<String, u64>> {
    let versions = |run: &ExportRow| {
        let of = |(name, version): (&String, &i64)| Some((name.clone(), u64::try_from(*version).ok()?));
        run.table_versions.iter().filter_map(of).collect()
    };
    match until {
        Pin::LastRun => Some(exports.last().map(versions).unwrap_or_default()),
        Pin::Latest => None,
    }
}

/// The versions after which changes are told.
enum After<'e> {
    Run(&'e ExportRow),
    Version(u64),
}

impl ChangedSince {
    fn versions<'e>(&self, exports: &'e Exports) -> Result<After<'e>> {
        match self {
            Self::Version(version) => Ok(After::Version(*version)),
            Self::Run(name) => {
                let is = |run: &&ExportRow| {
                    run.export_id == *name || format!("{}-{}", run.pipeline, run.seq) == *name
                };
                let run = exports.0.iter().rev().find(is);
                run.map(After::Run).ok_or_else(|| {
                    let last = exports.0.iter().rev().take(3).map(|run| run.export_id.as_str());
                    let last: Vec<_> = last.collect();
                    Error::Refused(format!(
                        "the lake has no finished run {name}; the last are {}",
                        last.join(", ")
                    ))
                })
            }
        }
    }
}

impl After<'_> {
    /// The version of a table; `None` where all of it is a change.
    fn after(&self, table: &str) -> Option<u64> {
        match self {
            Self::Run(run) => run.table_versions.get(table).and_then(|version| u64::try_from(*version).ok()),
            Self::Version(version) => Some(*version),
        }
    }

    /// Refuses a version that no table has reached.
    fn check(&self, tables: &[Table]) -> Result<()> {
        let newest = tables.iter().max_by_key(|table| table.version());
        match (self, newest) {
            (Self::Version(version), Some(newest)) if *version > newest.version() => {
                Err(Error::Refused(format!(
                    "no table has a version {version}: the newest that a finished run has left is version {} of {}",
                    newest.version(),
                    newest.name()
                )))
            }
            _ => Ok(()),
        }
    }
}

/// What a commit has changed, as a query of the rows that it took and brought.
async fn of_commit(
    table: Arc<Table>,
    commit: CommitChanges,
    exports: &Exports,
    runtime: Arc<RuntimeEnv>,
) -> Result<DataFrame, DataFusionError> {
    let sql = match (commit.gone.is_empty(), commit.came.is_empty()) {
        (true, _) => "SELECT *, 'insert' AS change FROM came",
        (_, true) => "SELECT *, 'delete' AS change FROM gone",
        _ => &both(is_ours(&commit)),
    };
    let last = caused_by(&commit, exports);
    let all = vec![
        lit(table.name()).alias("resource_type"),
        col("id"),
        col("change"),
        col("last_updated"),
        lit(i64::try_from(commit.version).unwrap_or(i64::MAX)).alias("table_version"),
        lit(last.pipeline).alias("pipeline"),
        lit(last.export_id).alias("export_id"),
        lit(last.finished_at).alias("finished_at"),
        col("__raw_file"),
        col("__raw_offset"),
        col("__raw_length"),
    ];
    // What is sorted can go on on disk, a hash table cannot.
    let mut config = SessionConfig::new();
    config.options_mut().optimizer.prefer_hash_join = false;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(pushdown::rules())
        .build();
    let context = SessionContext::new_with_state(state);
    for (name, rows) in [("gone", commit.gone), ("came", commit.came)] {
        let rows = Arc::new(ChangedRows::new(Arc::clone(&table), rows));
        let streaming = StreamingTable::try_new(Arc::clone(rows.schema()), vec![rows])?;
        context.register_table(name, Arc::new(streaming))?;
    }
    context.sql(sql).await?.select(all)
}

/// Whether a run of a lake has made a commit.
fn is_ours(commit: &CommitChanges) -> bool {
    commit.stamp.as_ref().and_then(exports::pipeline_of).is_some()
}

/// A commit that took and brought rows. In ours, what it took and brought with the same content has only moved. Another
/// program changes rows and keeps their hashes, so that each that it took and brought counts as changed.
fn both(is_ours: bool) -> String {
    let moved = if is_ours { "came.__row_hash IS NOT DISTINCT FROM gone.__row_hash" } else { "false" };
    format!(
        "
SELECT
  coalesce(came.id, gone.id) AS id,
  CASE WHEN gone.id IS NULL THEN 'insert' WHEN came.id IS NULL THEN 'delete' ELSE 'update' END AS change,
  CASE WHEN came.id IS NULL THEN gone.last_updated ELSE came.last_updated END AS last_updated,
  coalesce(came.__raw_file, gone.__raw_file) AS __raw_file,
  coalesce(came.__raw_offset, gone.__raw_offset) AS __raw_offset,
  coalesce(came.__raw_length, gone.__raw_length) AS __raw_length
FROM came FULL JOIN gone ON came.id = gone.id
WHERE came.id IS NULL OR gone.id IS NULL OR NOT ({moved})
ORDER BY id"
    )
}

/// The run that made a commit: another program's has none.
struct Cause {
    pipeline: ScalarValue,
    export_id: ScalarValue,
    finished_at: ScalarValue,
}

fn caused_by(commit: &CommitChanges, exports: &Exports) -> Cause {
    let stamp = commit.stamp.as_ref();
    let pipeline = stamp.and_then(exports::pipeline_of).map(str::to_owned);
    let made = |run: &&ExportRow| {
        Some(&run.pipeline) == pipeline.as_ref() && stamp.is_some_and(|stamp| stamp.version == run.seq)
    };
    let run = exports.0.iter().find(made);
    let finished_at = run.map(|run| run.finished_at.timestamp_micros());
    Cause {
        export_id: ScalarValue::Utf8(run.map(|run| run.export_id.clone())),
        finished_at: ScalarValue::TimestampMicrosecond(finished_at, Some("UTC".into())),
        pipeline: ScalarValue::Utf8(pipeline),
    }
}
