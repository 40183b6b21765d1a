//! Keeps filters from reaching another column than theirs as they are pushed from plan to plan.
//!
//! One invariant: no filter is pushed through a plan that has, or reads from one input or from several, two columns of one name.
//! DataFusion 55 looks for the columns of a filter by name as it pushes it from a plan into its input, and takes the first: after a
//! join both tables have an `id`, and `… RIGHT JOIN … WHERE encounter.id IS NULL`, or the limit of `ORDER BY … LIMIT`, fell on the ids
//! of the other table, whose rows were then missing from the answer (<https://github.com/apache/datafusion/pull/25259>, which is in no
//! release yet). What is not pushed is filtered where it stands. Scans below such plans still get the filters right above them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};

use super::lambdas::LambdasApart;

/// What the names of the rules that push filters begin with: one does before a plan is shared between threads, one after.
const PUSHES: &str = "FilterPushdown";

/// DataFusion's rules for physical plans, without their errors.
pub(super) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let guarded =
        PhysicalOptimizer::new().rules.into_iter().map(|rule| match rule.name().starts_with(PUSHES) {
            true => Arc::new(Guarded(rule)) as _,
            false => rule,
        });
    [Arc::new(LambdasApart) as _].into_iter().chain(guarded).collect()
}

/// A rule that pushes filters, and none past a [`Barrier`].
#[derive(Debug)]
struct Guarded(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for Guarded {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let guarded = plan.transform_up(|plan| {
            let is_unsafe = names_twice(&[plan.schema()]) || reads_twice(&plan);
            Ok(match is_unsafe {
                true => Transformed::yes(Arc::new(Barrier { input: plan }) as _),
                false => Transformed::no(plan),
            })
        });
        let pushed = self.0.optimize(guarded.data()?, config)?;
        let opened = pushed.transform_up(|plan| {
            Ok(match plan.downcast_ref::<Barrier>() {
                Some(barrier) => Transformed::yes(Arc::clone(&barrier.input)),
                None => Transformed::no(plan),
            })
        });
        opened.data()
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether what a plan reads has two columns of one name. The inputs of a union have the same names, each its own column; those of a
/// join are told from each other by name where the filter of a key goes to both.
fn reads_twice(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let inputs: Vec<SchemaRef> = plan.children().iter().map(|child| child.schema()).collect();
    match plan.is::<UnionExec>() {
        true => inputs.iter().any(|input| names_twice(std::slice::from_ref(input))),
        false => names_twice(&inputs),
    }
}

fn names_twice(schemas: &[SchemaRef]) -> bool {
    let mut seen = HashSet::new();
    !schemas.iter().flat_map(|schema| schema.fields()).all(|field| seen.insert(field.name()))
}

/// A plan that takes no filter from above: what a plan does by itself. It is there while a rule runs.
#[derive(Debug)]
struct Barrier {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Barrier {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier")
    }
}

impl ExecutionPlan for Barrier {
    fn name(&self) -> &'static str {
        "Barrier"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return internal_err!("a barrier is before one plan");
        };
        Ok(Arc::new(Self { input }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_that_pushes_filters_is_guarded() {
        let is_guarded =
            |rule: &Arc<dyn PhysicalOptimizerRule + Send + Sync>| format!("{rule:?}").starts_with("Guarded");
        let guarded: Vec<String> =
            rules().iter().filter(|rule| is_guarded(rule)).map(|rule| rule.name().to_owned()).collect();
        assert_eq!(guarded, ["FilterPushdown", "FilterPushdown(Post)"]);
    }
}
