//! What the parser of SQL groups otherwise than SQL does.
//!
//! One invariant: a statement means what SQL says that it means, or is refused. sqlparser 0.62 takes all that follows
//! `IS [NOT] DISTINCT FROM` for its right side: `a IS DISTINCT FROM b AND c` would be `a IS DISTINCT FROM (b AND c)`, and have other rows.

use std::ops::ControlFlow;

use datafusion::config::Dialect;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, visit_expressions};

/// Plans a statement that means what it says.
///
/// # Errors
/// [`DataFusionError::Plan`] with what to write for a statement that would be taken for another; those of the parser and the planner.
pub(super) async fn planned(state: &SessionState, sql: &str) -> Result<LogicalPlan> {
    let statement = state.sql_to_statement(sql, &Dialect::Databricks)?;
    check(&statement)?;
    state.statement_to_plan(statement).await
}

/// Refuses a statement that would be taken for another.
fn check(statement: &Statement) -> Result<()> {
    let statement = match statement {
        Statement::Statement(statement) => statement,
        Statement::Explain(explain) => return check(&explain.statement),
        _ => return Ok(()),
    };
    let found = visit_expressions(statement.as_ref(), |expression| match expression {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) if is_condition(right) => {
            ControlFlow::Break(expression.to_string())
        }
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(expression) => Err(DataFusionError::Plan(format!(
            "{expression}: all that follows IS [NOT] DISTINCT FROM would be its right side: put parentheses around the comparison, as in \
             (a IS DISTINCT FROM b) AND c, or around the right side"
        ))),
    }
}

/// Whether an expression is one that binds less than the comparison before it.
fn is_condition(expression: &Expr) -> bool {
    match expression {
        Expr::BinaryOp { op, .. } => matches!(
            op,
            BinaryOperator::And
                | BinaryOperator::Or
                | BinaryOperator::Xor
                | BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
                | BinaryOperator::Spaceship
        ),
        Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::SimilarTo { .. }
        | Expr::RLike { .. }
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn checked(condition: &str) -> Result<()> {
        let statements = DFParser::parse_sql(&format!("EXPLAIN SELECT 1 FROM t WHERE {condition}")).unwrap();
        statements.iter().try_for_each(check)
    }

    #[test]
    fn what_follows_a_comparison_of_distinct_values_is_refused() {
        for condition in [
            "a IS DISTINCT FROM b AND c",
            "a IS NOT DISTINCT FROM b OR c",
            "x = 1 AND a IS DISTINCT FROM 1 = c",
        ] {
            let error = checked(condition).unwrap_err().to_string();
            assert!(error.contains("(a IS DISTINCT FROM b) AND c"), "{error}");
        }
        for condition in [
            "(a IS DISTINCT FROM b) AND c",
            "c AND a IS DISTINCT FROM b",
            "a IS NOT DISTINCT FROM b + 1",
            "a IS DISTINCT FROM (b AND c)",
        ] {
            assert!(checked(condition).is_ok(), "{condition}");
        }
    }
}
