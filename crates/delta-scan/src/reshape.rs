//! Nested columns of files that were written before a field was added, where a query asks for the new fields alone.
//!
//! DataFusion casts a struct of a file to the struct of a query by the names of the fields, and refuses where they have no
//! name in common, which is a safeguard against mistakes. With narrowed structs it is a thing of every day. Such columns are
//! given the shape of the query here: what the file does not have is null, and lists keep their lengths.
//!
//! One invariant: a field is found by its name, or it is null.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray, new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::expressions::{Column, Literal, lit};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

/// Adapts expressions over the columns of a scan to those of a file.
#[derive(Debug)]
pub(crate) struct ReshapingFactory;

impl PhysicalExprAdapterFactory for ReshapingFactory {
    fn create(&self, wanted: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let apart = |field: &FieldRef| match file.field_with_name(field.name()) {
            Ok(has) if nothing_shared(has.data_type(), field.data_type()) => Some(Arc::new(has.clone())),
            _ => None,
        };
        let strange: Vec<FieldRef> = wanted.fields().iter().filter_map(&apart).collect();
        if strange.is_empty() {
            return DefaultPhysicalExprAdapterFactory.create(wanted, file);
        }
        // Casting is left to the usual adapter, which must find nothing to do with the others.
        let usual = wanted.fields().iter().map(|field| apart(field).unwrap_or_else(|| Arc::clone(field)));
        let usual = Arc::new(Schema::new(usual.collect::<Vec<_>>()));
        let usual = DefaultPhysicalExprAdapterFactory.create(usual, Arc::clone(&file))?;
        Ok(Arc::new(Reshaping { strange: Schema::new(strange), wanted, usual }))
    }
}

/// Whether there is a struct on either side, at the same place, that has no field in common with the other.
fn nothing_shared(has: &DataType, wanted: &DataType) -> bool {
    match (has, wanted) {
        (DataType::Struct(has), DataType::Struct(wanted)) => {
            let mut shared =
                has.iter().filter_map(|has| wanted.find(has.name()).map(|(_, wanted)| (has, wanted)));
            let any = shared.clone().next().is_some();
            !any || shared.any(|(has, wanted)| nothing_shared(has.data_type(), wanted.data_type()))
        }
        (DataType::List(has), DataType::List(wanted)) => nothing_shared(has.data_type(), wanted.data_type()),
        _ => false,
    }
}

#[derive(Debug)]
struct Reshaping {
    /// The columns to be reshaped, as the file has them.
    strange: Schema,
    wanted: SchemaRef,
    usual: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for Reshaping {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let reshaped = expr.transform_down(|node| self.reshape(node)).data()?;
        self.usual.rewrite(reshaped)
    }
}

impl Reshaping {
    fn reshape(&self, node: Arc<dyn PhysicalExpr>) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
        if let Some(column) = node.downcast_ref::<Column>()
            && self.strange.field_with_name(column.name()).is_ok()
        {
            return Ok(done(Reshape::of(Arc::clone(&node), column_type(&self.wanted, column)?)));
        }
        // A predicate that goes down to the decoder may look at single fields only, and must not be lost.
        if let Some((column, path)) = field_of_column(node.as_ref())
            && let Ok(has) = self.strange.field_with_name(column.name())
        {
            let wanted = node.data_type(&self.wanted)?;
            return Ok(match at(has, &path) {
                None => done(lit(ScalarValue::try_from(&wanted)?)),
                Some(has) if *has.data_type() == wanted => {
                    Transformed::new(node, false, TreeNodeRecursion::Jump)
                }
                Some(_) => done(Reshape::of(node, wanted)),
            });
        }
        Ok(Transformed::no(node))
    }
}

fn done(expr: Arc<dyn PhysicalExpr>) -> Transformed<Arc<dyn PhysicalExpr>> {
    Transformed::new(expr, true, TreeNodeRecursion::Jump)
}

fn column_type(schema: &Schema, column: &Column) -> Result<DataType> {
    Ok(schema.field_with_name(column.name())?.data_type().clone())
}

fn at<'f>(field: &'f Field, path: &[String]) -> Option<&'f Field> {
    path.iter().try_fold(field, |field, name| match field.data_type() {
        DataType::Struct(fields) => fields.find(name).map(|(_, field)| field.as_ref()),
        _ => None,
    })
}

/// The column and the fields of an expression that is a field of a struct of a column.
fn field_of_column(expr: &dyn PhysicalExpr) -> Option<(&Column, Vec<String>)> {
    let function = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(expr)?;
    let (of, names) = function.args().split_first()?;
    let (column, mut path) = match of.downcast_ref::<Column>() {
        Some(column) => (column, Vec::new()),
        None => field_of_column(of.as_ref())?,
    };
    for name in names {
        path.push(name.downcast_ref::<Literal>()?.value().try_as_str().flatten()?.to_owned());
    }
    Some((column, path))
}

/// An expression whose value is given another shape.
#[derive(Debug, Eq)]
struct Reshape {
    of: Arc<dyn PhysicalExpr>,
    wanted: DataType,
}

impl Reshape {
    fn of(of: Arc<dyn PhysicalExpr>, wanted: DataType) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { of, wanted })
    }
}

impl PartialEq for Reshape {
    fn eq(&self, other: &Self) -> bool {
        self.of.eq(&other.of) && self.wanted == other.wanted
    }
}

impl Hash for Reshape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.hash(state);
        self.wanted.hash(state);
    }
}

impl fmt::Display for Reshape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reshape({})", self.of)
    }
}

impl PhysicalExpr for Reshape {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.wanted.clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.of.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(reshaped(&array, &self.wanted)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.of]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let of = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.of));
        Ok(Self::of(of, self.wanted.clone()))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reshape(")?;
        self.of.fmt_sql(f)?;
        write!(f, ")")
    }
}

/// The values in another shape: fields by their names, null where there is none.
fn reshaped(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), wanted) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let has = array.as_struct();
            let columns = fields.iter().map(|field| match has.column_by_name(field.name()) {
                Some(column) => reshaped(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), has.len())),
            });
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let nulls = has.nulls().cloned();
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, has.len())?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let has = array.as_list::<i32>();
            let values = reshaped(has.values(), item.data_type())?;
            let nulls = has.nulls().cloned();
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), has.offsets().clone(), values, nulls)?))
        }
        (has, wanted) if has == wanted => Ok(Arc::clone(array)),
        (_, wanted) => Ok(cast(array, wanted)?),
    }
}
