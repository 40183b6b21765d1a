//! What a query says of a view's columns, said of the resources: `WHERE id = …` reads the files that may have that id.
//!
//! The one invariant: a row of the view that fulfils the query's condition comes from a resource that fulfils the condition made
//! of it. The rows are asked again, so the other way round does not matter.

use std::collections::{BTreeSet, HashMap};

use arrow_schema::{DataType, Schema};
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{Expr, Operator};

use crate::expression::{Expression, Function, Step};
use crate::types::{Site, Type};
use crate::view::{Select, View};

/// The columns of a view that are columns of the resources, or fields of theirs.
pub(crate) struct Sources(HashMap<String, Source>);

struct Source {
    /// The column, and the way into it.
    path: Vec<String>,
    /// Whether the two are always equal. If not, the view's column is equal to it or has no value.
    is_same: bool,
}

impl Sources {
    /// Those of a view over a table with these columns.
    pub(crate) fn of(view: &View, columns: &Schema) -> Self {
        let mut sources = HashMap::new();
        add(&view.select, view, columns, &mut sources);
        Self(sources)
    }

    /// Without those that may have values elsewhere: what a column cannot hold is in `__rest`, and in the view if it reads that.
    pub(crate) fn only_read(mut self, leaves: &BTreeSet<Vec<String>>) -> Self {
        let rest = leaves.iter().any(|path| path.first().is_some_and(|name| name == "__rest"));
        self.0.retain(|_, source| leaves.contains(&source.path) && (!rest || source.path == ["id"]));
        self
    }

    /// The conditions that can be said of the resources.
    pub(crate) fn all(&self, filters: &[Expr]) -> Vec<Expr> {
        filters.iter().filter_map(|filter| self.said_of_resources(filter)).collect()
    }

    /// A condition, said of the resources; `None` where that cannot be.
    pub(crate) fn said_of_resources(&self, filter: &Expr) -> Option<Expr> {
        let is_known = |expr: &Expr| match expr {
            Expr::Column(column) => self.0.contains_key(&column.name),
            other => is_plain(other),
        };
        if filter.exists(|expr| Ok(!is_known(expr))).ok()? {
            return None;
        }
        let all_same = filter.column_refs().into_iter().all(|column| self.0[&column.name].is_same);
        if !all_same && !needs_a_value(filter) {
            return None;
        }
        let said = filter.clone().transform(|expr| match expr {
            Expr::Column(column) => Ok(Transformed::yes(self.0[&column.name].expr())),
            other => Ok(Transformed::no(other)),
        });
        said.ok().map(|said| said.data)
    }
}

impl Source {
    fn expr(&self) -> Expr {
        let mut path = self.path.iter();
        let column = Expr::Column(Column::new_unqualified(path.next().cloned().unwrap_or_default()));
        path.fold(column, |of, name| get_field(of, name.as_str()))
    }
}

/// Whether an expression can be asked of resources that the view has no row for: nothing in it fails.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => matches!(
            binary.op,
            Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
                | Operator::And
                | Operator::Or
        ),
        Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::InList(_)
        | Expr::Between(_)
        | Expr::Like(_) => true,
        _ => false,
    }
}

/// Whether a condition on one column is not true of NULL.
fn needs_a_value(filter: &Expr) -> bool {
    let column_and_literal = |one: &Expr, other: &Expr| {
        matches!((one, other), (Expr::Column(_), Expr::Literal(..)) | (Expr::Literal(..), Expr::Column(_)))
    };
    match filter {
        Expr::BinaryExpr(binary) => {
            let compares = matches!(
                binary.op,
                Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
            );
            compares && column_and_literal(&binary.left, &binary.right)
        }
        Expr::InList(list) => {
            !list.negated
                && matches!(*list.expr, Expr::Column(_))
                && list.list.iter().all(|item| matches!(item, Expr::Literal(..)))
        }
        _ => false,
    }
}

/// Of the columns that are evaluated on the resource itself.
fn add(select: &Select, view: &View, columns: &Schema, to: &mut HashMap<String, Source>) {
    if select.iterate.is_some() {
        return;
    }
    for column in &select.columns {
        let schema = view.schema();
        let field = schema.field(column.at);
        let source = source(&column.part.expression, columns);
        if let Some((source, _)) = source.filter(|(_, data_type)| data_type == field.data_type()) {
            to.insert(field.name().clone(), source);
        }
    }
    select.selects.iter().for_each(|select| add(select, view, columns, to));
}

fn source(expression: &Expression, columns: &Schema) -> Option<(Source, DataType)> {
    let (path, is_same) = match &expression.step {
        Step::Call { from, function: Function::ReferenceKey(_), .. } => {
            let mut path = path(from)?;
            path.push("__reference_id".to_owned());
            (path, false)
        }
        _ => (path(expression)?, true),
    };
    let data_type = type_at(&path, columns)?;
    Some((Source { path, is_same }, data_type))
}

/// The way of elements from the resource, where each has a column.
fn path(expression: &Expression) -> Option<Vec<String>> {
    match &expression.step {
        Step::This => Some(Vec::new()),
        Step::Element { from, choices } => {
            let [choice] = choices.as_slice() else { return None };
            let mut path = path(from)?;
            let site = match &from.of {
                Type::Complex(complex) => complex.sites.as_slice(),
                _ => return None,
            };
            let [Site::Columns(fields, _)] = site else { return None };
            fields.find(&choice.json)?;
            path.push(choice.json.clone());
            Some(path)
        }
        _ => None,
    }
}

/// The type of a field that is in no list.
fn type_at(path: &[String], columns: &Schema) -> Option<DataType> {
    let (column, fields) = path.split_first()?;
    let mut data_type = columns.field_with_name(column).ok()?.data_type();
    for name in fields {
        let DataType::Struct(fields) = data_type else { return None };
        data_type = fields.find(name)?.1.data_type();
    }
    Some(data_type.clone())
}
