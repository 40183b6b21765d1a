//! SQL over NDJSON files, without a lake: their resource types are tables, and views select from them.
//!
//! One invariant: every resource type of FHIR has a table, as in a lake. Each statement reads the files again.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::error::{DataFusionError, Result as SqlResult};
use datafusion::prelude::{DataFrame, SessionContext};
use fhir_arrow::References;
use fhir_definitions::Definitions;

use super::catalog::{self, State};
use super::functions::Known;
use super::ndjson::NdjsonTable;
use super::session::{CATALOG, SCHEMA, external, new_context, query_error};
use super::value_sets::ValueSets;
use super::{definition, folder};
use crate::error::{Error, Result};
use crate::raw::local::LocalFile;
use crate::views::{self, Folder, FolderView};

/// Files, and the views over them.
pub struct FilesSession(SessionContext);

impl FilesSession {
    /// The files, with views of one's own, and the value sets that they ask for.
    ///
    /// # Errors
    /// [`Error::Query`] where the session cannot be set up.
    pub fn open(
        files: Arc<[LocalFile]>,
        definitions: &'static Definitions,
        folder: Arc<Folder>,
        value_sets: Arc<ValueSets>,
    ) -> Result<Self> {
        let references = References::new(definitions, None);
        let context = new_context(Known { references, value_sets }, None)?;
        let schema = FilesSchema { files, definitions, folder, state: context.state_weak_ref() };
        let catalog =
            context.catalog(CATALOG).ok_or_else(|| Error::Query("the session has no catalog".to_owned()))?;
        catalog.register_schema(SCHEMA, Arc::new(schema)).map_err(|e| query_error(&e))?;
        Ok(Self(context))
    }

    /// All rows of a table or view, planned.
    ///
    /// # Errors
    /// [`Error::Query`] for what cannot be planned.
    pub async fn select(&self, name: &str) -> Result<DataFrame> {
        self.0.table(TableReference::bare(name)).await.map_err(|e| query_error(&e))
    }
}

struct FilesSchema {
    files: Arc<[LocalFile]>,
    definitions: &'static Definitions,
    folder: Arc<Folder>,
    state: State,
}

impl fmt::Debug for FilesSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilesSchema").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl FilesSchema {
    fn resources(&self, resource_type: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !self.definitions.is_resource(resource_type) {
            return Ok(None);
        }
        Ok(Some(Arc::new(NdjsonTable::new(&self.files, self.definitions, resource_type)?)))
    }
}

#[async_trait]
impl SchemaProvider for FilesSchema {
    fn table_names(&self) -> Vec<String> {
        self.folder.names().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> SqlResult<Option<Arc<dyn TableProvider>>> {
        match self.folder.find(name) {
            Some(FolderView::Sql(view)) => {
                return folder::planned(name, catalog::view(&self.state, &view.sql)).await.map(Some);
            }
            Some(FolderView::Definition(view)) => {
                let resources = self.resources(&view.resource).map_err(external)?;
                let resources = resources.unwrap_or_else(definition::no_resources);
                let table = definition::over(name, view, self.definitions, resources);
                return table.map(Some).map_err(|error| DataFusionError::Plan(error.to_string()));
            }
            None => {}
        }
        match views::find(name, self.definitions.version()) {
            Some(view) => catalog::view(&self.state, &view.sql).await.map(Some),
            None => self.resources(name).map_err(external),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.folder.find(name).is_some()
            || views::find(name, self.definitions.version()).is_some()
            || self.definitions.is_resource(name)
    }
}
