//! An optimizer rule: scans read the fields of nested columns that the plan uses, and no others.
//!
//! DataFusion reads single fields of structs. FHIR's columns are lists of structs of lists, and there it reads all. Here the
//! needs of a plan are followed down from what it gives, through lists, `unnest` and lambdas, to the scans. A scan is given a
//! schema that lacks what nobody needs, and the plan above is built again with the narrower types.
//!
//! One invariant: the plan gives the same rows and types as before.

mod demand;
mod need;
mod plan;
mod reads;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use self::demand::Demand;
pub(crate) use self::need::Need;
pub use self::reads::ReadsFields;

/// Narrows the nested columns of every [`DeltaScan`](crate::DeltaScan) of a plan to the fields that the plan uses.
///
/// It has to be the last rule, when filters and projections have found their places:
/// `SessionStateBuilder::new().with_default_features().with_optimizer_rule(Arc::new(NarrowNested))`.
#[derive(Debug, Default)]
pub struct NarrowNested;

impl OptimizerRule for NarrowNested {
    fn name(&self) -> &str {
        "narrow_nested"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !plan::can_narrow(&plan)? {
            return Ok(Transformed::no(plan));
        }
        let given = Demand::all(plan.schema().fields().len());
        let narrow = plan::narrow(&plan, &given)?;
        let same = narrow.schema().as_arrow() == plan.schema().as_arrow();
        // What gives other types would be a mistake of ours, and the plan is right as it is.
        debug_assert!(same, "narrowing has changed what a plan gives:\n{plan}\n{narrow}");
        Ok(if same && narrow != plan { Transformed::yes(narrow) } else { Transformed::no(plan) })
    }
}
