//! A view as a DataFusion table over a table of resources.
//!
//! The one invariant: only the columns that the view's expressions touch are asked of the resources, and only the columns that the
//! query asks for are made of them.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::plan::ViewExec;
use crate::view::View;

/// The rows of a [`View`] over the resources of a table.
#[derive(Debug)]
pub struct ViewTable {
    view: Arc<View>,
    resources: Arc<dyn TableProvider>,
}

impl ViewTable {
    /// The view over a table of its resource type, which has the columns that the view was compiled for.
    #[must_use]
    pub fn new(view: Arc<View>, resources: Arc<dyn TableProvider>) -> Self {
        Self { view, resources }
    }
}

#[async_trait]
impl TableProvider for ViewTable {
    fn schema(&self) -> SchemaRef {
        self.view.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = self.resources.schema();
        let all = || (0..self.view.schema().fields().len()).collect();
        let wanted = projection.cloned().unwrap_or_else(all);
        let needed = self.view.columns(&wanted);
        let needed = columns.fields().iter().enumerate().filter(|(_, field)| needed.contains(field.name()));
        let needed: Vec<usize> = needed.map(|(at, _)| at).collect();
        let input = self.resources.scan(state, Some(&needed), &[], None).await?;
        Ok(Arc::new(ViewExec::try_new(input, Arc::clone(&self.view), wanted)?))
    }
}
