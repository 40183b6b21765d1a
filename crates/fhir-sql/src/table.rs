//! A view as a DataFusion table over a table of resources.
//!
//! The one invariant: only the columns that the view's expressions touch are asked of the resources, and only the columns that the
//! query asks for are made of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use crate::plan::ViewExec;
use crate::source::Sources;
use crate::view::View;

/// Gives a table of resources with less in its nested columns.
pub trait Narrow: fmt::Debug + Send + Sync {
    /// The table, where of its nested columns nothing but the leaves at these paths is looked at. Its columns have the names and the
    /// order that they had; a field that is on no path may be missing.
    fn narrowed(&self, leaves: &BTreeSet<Vec<String>>) -> Arc<dyn TableProvider>;
}

/// The rows of a [`View`] over the resources of a table.
#[derive(Debug)]
pub struct ViewTable {
    view: Arc<View>,
    resources: Arc<dyn TableProvider>,
    narrow: Option<Arc<dyn Narrow>>,
}

impl ViewTable {
    /// The view over a table of its resource type, which has the columns that the view was compiled for.
    #[must_use]
    pub fn new(view: Arc<View>, resources: Arc<dyn TableProvider>) -> Self {
        Self { view, resources, narrow: None }
    }

    /// The same, where the table can be had with the leaves alone that the view reads.
    #[must_use]
    pub fn narrowed_by(self, narrow: Arc<dyn Narrow>) -> Self {
        Self { narrow: Some(narrow), ..self }
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

    /// What is said of columns that are columns of the resources goes down to them, and is asked of the rows again.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let columns = self.resources.schema();
        let sources = Sources::of(&self.view, &columns);
        let supported = |filter: &&Expr| {
            let Some(filter) = sources.said_of_resources(filter) else {
                return Ok(TableProviderFilterPushDown::Unsupported);
            };
            let by_resources = self.resources.supports_filters_pushdown(&[&filter])?;
            Ok(match by_resources.as_slice() {
                [TableProviderFilterPushDown::Exact | TableProviderFilterPushDown::Inexact] => {
                    TableProviderFilterPushDown::Inexact
                }
                _ => TableProviderFilterPushDown::Unsupported,
            })
        };
        filters.iter().map(supported).collect()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.view.schema().fields().len()).collect();
        let wanted = projection.cloned().unwrap_or_else(all);
        let leaves = self.view.paths(&wanted);
        let resources = match &self.narrow {
            Some(narrow) => narrow.narrowed(&leaves),
            None => Arc::clone(&self.resources),
        };
        let columns = resources.schema();
        let needed: BTreeSet<&str> = leaves.iter().filter_map(|path| Some(path.first()?.as_str())).collect();
        let is_needed = |at: &usize| needed.contains(columns.field(*at).name().as_str());
        let needed: Vec<usize> = (0..columns.fields().len()).filter(is_needed).collect();
        let filters = Sources::of(&self.view, &columns).only_read(&leaves).all(filters);
        let input = resources.scan(state, Some(&needed), &filters, None).await?;
        let input = match conjunction(filters) {
            // The optimiser brings it into the scan, as far as the table takes it.
            Some(filter) => {
                let columns = DFSchema::try_from(input.schema())?;
                let filter = state.create_physical_expr(filter, &columns)?;
                Arc::new(FilterExec::try_new(filter, input)?) as Arc<dyn ExecutionPlan>
            }
            None => input,
        };
        Ok(Arc::new(ViewExec::try_new(input, Arc::clone(&self.view), wanted)?))
    }
}
