//! Some resources of a type instead of all: what a session sees that computes a view for these alone.
//!
//! One invariant: the condition is on the table itself, so it goes down to the scan whatever the views above it do; the other
//! columns are then decoded for the rows of these resources alone.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::common::cast::as_string_view_array;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{ColumnarValue, LogicalPlanBuilder, Volatility, create_udf};
use datafusion::prelude::col;
use delta_upsert::IdHash;

/// The resources of a type with some ids.
#[derive(Clone)]
pub struct Only {
    /// The table.
    pub table: String,
    /// The hashes of the ids: a lake may have many, and some are long.
    pub ids: Arc<HashSet<IdHash>>,
}

impl fmt::Debug for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Only").field("table", &self.table).field("ids", &self.ids.len()).finish()
    }
}

impl Only {
    /// The table with these resources alone.
    pub(super) fn of(&self, table: Arc<dyn TableProvider>) -> SqlResult<Arc<dyn TableProvider>> {
        let ids = Arc::clone(&self.ids);
        let among = move |arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let texts = as_string_view_array(&arrays[0])?;
            let among: BooleanArray = texts
                .iter()
                .map(|text| Some(text.is_some_and(|text| ids.contains(&IdHash::of(text)))))
                .collect();
            Ok(ColumnarValue::Array(Arc::new(among)))
        };
        let (text, answer) = (DataType::Utf8View, DataType::Boolean);
        let among = create_udf("is_among_ids", vec![text], answer, Volatility::Immutable, Arc::new(among));
        let name = TableReference::bare(self.table.as_str());
        let scan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?;
        let plan = scan.filter(among.call(vec![col("id")]))?.build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}
