//! `unnest` in a SELECT, as Spark's `LATERAL VIEW`.
//!
//! One invariant: a SELECT takes one list apart. `unnest(generate_series(1, …array_length(list)…))` beside `unnest(list)` is the
//! place of the item; two lists of their own, which would be put side by side, are refused.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, LateralView, ObjectName, Query, Select, Value, Visit, VisitMut,
    Visitor, VisitorMut,
};

use super::Refusal;
use super::patterns::{Pair, pairs, rewritten};

/// What the lateral view and its columns are called: no table has such columns.
const VIEW: &str = "unnested";
const ITEM: &str = "__item";
const PLACE: &str = "__place";

/// Takes lists apart before the SELECT, and not in it.
pub(super) fn as_lateral_view(select: &mut Select) -> Result<(), Refusal> {
    let mut found = Unnested::default();
    let _ = Visit::visit(&select.projection, &mut found);
    let Some(list) = found.lists.first() else {
        return if found.places.is_empty() {
            Ok(())
        } else {
            refused("numbers that are unnested without a list")
        };
    };
    if found.lists.iter().any(|other| other != list) {
        return refused("two lists that are unnested side by side");
    }
    if found.places.iter().any(|place| place != list) {
        return refused("numbers that are unnested beside another list");
    }
    // What these are about is what the list is taken apart to, and not what it is in.
    let plain = !found.has_subquery
        && select.distinct.is_none()
        && select.having.is_none()
        && select.named_window.is_empty()
        && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if !plain {
        return refused("unnest beside a subquery, DISTINCT, GROUP BY, HAVING or WINDOW");
    }
    let (explode, columns) = if found.places.is_empty() {
        ("explode", vec![Ident::new(ITEM)])
    } else {
        ("posexplode", vec![Ident::new(PLACE), Ident::new(ITEM)])
    };
    let mut view = list.clone();
    if let Expr::Function(function) = &mut view {
        function.name = ObjectName::from(Ident::new(explode));
    }
    let _ = VisitMut::visit(&mut select.projection, &mut Replace);
    select.lateral_views.push(LateralView {
        lateral_view: view,
        lateral_view_name: ObjectName::from(Ident::new(VIEW)),
        lateral_col_alias: columns,
        outer: false,
    });
    Ok(())
}

fn refused(what: &str) -> Result<(), Refusal> {
    Err(format!("there is no rule for {what}"))
}

/// A call of a function.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
    Expr::Function(Function {
        name: ObjectName::from(Ident::new(name)),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The list that a call takes apart, as `list(…)`; with `true` where it gives the places of its items.
fn unnested(expr: &Expr) -> Option<(Expr, bool)> {
    let of = |pairs: &[Pair]| rewritten(pairs, expr).ok().flatten();
    static PLACES: LazyLock<Vec<Pair>> = LazyLock::new(|| {
        pairs(&[("unnest(generate_series(1, CAST(array_length($1) AS BIGINT)))", "list($1)")])
    });
    static ITEMS: LazyLock<Vec<Pair>> = LazyLock::new(|| pairs(&[("unnest($1)", "list($1)")]));
    of(&PLACES).map(|list| (list, true)).or_else(|| of(&ITEMS).map(|list| (list, false)))
}

/// What a SELECT's items take apart.
#[derive(Default)]
struct Unnested {
    lists: Vec<Expr>,
    places: Vec<Expr>,
    has_subquery: bool,
}

impl Visitor for Unnested {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.has_subquery = true;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match unnested(expr) {
            Some((list, true)) => self.places.push(list),
            Some((list, false)) => self.lists.push(list),
            None => {}
        }
        ControlFlow::Continue(())
    }
}

/// Puts the columns of the lateral view where lists were taken apart.
struct Replace;

impl VisitorMut for Replace {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let column = |name| Expr::CompoundIdentifier(vec![Ident::new(VIEW), Ident::new(name)]);
        match unnested(expr) {
            Some((_, false)) => *expr = column(ITEM),
            Some((_, true)) => {
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(Expr::BinaryOp {
                        left: Box::new(column(PLACE)),
                        op: BinaryOperator::Plus,
                        right: Box::new(Expr::value(Value::Number("1".to_owned(), false))),
                    }),
                    data_type: DataType::BigInt(None),
                    array: false,
                    format: None,
                };
            }
            None => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Relations, View};

    fn spark(sql: &str) -> Result<String, String> {
        let translated = View::read("x", sql).unwrap().translate(Dialect::Spark, &Relations::default());
        translated
            .map(|sql| sql.split_whitespace().collect::<Vec<_>>().join(" "))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_is_taken_apart_with_the_places_of_its_items() {
        let sql = "SELECT id, unnest(item)['net'] AS net, unnest(generate_series(1, CAST(array_length(item) AS BIGINT))) AS n FROM Claim";
        assert_eq!(
            spark(sql).unwrap(),
            "SELECT id, unnested.__item.net AS net, CAST(unnested.__place + 1 AS BIGINT) AS n FROM Claim \
             LATERAL VIEW posexplode(item) unnested AS __place, __item"
        );
        assert_eq!(
            spark("SELECT unnest([a, b]) AS x FROM t").unwrap(),
            "SELECT unnested.__item AS x FROM t LATERAL VIEW explode(array(a, b)) unnested AS __item"
        );
    }

    #[test]
    fn two_lists_side_by_side_are_refused() {
        for sql in [
            "SELECT unnest(a) AS x, unnest(b) AS y FROM t",
            "SELECT unnest(a) AS x, unnest(generate_series(1, CAST(array_length(b) AS BIGINT))) AS y FROM t",
            "SELECT DISTINCT unnest(a) AS x FROM t",
            "SELECT unnest(a) AS x, (SELECT max(y) FROM u) AS y FROM t",
        ] {
            assert!(spark(sql).unwrap_err().contains("there is no rule for"), "{sql}");
        }
    }
}
