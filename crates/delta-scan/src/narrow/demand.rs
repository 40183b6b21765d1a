//! What an expression needs of the columns that it is about.
//!
//! One invariant: an expression that is not known here needs all of every column in it.

use arrow_schema::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::functions_nested::array_any_match::ArrayAnyMatch;
use datafusion::functions_nested::array_filter::ArrayFilter;
use datafusion::functions_nested::array_transform::ArrayTransform;
use datafusion::functions_nested::cardinality::Cardinality;
use datafusion::functions_nested::empty::ArrayEmpty;
use datafusion::functions_nested::extract::ArrayElement;
use datafusion::functions_nested::flatten::Flatten;
use datafusion::functions_nested::length::ArrayLength;
use datafusion::functions_nested::reverse::ArrayReverse;
use datafusion::logical_expr::expr::{HigherOrderFunction, Lambda, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::need::Need;
use super::reads::ReadsFields;

/// What is needed of the columns of a schema, each by its place. None: nobody has asked.
#[derive(Debug, Clone)]
pub(super) struct Demand(pub(super) Vec<Option<Need>>);

impl Demand {
    /// Nothing of so many columns.
    pub(super) fn none(columns: usize) -> Self {
        Self(vec![None; columns])
    }

    /// All of so many columns.
    pub(super) fn all(columns: usize) -> Self {
        Self(vec![Some(Need::All); columns])
    }

    /// Needs something of a column.
    pub(super) fn of(&mut self, column: usize, need: Need) {
        match &mut self.0[column] {
            Some(known) => known.grow(need),
            slot => *slot = Some(need),
        }
    }

    /// Needs what an expression needs of its columns, if this is needed of its value.
    pub(super) fn expr(&mut self, schema: &DFSchema, expr: &Expr, need: Need) -> Result<()> {
        Walk { demand: self, schema, variables: Vec::new() }.expr(expr, need)
    }
}

/// A walk through an expression.
struct Walk<'d> {
    demand: &'d mut Demand,
    schema: &'d DFSchema,
    /// The parameters of the lambdas around, the innermost last, with what is needed of each.
    variables: Vec<(String, Option<Need>)>,
}

impl Walk<'_> {
    fn expr(&mut self, expr: &Expr, need: Need) -> Result<()> {
        match expr {
            Expr::Column(column) => {
                let at = self.schema.index_of_column(column)?;
                self.demand.of(at, need);
                Ok(())
            }
            Expr::LambdaVariable(variable) => {
                if let Some((_, known)) =
                    self.variables.iter_mut().rev().find(|(name, _)| *name == variable.name)
                {
                    match known {
                        Some(known) => known.grow(need),
                        None => *known = Some(need),
                    }
                }
                Ok(())
            }
            Expr::Alias(alias) => self.expr(&alias.expr, need),
            Expr::IsNull(of) | Expr::IsNotNull(of) => self.expr(of, Need::shape()),
            Expr::ScalarFunction(function) => self.function(expr, function, need),
            Expr::HigherOrderFunction(function) => self.higher_order(expr, function, need),
            _ => self.children(expr),
        }
    }

    /// All of everything in it.
    fn children(&mut self, expr: &Expr) -> Result<()> {
        expr.apply_children(|child| {
            self.expr(child, Need::All)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn function(&mut self, expr: &Expr, function: &ScalarFunction, need: Need) -> Result<()> {
        let known = function.func.inner();
        let Some((first, others)) = function.args.split_first() else { return Ok(()) };
        let need = if known.is::<GetFieldFunc>() {
            match path(others) {
                Some(path) if self.is_struct(first) => need.under(path.into_iter()),
                _ => Need::All,
            }
        } else if known.is::<ArrayElement>() || known.is::<ArrayReverse>() || known.is::<Flatten>() {
            need
        } else if known.is::<ArrayLength>() || known.is::<Cardinality>() || known.is::<ArrayEmpty>() {
            Need::shape()
        } else if let Some(function) = known.downcast_ref::<ReadsFields>() {
            match first.get_type(self.schema) {
                Ok(data_type) => function.need(&data_type, 1 + others.len(), need),
                Err(_) => Need::All,
            }
        } else {
            return self.children(expr);
        };
        self.expr(first, need)?;
        others.iter().try_for_each(|other| self.expr(other, Need::All))
    }

    fn is_struct(&self, expr: &Expr) -> bool {
        matches!(expr.get_type(self.schema), Ok(DataType::Struct(_)))
    }

    /// `array_filter(list, element -> …)` and its like: the list is needed as far as the lambda needs its elements.
    fn higher_order(&mut self, expr: &Expr, function: &HigherOrderFunction, need: Need) -> Result<()> {
        let known = function.func.inner().as_ref() as &dyn std::any::Any;
        let [list, Expr::Lambda(lambda)] = function.args.as_slice() else { return self.children(expr) };
        let (of_list, of_body) = if known.is::<ArrayFilter>() {
            (need, Need::All)
        } else if known.is::<ArrayTransform>() {
            (Need::shape(), need)
        } else if known.is::<ArrayAnyMatch>() {
            (Need::shape(), Need::All)
        } else {
            return self.children(expr);
        };
        let Some(mut of_list) = self.lambda(lambda, of_body, of_list)? else { return self.children(expr) };
        of_list.grow(Need::shape());
        self.expr(list, of_list)
    }

    /// What a lambda needs of the elements; none where it has other parameters than the element and its place.
    fn lambda(&mut self, lambda: &Lambda, of_body: Need, of_list: Need) -> Result<Option<Need>> {
        let Some(element) = lambda.params.first() else { return Ok(None) };
        let around = self.variables.len();
        self.variables.extend(lambda.params.iter().map(|name| (name.clone(), None)));
        self.expr(&lambda.body, of_body)?;
        let of_element = self.variables.drain(around..).find(|(name, _)| name == element);
        let mut need = of_list;
        if let Some((_, Some(of_element))) = of_element {
            need.grow(of_element);
        }
        Ok(Some(need))
    }
}

/// The names of fields, if that is what they are.
fn path(names: &[Expr]) -> Option<Vec<&str>> {
    names
        .iter()
        .map(|name| match name {
            Expr::Literal(value, _) => value.try_as_str().flatten(),
            _ => None,
        })
        .collect()
}
