//! A session: the lake as one of its finished runs left it.
//!
//! One invariant: a session reads. Statements that would write are refused, and tables are never created by a query.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::config::Dialect;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use delta_scan::NarrowNested;
use fhir_arrow::{References, ServerBase};
use fhir_definitions::{Definitions, FhirVersion};
use fhir_sql::{EvaluationError, ViewDefinition};

use super::catalog::LakeSchema;
use super::definition;
use super::functions::{self, Known};
use super::omop::OmopSchema;
use super::only::Only;
use super::value_sets::ValueSets;
use super::vocabulary::Vocabulary;
use super::{precedence, pushdown};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;
use crate::views::{Folder, omop};

/// Which versions of the tables a session reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// Those of the run that finished last: every table as of the same run.
    LastRun,
    /// The newest, a run's that is not finished among them.
    Latest,
}

/// What a session has.
#[derive(Debug)]
pub struct SessionOptions {
    /// The versions of the tables.
    pub pin: Pin,
    /// Views of one's own.
    pub views: Folder,
    /// A folder with the vocabulary by which the schema `omop` maps codes.
    pub vocabulary: Option<PathBuf>,
    /// Table → version, instead of what the pin says.
    pub versions: Option<BTreeMap<String, i64>>,
    /// The resources of one type that the session has, instead of all.
    pub only: Option<Only>,
    /// Bytes of memory; what needs more is sorted on disk, as far as that can be. Without it there is no limit.
    pub memory: Option<u64>,
    /// The value sets that `in_value_set` knows.
    pub value_sets: Arc<ValueSets>,
}

impl SessionOptions {
    /// Nothing but the lake.
    pub fn at(pin: Pin) -> Self {
        Self {
            pin,
            views: Folder::default(),
            vocabulary: None,
            versions: None,
            only: None,
            memory: None,
            value_sets: Arc::default(),
        }
    }
}

/// SQL over a lake.
pub struct Session {
    context: SessionContext,
    definitions: &'static Definitions,
}

pub(super) const CATALOG: &str = "lake";
pub(super) const SCHEMA: &str = "lake";

impl Session {
    /// Opens a session on a lake. No table is opened before a statement names it.
    pub async fn open(lake: &Lake, pin: Pin) -> Result<Self> {
        Self::open_with(lake, SessionOptions::at(pin)).await
    }

    /// The same with views of one's own, or a vocabulary by which the schema `omop` maps codes.
    ///
    /// # Errors
    /// Those of [`Vocabulary::open`], and [`Error::Query`] where the session cannot be set up.
    pub async fn open_with(lake: &Lake, options: SessionOptions) -> Result<Self> {
        let SessionOptions { pin, views, vocabulary, versions, only, memory, value_sets } = options;
        let versions = match (versions, pin) {
            (Some(versions), _) => Some(versions),
            (None, Pin::LastRun) => {
                let exports = Exports::read(&lake.root).await?;
                Some(exports.last().map(|run| run.table_versions.clone()).unwrap_or_default())
            }
            (None, Pin::Latest) => None,
        };
        let base = lake.identity.server.as_ref().map(|server| ServerBase::new(server.as_str()));
        let references = References::new(lake.definitions(), base);
        let context = new_context(Known { references, value_sets }, memory)?;
        let schema = LakeSchema::new(lake, versions, Arc::new(views), only, context.state_weak_ref());
        let catalog =
            context.catalog(CATALOG).ok_or_else(|| Error::Query("the session has no catalog".to_owned()))?;
        catalog.register_schema(SCHEMA, Arc::new(schema)).map_err(|e| query_error(&e))?;
        let vocabulary = match vocabulary {
            Some(folder) => Some(Vocabulary::open(&folder, &context).await?),
            None => None,
        };
        let version = lake.definitions().version();
        let schema = OmopSchema::new(version, vocabulary, context.state_weak_ref());
        catalog.register_schema(omop::SCHEMA, Arc::new(schema)).map_err(|e| query_error(&e))?;
        Ok(Self { context, definitions: lake.definitions() })
    }

    /// What DataFusion has of the session.
    pub(super) fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The FHIR version of the lake.
    pub(super) fn version(&self) -> FhirVersion {
        self.definitions.version()
    }

    /// Runs a ViewDefinition over the lake.
    pub async fn run_view(&self, view: &ViewDefinition) -> Result<SendableRecordBatchStream> {
        // A type that there is not is the view's error, not that of a missing table.
        let resources = if self.definitions.is_resource(&view.resource) {
            let name = TableReference::bare(view.resource.as_str());
            self.context.table_provider(name).await.map_err(|e| query_error(&e))?
        } else {
            definition::no_resources()
        };
        definition::run(&self.context, view, self.definitions, resources).await
    }

    /// All rows of a table or view, planned.
    ///
    /// # Errors
    /// [`Error::Query`] for what cannot be planned.
    pub async fn select(&self, name: &str) -> Result<DataFrame> {
        self.context.table(TableReference::bare(name)).await.map_err(|e| query_error(&e))
    }

    /// Plans a statement.
    ///
    /// # Errors
    /// [`Error::Query`] for what cannot be parsed or planned, in words that name the table or column.
    pub async fn plan(&self, sql: &str) -> Result<DataFrame> {
        let options =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let planned = async {
            let plan = precedence::planned(&self.context.state(), sql).await?;
            options.verify_plan(&plan)?;
            self.context.execute_logical_plan(plan).await
        };
        planned.await.map_err(|e| query_error(&e))
    }

