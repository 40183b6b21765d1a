//! The names that SQL may use: resource types, views, the lake's own tables. Each is opened when a statement names it.
//!
//! One invariant: every resource type of FHIR has a table. One that the lake has no data for is empty, with all of its
//! columns, so a query means the same in every lake.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::datasource::{ViewTable, empty::EmptyTable};
use datafusion::error::{DataFusionError, Result as SqlResult};
use datafusion::execution::SessionState;

use delta_scan::with_views;

use super::items::{self, ItemsTable};
use super::only::Only;
use super::session::external;
use super::stored::Stored;
use super::{definition, folder, precedence, resources};
use crate::error::Result;
use crate::lake::Lake;
use crate::lake::audit::AuditRow;
use crate::lake::exports::ExportRow;
use crate::lake::findings::FindingRow;
use crate::lake::gaps::GapRow;
use crate::lake::ledger::{DeletionRow, FileRow};
use crate::lake::members::MemberRow;
use crate::lake::own::OwnRow;
use crate::lake::quarantine::QuarantineRow;
use crate::views::{self, Folder, FolderView};

/// The session's state, which outlives every statement and holds this schema.
pub(super) type State = Weak<parking_lot::RwLock<SessionState>>;

/// The tables and views of a lake.
pub struct LakeSchema {
    stored: Arc<Stored>,
    /// The user's own views.
    folder: Arc<Folder>,
    /// The resources of one type that there are, instead of all.
    only: Option<Only>,
    state: State,
}

impl fmt::Debug for LakeSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeSchema").field("lake", &self.lake().root.location()).finish_non_exhaustive()
    }
}

impl LakeSchema {
    /// The lake's tables at these versions.
    pub fn new(
        lake: &Lake,
        versions: Option<BTreeMap<String, i64>>,
        folder: Arc<Folder>,
        only: Option<Only>,
        state: State,
    ) -> Self {
        Self { stored: Arc::new(Stored { lake: lake.clone(), versions }), folder, only, state }
    }

    fn lake(&self) -> &Lake {
        &self.stored.lake
    }

    async fn stored_or_empty(&self, name: &str) -> SqlResult<Option<Arc<dyn TableProvider>>> {
        match self.stored.open(name).await.map_err(external)? {
            Some(table) => match self.only.as_ref().filter(|only| only.table == name) {
                Some(only) => only.of(Arc::new(table)).map(Some),
                None => Ok(Some(Arc::new(table))),
            },
            None => self.empty(name).map_err(external),
        }
    }

    /// The table of a resource type, whatever views are called.
    async fn resources(&self, resource_type: &str) -> SqlResult<Arc<dyn TableProvider>> {
        let table = if self.lake().definitions().is_resource(resource_type) {
            self.stored_or_empty(resource_type).await?
        } else {
            None
        };
        Ok(table.unwrap_or_else(definition::no_resources))
    }

    fn empty(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        // With the types of a scan, so that a plan over it is that over a table with rows.
        Ok(columns(self.lake(), name)?
            .map(|schema| Arc::new(EmptyTable::new(Arc::new(with_views(&schema)))) as _))
    }
}

/// What the session is now.
pub(super) fn current(state: &State) -> SqlResult<SessionState> {
    let state = state.upgrade().map(|state| state.read().clone());
    state.ok_or_else(|| DataFusionError::Internal("the session is closed".to_owned()))
}

/// A view's SQL, planned.
pub(super) async fn view(state: &State, sql: &str) -> SqlResult<Arc<dyn TableProvider>> {
    let plan = precedence::planned(&current(state)?, sql).await?;
    Ok(Arc::new(ViewTable::new(plan, Some(sql.to_owned()))))
}

/// The columns of a table, whether the lake has it or not; `None` where there is no table of that name.
pub(super) fn columns(lake: &Lake, name: &str) -> Result<Option<SchemaRef>> {
    if lake.definitions().is_resource(name) {
        return Ok(Some(lake.resource_table(name)?.columns));
    }
    let own = own_tables().into_iter().find(|(table, _)| *table == name);
    Ok(own.map(|(_, columns)| Arc::new(columns())))
}

/// A function that makes a table's columns.
type Columns = fn() -> arrow::datatypes::Schema;

/// The lake's own tables, with their columns.
fn own_tables() -> [(&'static str, Columns); 8] {
    [
        (ExportRow::TABLE, ExportRow::schema),
        (FileRow::TABLE, FileRow::schema),
        (MemberRow::TABLE, MemberRow::schema),
        (DeletionRow::TABLE, DeletionRow::schema),
        (QuarantineRow::TABLE, QuarantineRow::schema),
        (FindingRow::TABLE, FindingRow::schema),
        (GapRow::TABLE, GapRow::schema),
        (AuditRow::TABLE, AuditRow::schema),
    ]
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    fn table_names(&self) -> Vec<String> {
        let own = own_tables().into_iter().map(|(name, _)| name.to_owned());
        let version = self.lake().definitions().version();
        let folder = self.folder.names().map(str::to_owned);
        let views = views::all().iter().filter(|view| view.is_of(version)).map(|view| view.name.clone());
        let items = items::tables().iter().map(|table| table.name).chain([resources::TABLE]);
        let items = items.map(str::to_owned);
        let stored = self.stored.versions.iter().flat_map(BTreeMap::keys).cloned();
        let mut names: Vec<String> = own.chain(items).chain(views).chain(folder).chain(stored).collect();
        names.sort();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> SqlResult<Option<Arc<dyn TableProvider>>> {
        match self.folder.find(name) {
            Some(FolderView::Sql(view)) => {
                return folder::planned(name, self::view(&self.state, &view.sql)).await.map(Some);
            }
            Some(FolderView::Definition(view)) => {
                let resources = self.resources(&view.resource).await?;
                let table = definition::over(name, view, self.lake().definitions(), resources);
                return table.map(Some).map_err(|error| DataFusionError::Plan(error.to_string()));
            }
            None => {}
        }
        if let Some(view) = views::find(name, self.lake().definitions().version()) {
            return self::view(&self.state, &view.sql).await.map(Some);
        }
        if name == resources::TABLE {
            return resources::table(&self.stored).await.map(Some);
        }
        if let Some(table) = items::find(name) {
            return Ok(Some(Arc::new(ItemsTable::new(table, Arc::clone(&self.stored)))));
        }
        self.stored_or_empty(name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        self.folder.find(name).is_some()
            || views::find(name, self.lake().definitions().version()).is_some()
            || items::find(name).is_some()
            || name == resources::TABLE
            || self.lake().definitions().is_resource(name)
            || own_tables().iter().any(|(table, _)| *table == name)
    }
}
