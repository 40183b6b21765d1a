//! The table `resources`: a row for every resource of the lake, whatever its type.
//!
//! One invariant: it has the resources of exactly the types that the session has tables of.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{ScalarValue, TableReference};
use datafusion::datasource::{ViewTable, empty::EmptyTable, provider_as_source};
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};

use super::session::external;
use super::stored::Stored;

/// Its name.
pub(super) const TABLE: &str = "resources";

/// Its columns.
const RESOURCE_TYPE: &str = "resource_type";
const ID: &str = "id";

/// The table over the session's versions of the lake.
pub(super) async fn table(stored: &Stored) -> Result<Arc<dyn TableProvider>> {
    let mut all: Option<LogicalPlan> = None;
    for resource_type in stored.resource_types().await.map_err(external)? {
        let Some(rows) = stored.open(&resource_type).await.map_err(external)? else { continue };
        let of_type = of_type(&resource_type, Arc::new(rows))?;
        all = Some(match all {
            Some(others) => LogicalPlanBuilder::from(others).union(of_type)?.build()?,
            None => of_type,
        });
    }
    Ok(match all {
        Some(plan) => Arc::new(ViewTable::new(plan, None)),
        None => {
            let text = |name: &str| Field::new(name, DataType::Utf8View, true);
            Arc::new(EmptyTable::new(Arc::new(Schema::new(vec![text(RESOURCE_TYPE), text(ID)]))))
        }
    })
}

fn of_type(resource_type: &str, rows: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let name = lit(ScalarValue::Utf8View(Some(resource_type.to_owned())));
    LogicalPlanBuilder::scan(TableReference::bare(resource_type), provider_as_source(rows), None)?
        .project([name.alias(RESOURCE_TYPE), col(ID)])?
        .build()
}
