//! Keeps the variables of lambdas apart from columns while physical plans are changed.
//!
//! One invariant: a variable's number is beyond that of every column. DataFusion 55 numbers variables after the columns of the
//! input that a lambda was planned over; where plans are merged, the columns that the lambda captures get the numbers of
//! another input, which may be larger, and what a lambda is given is then taken in the wrong order: the query fails, or, where
//! the types are the same, answers wrongly.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result as SqlResult;
use datafusion::physical_expr::expressions::LambdaVariable;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

/// Beyond the number of every column.
const BEYOND_COLUMNS: usize = 1 << 32;

/// The rule. It comes before those that merge plans.
#[derive(Debug)]
pub(super) struct LambdasApart;

impl PhysicalOptimizerRule for LambdasApart {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> SqlResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| match apart_in(&plan)? {
            Some(changed) => Ok(Transformed::yes(changed)),
            None => Ok(Transformed::no(plan)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "lambdas_apart"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The node with its variables renumbered; `None` where it has none.
fn apart_in(plan: &Arc<dyn ExecutionPlan>) -> SqlResult<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let mut changed = false;
        let mut exprs = Vec::with_capacity(projection.expr().len());
        for ProjectionExpr { expr, alias } in projection.expr() {
            let apart = apart(expr)?;
            changed |= apart.transformed;
            exprs.push(ProjectionExpr { expr: apart.data, alias: alias.clone() });
        }
        if changed {
            return Ok(Some(Arc::new(ProjectionExec::try_new(exprs, Arc::clone(projection.input()))?)));
        }
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let apart = apart(filter.predicate())?;
        if apart.transformed {
            let filter = FilterExecBuilder::from(filter).with_predicate(apart.data).build()?;
            return Ok(Some(Arc::new(filter)));
        }
    }
    Ok(None)
}

fn apart(expr: &Arc<dyn PhysicalExpr>) -> SqlResult<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expr).transform(|expr| match expr.downcast_ref::<LambdaVariable>() {
        Some(variable) if variable.index() < BEYOND_COLUMNS => {
            let (number, field) = (BEYOND_COLUMNS + variable.index(), Arc::clone(variable.field()));
            Ok(Transformed::yes(Arc::new(LambdaVariable::new(number, field)) as _))
        }
        _ => Ok(Transformed::no(expr)),
    })
}
