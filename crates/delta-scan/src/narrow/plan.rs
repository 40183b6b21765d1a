//! The needs of a plan, from its root to its scans, and the plan with narrower scans.
//!
//! One invariant: a node that is not known here is given all of its inputs as they were.

use std::sync::Arc;

use arrow_schema::Schema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, Result};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr::{HigherOrderFunction, Sort as SortExpr};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, Join, Limit, LogicalPlan, Projection, Sort, SubqueryAlias, TableScan,
    TableScanBuilder, Unnest, Window,
};

use super::demand::Demand;
use super::need::Need;
use crate::DeltaScan;

/// Whether there is a scan of ours in the plan, and nothing that looks at columns of another plan.
pub(super) fn can_narrow(plan: &LogicalPlan) -> Result<bool> {
    let (mut scans, mut correlated) = (false, false);
    plan.apply_with_subqueries(|node| {
        scans |= matches!(node, LogicalPlan::TableScan(scan) if ours(scan).is_some());
        correlated |= matches!(node, LogicalPlan::RecursiveQuery(_));
        node.apply_expressions(|expr| {
            correlated |= expr.exists(|expr| Ok(is_correlated(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(scans && !correlated)
}

/// Whether an expression takes a value from a plan around its own. Those that DataFusion knows have become joins before.
fn is_correlated(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarSubquery(subquery) => !subquery.outer_ref_columns.is_empty(),
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::OuterReferenceColumn(..) => {
            true
        }
        _ => false,
    }
}

/// The plan with scans that read no more than is needed of what the plan gives.
pub(super) fn narrow(plan: &LogicalPlan, needed: &Demand) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Projection(node) => projection(node, needed),
        LogicalPlan::Filter(node) => {
            let mut of_input = needed.clone();
            of_input.expr(node.input.schema(), &node.predicate, Need::All)?;
            let input = below(&node.input, &of_input)?;
            Ok(LogicalPlan::Filter(Filter::try_new(retype(node.predicate.clone(), input.schema())?, input)?))
        }
        LogicalPlan::Sort(node) => {
            let mut of_input = needed.clone();
            for sort in &node.expr {
                of_input.expr(node.input.schema(), &sort.expr, Need::All)?;
            }
            let input = below(&node.input, &of_input)?;
            let retyped = |sort: &SortExpr| Ok(sort.with_expr(retype(sort.expr.clone(), input.schema())?));
            let expr = node.expr.iter().map(retyped).collect::<Result<_>>()?;
            Ok(LogicalPlan::Sort(Sort { expr, input, fetch: node.fetch }))
        }
        LogicalPlan::Limit(node) => {
            let input = below(&node.input, needed)?;
            Ok(LogicalPlan::Limit(Limit { skip: node.skip.clone(), fetch: node.fetch.clone(), input }))
        }
        LogicalPlan::SubqueryAlias(node) => {
            let input = below(&node.input, needed)?;
            Ok(LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(input, node.alias.clone())?))
        }
        LogicalPlan::Aggregate(node) => aggregate(node),
        LogicalPlan::Window(node) => window(node, needed),
        LogicalPlan::Join(node) => join(node, needed),
        LogicalPlan::Unnest(node) => unnest(node, needed),
        LogicalPlan::TableScan(node) => scan(node, needed),
        other => {
            let whole = |input: LogicalPlan| {
                narrow(&input, &Demand::all(input.schema().fields().len())).map(Transformed::yes)
            };
            other.clone().map_children(whole).data()
        }
    }
}

fn below(input: &LogicalPlan, needed: &Demand) -> Result<Arc<LogicalPlan>> {
    narrow(input, needed).map(Arc::new)
}

/// The parameters of lambdas know their types, which are narrower now. A subquery is a plan of its own.
fn retype(expr: Expr, input: &DFSchema) -> Result<Expr> {
    let retyped = expr.transform_down(|expr| match expr {
        Expr::HigherOrderFunction(HigherOrderFunction { func, args }) => {
            // What gives the list comes first: a function over the answer of another takes its types from it.
            let args = args.into_iter().map(|arg| match arg {
                Expr::Lambda(_) => Ok(arg),
                value => retype(value, input),
            });
            let function = HigherOrderFunction::new(func, args.collect::<Result<_>>()?);
            let function = Expr::HigherOrderFunction(function).resolve_lambda_variables(input)?;
            Ok(Transformed::new(function.data, true, TreeNodeRecursion::Jump))
        }
        Expr::ScalarSubquery(mut subquery) => {
            let given = Demand::all(subquery.subquery.schema().fields().len());
            subquery.subquery = below(&subquery.subquery, &given)?;
            Ok(Transformed::yes(Expr::ScalarSubquery(subquery)))
        }
        other => Ok(Transformed::no(other)),
    });
    retyped.data()
}

fn retype_all(exprs: &[Expr], input: &LogicalPlan) -> Result<Vec<Expr>> {
    exprs.iter().map(|expr| retype(expr.clone(), input.schema())).collect()
}

fn projection(node: &Projection, needed: &Demand) -> Result<LogicalPlan> {
    let schema = node.input.schema();
    let mut of_input = Demand::none(schema.fields().len());
    for (expr, need) in std::iter::zip(&node.expr, &needed.0) {
        of_input.expr(schema, expr, need.clone().unwrap_or(Need::All))?;
    }
    let input = below(&node.input, &of_input)?;
    let exprs = retype_all(&node.expr, &input)?;
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, input)?))
}

