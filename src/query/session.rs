//! A session: the lake as one of its finished runs left it.
//!
//! One invariant: a session reads. Statements that would write are refused, and tables are never created by a query.

use std::sync::Arc;

use datafusion::config::Dialect;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

use super::catalog::LakeSchema;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;

/// Which versions of the tables a session reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// Those of the run that finished last: every table as of the same run.
    LastRun,
    /// The newest, a run's that is not finished among them.
    Latest,
}

/// SQL over a lake.
pub struct Session {
    context: SessionContext,
}

const CATALOG: &str = "lake";
const SCHEMA: &str = "lake";

impl Session {
    /// Opens a session on a lake. No table is opened before a statement names it.
    pub async fn open(lake: &Lake, pin: Pin) -> Result<Self> {
        let versions = match pin {
            Pin::LastRun => {
                let exports = Exports::read(&lake.root).await?;
                Some(exports.last().map(|run| run.table_versions.clone()).unwrap_or_default())
            }
            Pin::Latest => None,
        };
        let mut config = SessionConfig::new()
            .with_information_schema(true)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_create_default_catalog_and_schema(true);
        // FHIR's names are camelCase, and `start` and lambdas parse in this dialect.
        config.options_mut().sql_parser.enable_ident_normalization = false;
        config.options_mut().sql_parser.dialect = Dialect::Databricks;
        let context = SessionContext::new_with_config(config);
        let schema = LakeSchema::new(lake.root.clone(), versions, context.state_weak_ref());
        let catalog =
            context.catalog(CATALOG).ok_or_else(|| Error::Query("the session has no catalog".to_owned()))?;
        catalog.register_schema(SCHEMA, Arc::new(schema)).map_err(|e| query_error(&e))?;
        Ok(Self { context })
    }

    /// Plans a statement.
    ///
    /// # Errors
    /// [`Error::Query`] for what cannot be parsed or planned, in words that name the table or column.
    pub async fn plan(&self, sql: &str) -> Result<DataFrame> {
        let options =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        self.context.sql_with_options(sql, options).await.map_err(|e| query_error(&e))
    }

    /// Runs a statement.
    pub async fn run(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        let frame = self.plan(sql).await?;
        frame.execute_stream().await.map_err(|e| query_error(&e))
    }
}

/// DataFusion's words, without the wrapping that says where in its code they come from.
pub(super) fn query_error(error: &DataFusionError) -> Error {
    Error::Query(error.strip_backtrace())
}
