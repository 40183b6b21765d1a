//! What the views' SQL leaves unsaid or has of its own, said in full, for every dialect alike.
//!
//! One invariant: it is the same query, in the dialect that the views are written in and a few functions that only the rules know:
//! `joined_text(list, separator)`, NULL for a list without texts, and `is_part(text, separator, part)`.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use sqlparser::ast::{
    Expr, Function, NamedWindowExpr, OrderByExpr, Query, Select, VisitMut, VisitorMut, WindowType,
};

use super::Refusal;
use super::patterns::{Pair, pairs, rewritten};

/// What is written in other words.
static EXPANSIONS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    pairs(&[
        ("conditional_reference($1)", &search("")),
        ("conditional_reference($1, $2)", &search(", $2")),
        ("nullif(array_to_string($1, $2), '')", "joined_text($1, $2)"),
        ("array_has(string_to_array($1, $2), $3)", "is_part($1, $2, $3)"),
    ])
});

/// A Reference as the search by identifier that it stands for; `element_type` is the type of one that says none.
fn search(element_type: &str) -> String {
    format!(
        "CASE
          WHEN $1['reference'] LIKE '%?identifier=%'
          THEN $1['__reference_type'] || '?identifier=' || percent_decode(substr($1['reference'], instr($1['reference'], '?identifier=') + 12))
          ELSE coalesce($1['__reference_type'], $1['type']{element_type}) || '?identifier=' || coalesce($1['identifier']['system'], '') || '|' || $1['identifier']['value']
        END"
    )
}

/// Says everything in full.
pub(super) fn expand(query: &mut Query) -> Result<(), Refusal> {
    match VisitMut::visit(query, &mut Expand) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

struct Expand;

impl VisitorMut for Expand {
    type Break = Refusal;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Refusal> {
        for window in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(window) = &mut window.1 {
                window.order_by.iter_mut().for_each(say_where_nulls_are);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        if let Expr::Function(Function { over: Some(WindowType::WindowSpec(window)), .. }) = expr {
            window.order_by.iter_mut().for_each(say_where_nulls_are);
        }
        match rewritten(&EXPANSIONS, expr) {
            Ok(Some(expanded)) => *expr = expanded,
            Ok(None) => {}
            Err(refusal) => return ControlFlow::Break(refusal),
        }
        ControlFlow::Continue(())
    }
}

/// Engines do not agree on where NULL is among other values. For us it is the largest.
fn say_where_nulls_are(key: &mut OrderByExpr) {
    let ascending = key.options.asc.unwrap_or(true);
    key.options.nulls_first.get_or_insert(!ascending);
}