fn aggregate(node: &Aggregate) -> Result<LogicalPlan> {
    let schema = node.input.schema();
    let mut of_input = Demand::none(schema.fields().len());
    for expr in node.group_expr.iter().chain(&node.aggr_expr) {
        of_input.expr(schema, expr, Need::All)?;
    }
    let input = below(&node.input, &of_input)?;
    let (groups, aggregates) = (retype_all(&node.group_expr, &input)?, retype_all(&node.aggr_expr, &input)?);
    let schema = Arc::clone(&node.schema);
    Ok(LogicalPlan::Aggregate(Aggregate::try_new_with_schema(input, groups, aggregates, schema)?))
}

fn window(node: &Window, needed: &Demand) -> Result<LogicalPlan> {
    let schema = node.input.schema();
    let mut of_input = Demand(needed.0[..schema.fields().len()].to_vec());
    for expr in &node.window_expr {
        of_input.expr(schema, expr, Need::All)?;
    }
    let input = below(&node.input, &of_input)?;
    let exprs = retype_all(&node.window_expr, &input)?;
    Ok(LogicalPlan::Window(Window::try_new(exprs, input)?))
}

fn join(node: &Join, needed: &Demand) -> Result<LogicalPlan> {
    let (left, right) = (node.left.schema(), node.right.schema());
    let (lefts, rights) = (left.fields().len(), right.fields().len());
    let (mut of_left, mut of_right) = match node.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            (Demand(needed.0[..lefts].to_vec()), Demand::none(rights))
        }
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            (Demand::none(lefts), Demand(needed.0[..rights].to_vec()))
        }
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            (Demand(needed.0[..lefts].to_vec()), Demand(needed.0[lefts..].to_vec()))
        }
    };
    for (of_one, of_other) in &node.on {
        of_left.expr(left, of_one, Need::All)?;
        of_right.expr(right, of_other, Need::All)?;
    }
    if let Some(filter) = &node.filter {
        let both = left.join(right)?;
        let mut of_both = Demand::none(lefts + rights);
        of_both.expr(&both, filter, Need::All)?;
        let (of_one, of_other) = of_both.0.split_at(lefts);
        for (at, need) in of_one.iter().enumerate() {
            need.iter().for_each(|need| of_left.of(at, need.clone()));
        }
        for (at, need) in of_other.iter().enumerate() {
            need.iter().for_each(|need| of_right.of(at, need.clone()));
        }
    }
    let (left, right) = (below(&node.left, &of_left)?, below(&node.right, &of_right)?);
    let on = node.on.iter().map(|(one, other)| {
        Ok((retype(one.clone(), left.schema())?, retype(other.clone(), right.schema())?))
    });
    let on = on.collect::<Result<_>>()?;
    let both = left.schema().join(right.schema())?;
    let filter = node.filter.clone().map(|filter| retype(filter, &both)).transpose()?;
    let joined = Join::try_new(
        left,
        right,
        on,
        filter,
        node.join_type,
        node.join_constraint,
        node.null_equality,
        node.null_aware,
    )?;
    Ok(LogicalPlan::Join(joined))
}

fn unnest(node: &Unnest, needed: &Demand) -> Result<LogicalPlan> {
    let mut of_input = Demand::none(node.input.schema().fields().len());
    for (at, need) in std::iter::zip(&node.dependency_indices, &needed.0) {
        of_input.of(*at, need.clone().unwrap_or(Need::All));
    }
    for &at in &node.struct_type_columns {
        of_input.of(at, Need::All);
    }
    let input = below(&node.input, &of_input)?;
    Ok(LogicalPlan::Unnest(Unnest::try_new(input, node.exec_columns.clone(), node.options.clone())?))
}

/// The scan's provider, if it is ours.
fn ours(scan: &TableScan) -> Option<DeltaScan> {
    source_as_provider(&scan.source).ok()?.downcast_ref::<DeltaScan>().cloned()
}

fn scan(node: &TableScan, needed: &Demand) -> Result<LogicalPlan> {
    let Some(provider) = ours(node) else { return Ok(LogicalPlan::TableScan(node.clone())) };
    let whole = node.source.schema();
    let mut of_table = Demand::none(whole.fields().len());
    for (at, need) in needed.0.iter().enumerate() {
        let column = node.projection.as_ref().map_or(at, |projection| projection[at]);
        of_table.of(column, need.clone().unwrap_or(Need::All));
    }
    let columns = DFSchema::try_from_qualified_schema(node.table_name.clone(), &whole)?;
    for filter in &node.filters {
        of_table.expr(&columns, filter, Need::All)?;
    }
    let narrow = std::iter::zip(whole.fields(), &of_table.0)
        .map(|(field, need)| need.as_ref().map_or_else(|| Arc::clone(field), |need| need.narrow(field)));
    let narrow = Arc::new(Schema::new_with_metadata(narrow.collect::<Vec<_>>(), whole.metadata().clone()));
    if narrow == whole {
        return Ok(LogicalPlan::TableScan(node.clone()));
    }
    let columns = DFSchema::try_from_qualified_schema(node.table_name.clone(), &narrow)?;
    let filters =
        node.filters.iter().map(|filter| retype(filter.clone(), &columns)).collect::<Result<_>>()?;
    let source = provider_as_source(Arc::new(provider.narrowed(narrow)));
    let scan = TableScanBuilder::new(node.table_name.clone(), source)
        .with_projection(node.projection.clone())
        .with_filters(filters)
        .with_fetch(node.fetch)
        .with_statistics_requests(node.statistics_requests.clone())
        .build()?;
    Ok(LogicalPlan::TableScan(scan))
}
