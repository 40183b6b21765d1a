//! A table of items: what of the lake a query of it must read.
//!
//! One invariant: a resource type that the query does not ask for is not opened, and of the others no leaf is read that is
//! neither asked for nor needed to know that an item is there.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use futures::{StreamExt, TryStreamExt, stream};

use super::exec::{ItemsExec, Part};
use super::kind::ItemTable;
use super::place::{self, Place};
use super::values::{self, ID};
use crate::query::session::external;
use crate::query::stored::{OPENED_AT_ONCE, Stored};

/// The columns that say where an item is.
const RESOURCE_TYPE: &str = "resource_type";
const ELEMENT_PATH: &str = "element_path";

/// A table of items over a lake.
pub(in crate::query) struct ItemsTable {
    table: &'static ItemTable,
    stored: Arc<Stored>,
}

impl fmt::Debug for ItemsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemsTable").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl ItemsTable {
    /// The table over the session's versions of the lake.
    pub(in crate::query) fn new(table: &'static ItemTable, stored: Arc<Stored>) -> Self {
        Self { table, stored }
    }

    /// The resource types that the filters ask for, each with the places that they ask for.
    async fn places(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<(String, Vec<Place>)>> {
        let mut types = self.stored.resource_types().await.map_err(external)?;
        let of_type = only(filters, &[RESOURCE_TYPE]);
        if let Some(kept) = decided(state, &of_type, &[(RESOURCE_TYPE, &types)])? {
            types = kept_of(types, &kept);
        }
        let of_place = only(filters, &[RESOURCE_TYPE, ELEMENT_PATH]);
        let mut found = Vec::new();
        for resource_type in types {
            let columns = self.stored.lake.resource_table(&resource_type).map_err(external)?.columns;
            let definitions = self.stored.lake.definitions();
            let mut places = place::places(self.table, definitions, &resource_type, &columns);
            let paths: Vec<String> = places.iter().map(|place| place.element_path.clone()).collect();
            let of_paths = vec![resource_type.clone(); paths.len()];
            let known = [(RESOURCE_TYPE, &of_paths), (ELEMENT_PATH, &paths)];
            if let Some(kept) = decided(state, &of_place, &known)? {
                places = kept_of(places, &kept);
            }
            if !places.is_empty() {
                found.push((resource_type, places));
            }
        }
        Ok(found)
    }

    /// The scan of a resource type's table for these places; `None` where it has no rows.
    async fn part(
        &self,
        state: &dyn Session,
        (resource_type, places): (String, Vec<Place>),
        columns: &[usize],
        of_id: &[Expr],
    ) -> Result<Option<(Part, Arc<dyn ExecutionPlan>)>> {
        let Some(table) = self.stored.open(&resource_type).await.map_err(external)? else { return Ok(None) };
        let mut leaves = BTreeSet::new();
        for place in &places {
            // The item itself, so that it is known to be there.
            leaves.insert(place.path().into_iter().map(str::to_owned).collect());
            for column in columns {
                leaves.extend(values::leaves(self.table.columns[*column].source, place));
            }
        }
        if !of_id.is_empty() {
            leaves.insert(vec![ID.to_owned()]);
        }
        let leaves: Vec<Vec<String>> = leaves.into_iter().collect();
        let narrow = table.with_fields(&leaves);
        let schema = narrow.schema();
        let tops: BTreeSet<usize> =
            leaves.iter().map(|leaf| schema.index_of(&leaf[0])).collect::<std::result::Result<_, _>>()?;
        let tops: Vec<usize> = tops.into_iter().collect();
        let scan = narrow.scan(state, Some(&tops), of_id, None).await?;
        if scan.is::<EmptyExec>() {
            return Ok(None);
        }
        let scan =
            scan.repartitioned(state.config().target_partitions(), state.config_options())?.unwrap_or(scan);
        let read = names_of(&scan.schema());
        let scan = match conjunction(of_id.to_vec()) {
            Some(filter) => {
                let columns = DFSchema::try_from(scan.schema())?;
                let filter = state.create_physical_expr(filter, &columns)?;
                Arc::new(FilterExec::try_new(filter, scan)?) as Arc<dyn ExecutionPlan>
            }
            None => scan,
        };
        Ok(Some((Part { resource_type, places, leaves: read }, scan)))
    }
}

/// The filters about these columns alone, with the same answer for the same row.
fn only(filters: &[Expr], columns: &[&str]) -> Vec<Expr> {
    filters.iter().filter(|filter| is_only(filter, columns)).cloned().collect()
}

fn is_only(filter: &Expr, columns: &[&str]) -> bool {
    !filter.is_volatile()
        && filter.column_refs().iter().all(|column| columns.contains(&column.name.as_str()))
        && !filter.column_refs().is_empty()
}

/// Which of these rows the filters keep; `None` where there are no filters.
fn decided(
    state: &dyn Session,
    filters: &[Expr],
    rows: &[(&str, &Vec<String>)],
) -> Result<Option<Vec<bool>>> {
    let Some(filter) = conjunction(filters.to_vec()) else { return Ok(None) };
    let fields = rows.iter().map(|(name, _)| Field::new(*name, DataType::Utf8View, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays =
        rows.iter().map(|(_, texts)| Arc::new(StringViewArray::from_iter_values(texts.iter())) as ArrayRef);
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.collect())?;
    let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
    let kept = filter.evaluate(&batch)?.into_array(batch.num_rows())?;
    let kept = kept.as_boolean();
    Ok(Some((0..kept.len()).map(|row| kept.is_valid(row) && kept.value(row)).collect()))
}

fn kept_of<T>(all: Vec<T>, kept: &[bool]) -> Vec<T> {
    all.into_iter().zip(kept).filter(|(_, kept)| **kept).map(|(one, _)| one).collect()
}

/// The names of all leaves of a schema.
fn names_of(schema: &Schema) -> Vec<String> {
    fn leaves(path: String, data_type: &DataType, found: &mut Vec<String>) {
        match data_type {
            DataType::Struct(fields) => {
                fields
                    .iter()
                    .for_each(|field| leaves(format!("{path}.{}", field.name()), field.data_type(), found));
            }
            DataType::List(item) => leaves(path, item.data_type(), found),
            _ => found.push(path),
        }
    }
    let mut found = Vec::new();
    schema.fields().iter().for_each(|field| leaves(field.name().clone(), field.data_type(), &mut found));
    found
}

#[async_trait]
impl TableProvider for ItemsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match is_only(filter, &[RESOURCE_TYPE, ELEMENT_PATH])
            || is_only(filter, &[ID])
        {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.table.columns.len()).collect());
        let of_id = only(filters, &[ID]);
        let places = self.places(state, filters).await?;
        let parts: Vec<_> = stream::iter(places)
            .map(|places| self.part(state, places, &columns, &of_id))
            .buffered(OPENED_AT_ONCE)
            .try_collect()
            .await?;
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(self.table.schema.project(&columns)?))));
        }
        let partitions = state.config().target_partitions();
        Ok(Arc::new(ItemsExec::new(self.table, columns, parts, partitions)?))
    }
}
