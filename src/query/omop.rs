//! The schema `omop`: the CDM's tables as views, and the vocabulary's tables, where the user has brought them.
//!
//! One invariant: without a vocabulary every table of it is there and empty, so that the same SQL maps every code to 0.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::DFSchema;
use datafusion::datasource::ViewTable;
use datafusion::error::{DataFusionError, Result as SqlResult};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::prelude::DataFrame;
use fhir_definitions::FhirVersion;
use tokio::sync::OnceCell;

use super::catalog::{self, State};
use super::precedence;
use super::vocabulary::{self, Vocabulary};
use crate::views::omop::{self, OmopView};

/// The tables of the CDM over a lake.
pub struct OmopSchema {
    version: FhirVersion,
    vocabulary: Option<Vocabulary>,
    code_map: OnceCell<Arc<dyn TableProvider>>,
    state: State,
}

impl fmt::Debug for OmopSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OmopSchema").field("vocabulary", &self.vocabulary.is_some()).finish_non_exhaustive()
    }
}

impl OmopSchema {
    /// The schema of a session.
    pub fn new(version: FhirVersion, vocabulary: Option<Vocabulary>, state: State) -> Self {
        Self { version, vocabulary, code_map: OnceCell::new(), state }
    }

    /// The codes of the lake with their concepts, which are few beside what they are found in: found once, and in memory,
    /// so that a query does not read the whole vocabulary for each thing that is mapped.
    async fn map_codes(&self, view: &OmopView) -> SqlResult<Arc<dyn TableProvider>> {
        let session = catalog::current(&self.state)?;
        let plan = precedence::planned(&session, &view.sql).await?;
        if self.vocabulary.is_none() {
            return Ok(empty(plan.schema().as_ref().clone()));
        }
        let schema = Arc::new(plan.schema().as_arrow().clone());
        let batches = DataFrame::new(session, plan).collect().await?;
        Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
    }
}

/// A table without rows that the optimizer knows to have none.
fn empty(schema: DFSchema) -> Arc<dyn TableProvider> {
    let relation = EmptyRelation { produce_one_row: false, schema: Arc::new(schema) };
    Arc::new(ViewTable::new(LogicalPlan::EmptyRelation(relation), None))
}

#[async_trait]
impl SchemaProvider for OmopSchema {
    fn table_names(&self) -> Vec<String> {
        let views = omop::all().iter().filter(|view| view.is_of(self.version)).map(|view| view.name.clone());
        let mut names: Vec<String> = views.chain(vocabulary::names().map(str::to_owned)).collect();
        names.sort();
        names
    }

    async fn table(&self, name: &str) -> SqlResult<Option<Arc<dyn TableProvider>>> {
        if let Some(schema) = vocabulary::schema(name) {
            let table = self.vocabulary.as_ref().and_then(|vocabulary| vocabulary.table(name));
            return Ok(Some(table.unwrap_or(empty(DFSchema::try_from(schema)?))));
        }
        let Some(view) = omop::find(name) else { return Ok(None) };
        if !view.is_of(self.version) {
            let text =
                format!("the view omop.{name} is not for FHIR {}, which this lake holds", self.version);
            return Err(DataFusionError::Plan(text));
        }
        if name == omop::CODE_MAP {
            return self.code_map.get_or_try_init(|| self.map_codes(view)).await.cloned().map(Some);
        }
        catalog::view(&self.state, &view.sql).await.map(Some)
    }

    fn table_exist(&self, name: &str) -> bool {
        omop::find(name).is_some() || vocabulary::schema(name).is_some()
    }
}