    /// Runs a statement.
    pub async fn run(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        execute(self.plan(sql).await?).await
    }
}

/// Runs what was planned.
///
/// # Errors
/// [`Error::QueryFailed`], without values of the data.
pub async fn execute(planned: DataFrame) -> Result<SendableRecordBatchStream> {
    planned.execute_stream().await.map_err(|e| unplanned(&e))
}

/// A session of DataFusion as all of ours are: with FHIR's names, the functions, and scans that read no more than they need.
///
/// With `memory` it takes so many bytes, and sorts on disk what needs more.
///
/// # Errors
/// [`Error::Query`] where there is no place to sort in.
pub(super) fn new_context(known: Known, memory: Option<u64>) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(true);
    // FHIR's names are camelCase, and `start` and lambdas parse in this dialect.
    config.options_mut().sql_parser.enable_ident_normalization = false;
    config.options_mut().sql_parser.dialect = Dialect::Databricks;
    // The rule puts projections of struct fields between filters; where these are then merged, the variable of a
    // lambda is taken for a column, and `WHERE array_filter(code.coding, c -> …) … AND id = …` fails.
    config.options_mut().optimizer.enable_leaf_expression_pushdown = false;
    let runtime = match memory {
        Some(memory) => bounded(memory).map_err(|e| query_error(&e))?,
        None => Arc::default(),
    };
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(pushdown::rules())
        .with_optimizer_rule(Arc::new(NarrowNested))
        .build();
    let context = SessionContext::new_with_state(state);
    functions::all(known).into_iter().for_each(|function| context.register_udf(function));
    Ok(context)
}

/// Where queries run that take so much memory, and sort on disk what needs more.
pub(super) fn bounded(memory: u64) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let pool = FairSpillPool::new(usize::try_from(memory).unwrap_or(usize::MAX));
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()
}

/// Our error in DataFusion's, where it asks ours for tables.
pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// A statement that cannot be planned: DataFusion's words, without the wrapping that says where in its code they come
/// from. They name tables and columns, and what the user wrote.
pub(crate) fn query_error(error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(inner) if inner.is::<Error>() => failed(error),
        root => Error::Query(root.strip_backtrace()),
    }
}

/// A statement that cannot be optimised or begun: nothing was read yet, and a mistake of planning is told as it is.
fn unplanned(error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::Plan(_) => query_error(error),
        _ => failed(error),
    }
}

/// A statement that cannot be carried out. Values of the data are taken out of DataFusion's words: `Cannot cast string
/// 'Doe' to value of Int32 type` is written to logs by whoever runs queries unattended. What computes on them tells them without
/// quotes, too.
pub(crate) fn failed(error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => Error::QueryFailed(ours.to_string()),
            // The quotes in it are those of the view's expressions.
            None if inner.is::<EvaluationError>() => Error::QueryFailed(inner.to_string()),
            None => Error::QueryFailed(without_values(&inner.to_string())),
        },
        // It tells of memory.
        root @ DataFusionError::ResourcesExhausted(_) => Error::QueryFailed(root.strip_backtrace()),
        root => Error::QueryFailed(without_numbers(&without_values(&root.strip_backtrace()))),
    }
}

/// The first line of a text, with every number left out that is no part of a word (`Int32`), and without a regular expression that
/// cannot be read, which is made of data where it was not refused before.
fn without_numbers(text: &str) -> String {
    let before = |text, end: &str| str::split_once(text, end).map_or(text, |(before, _)| before);
    let text = before(before(text, "compile:"), "parse error:");
    let mut out = String::with_capacity(text.len());
    let (mut is_number, mut before) = (false, ' ');
    for c in text.lines().next().unwrap_or_default().chars() {
        is_number = c.is_ascii_digit() && (is_number || !before.is_alphanumeric())
            || is_number && matches!(c, '.' | 'e' | 'E' | '+' | '-');
        if !is_number {
            out.push(c);
        } else if !out.ends_with('…') {
            out.push('…');
        }
        before = c;
    }
    out
}

/// The text with everything between quotes left out.
fn without_values(text: &str) -> String {
    let quotes = ['\'', '"'];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(quotes) {
        let (before, quoted) = rest.split_at(at);
        let quote = if quoted.starts_with('"') { '"' } else { '\'' };
        out.push_str(before);
        out.push('…');
        // A value may hold a quote itself: what is left out ends at the last one.
        rest = quoted.rfind(quote).map_or("", |end| &quoted[end + 1..]);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_out_of_what_an_engine_says() {
        assert_eq!(
            without_values("Arrow error: Cast error: Cannot cast string 'O'Brien' to value of Int32 type"),
            "Arrow error: Cast error: Cannot cast string … to value of Int32 type"
        );
        assert_eq!(without_values("cannot parse \"19x\""), "cannot parse …");
        assert_eq!(without_values("Divide by zero error"), "Divide by zero error");
        for (said, told) in [
            (
                "Cast error: Can't cast value 19570413000 to type Int32",
                "Cast error: Can't cast value … to type Int32",
            ),
            (
                "1203.5 is too large to store in a Decimal128 of precision 4",
                "… is too large to store in a Decimal128 of precision …",
            ),
            ("Regular expression did not compile: (Cole117", "Regular expression did not "),
            ("Overflow happened on FACTORIAL(19570413)", "Overflow happened on FACTORIAL(…)"),
        ] {
            assert_eq!(without_numbers(said), told);
        }
    }
}
