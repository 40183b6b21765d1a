//! Files that a predicate can have no row in, by the statistics of the log.
//!
//! One invariant: a file is left out only where no row of it can be asked for. Statistics are of the whole file, and what
//! holds for all of its rows holds for those that its deletion vector leaves.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use datafusion::arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column as NamedColumn, Result, ScalarValue};
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use crate::snapshot::DataFile;
use crate::statistics::FileStatistics;

/// The files that may have rows for a predicate over columns of this schema.
pub(crate) fn candidates(
    files: Vec<Arc<DataFile>>,
    predicate: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> Result<Vec<Arc<DataFile>>> {
    let mut leaves = Leaves::default();
    let predicate = Arc::clone(predicate).transform_down(|node| leaves.in_place_of(node, schema))?.data;
    let columns = Arc::new(leaves.schema());
    let predicate = PruningPredicateBuilder::new().with_file_schema(columns).try_build(predicate)?;
    if predicate.always_true() {
        return Ok(files);
    }
    let known = Known { leaves: &leaves, files: files.iter().map(|file| &file.statistics).collect() };
    let kept = predicate.prune(&known)?;
    Ok(files.into_iter().zip(kept).filter_map(|(file, kept)| kept.then_some(file)).collect())
}

/// The places in the schema that a predicate looks at. The predicate is about columns alone, so each is made one.
#[derive(Default)]
struct Leaves(Vec<(Vec<String>, DataType)>);

impl Leaves {
    fn in_place_of(
        &mut self,
        node: Arc<dyn PhysicalExpr>,
        schema: &Schema,
    ) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
        let Some(path) = path_of(node.as_ref()) else { return Ok(Transformed::no(node)) };
        let leaf = (path, node.data_type(schema)?);
        let at = self.0.iter().position(|known| *known == leaf).unwrap_or_else(|| {
            self.0.push(leaf);
            self.0.len() - 1
        });
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&at.to_string(), at));
        Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
    }

    fn schema(&self) -> Schema {
        let fields = self.0.iter().enumerate();
        Schema::new(
            fields
                .map(|(at, (_, data_type))| Field::new(at.to_string(), data_type.clone(), true))
                .collect::<Vec<_>>(),
        )
    }
}

/// The fields from a column to what an expression gives, if it is no more than that.
fn path_of(expr: &dyn PhysicalExpr) -> Option<Vec<String>> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return Some(vec![column.name().to_owned()]);
    }
    let function = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(expr)?;
    let (of, names) = function.args().split_first()?;
    let mut path = path_of(of.as_ref())?;
    for name in names {
        let literal = name.downcast_ref::<Literal>()?;
        path.push(literal.value().try_as_str().flatten()?.to_owned());
    }
    Some(path)
}

/// What the log knows about the places.
struct Known<'l> {
    leaves: &'l Leaves,
    files: Vec<&'l FileStatistics>,
}

impl Known<'_> {
    fn bounds(
        &self,
        column: &NamedColumn,
        bound: impl Fn(&FileStatistics, &[&str], &DataType) -> Option<ScalarValue>,
    ) -> Option<ArrayRef> {
        let (path, data_type) = self.leaf(column)?;
        let null = ScalarValue::try_from(data_type).ok()?;
        let values =
            self.files.iter().map(|file| bound(file, &path, data_type).unwrap_or_else(|| null.clone()));
        ScalarValue::iter_to_array(values).ok()
    }

    fn leaf(&self, column: &NamedColumn) -> Option<(Vec<&str>, &DataType)> {
        let (path, data_type) = self.leaves.0.get(column.name.parse::<usize>().ok()?)?;
        Some((path.iter().map(String::as_str).collect(), data_type))
    }
}

impl PruningStatistics for Known<'_> {
    fn min_values(&self, column: &NamedColumn) -> Option<ArrayRef> {
        self.bounds(column, FileStatistics::min)
    }

    fn max_values(&self, column: &NamedColumn) -> Option<ArrayRef> {
        self.bounds(column, FileStatistics::max)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &NamedColumn) -> Option<ArrayRef> {
        let (path, _) = self.leaf(column)?;
        let counts: UInt64Array = self.files.iter().map(|file| file.nulls(&path)).collect();
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts: UInt64Array = self.files.iter().map(|file| file.rows).collect();
        Some(Arc::new(counts))
    }

    fn contained(&self, _: &NamedColumn, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
