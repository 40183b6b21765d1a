//! What a view's SQL may be made of: the part of the grammar that the rules know.
//!
//! One invariant: what is not named here is refused, whatever the dialect.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, Distinct, Expr, Function, FunctionArguments, GroupByExpr, Join, JoinConstraint,
    JoinOperator, Query, Select, SelectFlavor, SelectItem, SetExpr, SetOperator, SetQuantifier, TableFactor,
    UnaryOperator, Value, Visit, Visitor,
};

use super::Refusal;

/// Checks a query, with all that is in it.
pub(super) fn check(query: &Query) -> Result<(), Refusal> {
    match Visit::visit(query, &mut Grammar) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(what) => Err(format!("there is no rule for {what}")),
    }
}

struct Grammar;

/// Goes on where something holds, and else ends with what it is about.
fn known(holds: bool, what: impl ToString) -> ControlFlow<String> {
    if holds { ControlFlow::Continue(()) } else { ControlFlow::Break(what.to_string()) }
}

impl Visitor for Grammar {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let plain = query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none()
            && query.locks.is_empty()
            && query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty()
            && query.with.as_ref().is_none_or(|with| !with.recursive);
        known(plain, "ORDER BY, LIMIT and what else may follow a query, nor for WITH RECURSIVE")?;
        set(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        let plain = select.optimizer_hints.is_empty()
            && matches!(select.distinct, None | Some(Distinct::Distinct))
            && select.select_modifiers.is_none()
            && select.top.is_none()
            && select.exclude.is_none()
            && select.into.is_none()
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.connect_by.is_empty()
            && matches!(&select.group_by, GroupByExpr::Expressions(_, modifiers) if modifiers.is_empty())
            && select.cluster_by.is_empty()
            && select.distribute_by.is_empty()
            && select.sort_by.is_empty()
            && select.qualify.is_none()
            && select.value_table_mode.is_none()
            && select.flavor == SelectFlavor::Standard;
        known(plain, "a clause of a SELECT that is none of FROM, WHERE, GROUP BY, HAVING and WINDOW")?;
        for item in &select.projection {
            let plain = matches!(
                item,
                SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } | SelectItem::Wildcard(_)
            );
            known(plain, item)?;
        }
        for Join { join_operator, .. } in select.from.iter().flat_map(|from| &from.joins) {
            known(join(join_operator), format!("a join of the kind {join_operator:?}"))?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        let plain = match factor {
            TableFactor::Table {
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
                ..
            } => with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty(),
            TableFactor::Derived { lateral: false, sample: None, .. } => true,
            _ => false,
        };
        known(plain, factor)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        known(expression(expr), expr)
    }
}

/// Which rows are put together, and how.
fn set(body: &SetExpr) -> ControlFlow<String> {
    match body {
        // The queries and selects in it are visited by themselves.
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            let plain = matches!(
                (op, set_quantifier),
                (SetOperator::Union, SetQuantifier::All)
                    | (
                        SetOperator::Union | SetOperator::Except,
                        SetQuantifier::None | SetQuantifier::Distinct
                    )
            );
            known(plain, format!("{op} {set_quantifier}"))?;
            set(left)?;
            set(right)
        }
        other => ControlFlow::Break(other.to_string()),
    }
}

fn join(operator: &JoinOperator) -> bool {
    use JoinOperator::{FullOuter, Inner, Join, Left, LeftAnti, LeftOuter, LeftSemi};
    match operator {
        Join(on) | Inner(on) | Left(on) | LeftOuter(on) | FullOuter(on) | LeftAnti(on) | LeftSemi(on) => {
            matches!(on, JoinConstraint::On(_))
        }
        _ => false,
    }
}

fn expression(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::CompoundFieldAccess { .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::Between { .. }
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Exists { .. }
        | Expr::Subquery(_)
        | Expr::Nested(_)
        | Expr::Case { .. }
        | Expr::Array(_)
        | Expr::Lambda(_) => true,
        Expr::Like { any, escape_char, .. } => !any && escape_char.is_none(),
        Expr::Trim { trim_where, trim_what, trim_characters, .. } => {
            trim_where.is_none() && trim_what.is_none() && trim_characters.is_none()
        }
        Expr::Substring { special, substring_from, .. } => *special && substring_from.is_some(),
        Expr::UnaryOp { op, .. } => matches!(op, UnaryOperator::Not | UnaryOperator::Minus),
        Expr::Value(value) => {
            matches!(
                value.value,
                Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null
            )
        }
        Expr::Cast { kind, array, format, .. } => {
            matches!(kind, CastKind::Cast | CastKind::TryCast) && !array && format.is_none()
        }
        Expr::BinaryOp { left, op, right } => match op {
            // Of two whole numbers, some engines give a whole number, and some do not.
            BinaryOperator::Divide => is_fractional(left) || is_fractional(right),
            _ => operator(op),
        },
        Expr::Function(called) => function(called),
        _ => false,
    }
}

/// Whether an expression is seen to be no whole number.
fn is_fractional(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(&value.value, Value::Number(digits, _) if digits.contains('.')))
}

fn operator(op: &BinaryOperator) -> bool {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, Minus, Multiply, NotEq, Or, Plus, StringConcat};
    matches!(op, And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq | Plus | Minus | Multiply | StringConcat)
}

fn function(function: &Function) -> bool {
    let plain = !function.uses_odbc_syntax
        && function.parameters == FunctionArguments::None
        && function.filter.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty();
    // The order of an aggregate's rows is said in its argument list: not every engine can.
    plain && matches!(&function.args, FunctionArguments::List(list) if list.clauses.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::View;

    #[test]
    fn what_no_rule_knows_is_refused() {
        for (sql, said) in [
            ("SELECT first_value(a ORDER BY b) FROM t", "first_value(a ORDER BY b)"),
            ("SELECT a FROM t ORDER BY a", "ORDER BY, LIMIT"),
            ("SELECT a / 2 FROM t", "a / 2"),
            ("SELECT a % 2 FROM t", "a % 2"),
            ("SELECT a FROM t QUALIFY a = 1", "a clause of a SELECT"),
            ("SELECT a FROM t INTERSECT SELECT a FROM u", "INTERSECT"),
            ("SELECT a FROM t RIGHT JOIN u ON true", "a join of the kind"),
            ("SELECT EXTRACT(YEAR FROM a) FROM t", "EXTRACT(YEAR FROM a)"),
            ("DELETE FROM t", "it is not one SELECT"),
        ] {
            let error = View::read("x", sql).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("the view x cannot be read"), "{sql}: {error}");
        }
    }
}
