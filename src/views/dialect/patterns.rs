//! Pairs of expressions: what matches the first becomes the second, with what `$1`, `$2`, … stand for. `$rest` stands for all
//! arguments of a function.
//!
//! One invariant: trees are matched and made, never texts, so an expression keeps its meaning wherever it is put.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, Visit, VisitMut, Visitor,
    VisitorMut,
};
use sqlparser::dialect::DatabricksDialect;
use sqlparser::parser::Parser;

use super::Refusal;

const REST: &str = "$rest";

/// A pair.
#[derive(Debug)]
pub(super) struct Pair {
    pattern: Expr,
    template: Expr,
}

/// Reads pairs that are written into the program.
pub(super) fn pairs(texts: &[(&str, &str)]) -> Vec<Pair> {
    let read = |text: &str| -> Expr {
        let parsed =
            Parser::new(&DatabricksDialect {}).try_with_sql(text).and_then(|mut parser| parser.parse_expr());
        parsed.expect("the pairs of this module's callers are constants, and a test reads them all")
    };
    texts
        .iter()
        .map(|(pattern, template)| Pair { pattern: read(pattern), template: read(template) })
        .collect()
}

/// What the first pair that matches makes of an expression.
pub(super) fn rewritten(pairs: &[Pair], expr: &Expr) -> Result<Option<Expr>, Refusal> {
    for pair in pairs {
        let mut found = Found::default();
        if matches(&pair.pattern, expr, &mut found) {
            return filled(&pair.template, found).map(Some);
        }
    }
    Ok(None)
}

/// What the placeholders stand for.
#[derive(Default)]
struct Found<'a> {
    one: BTreeMap<String, &'a Expr>,
    rest: &'a [FunctionArg],
}

fn placeholder(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn matches<'a>(pattern: &Expr, expr: &'a Expr, found: &mut Found<'a>) -> bool {
    if let Some(name) = placeholder(pattern) {
        return *found.one.entry(name.to_owned()).or_insert(expr) == expr;
    }
    match (pattern, expr) {
        (Expr::Function(pattern), Expr::Function(called)) => called_as(pattern, called, found),
        (
            Expr::Cast { kind, expr: pattern, data_type, .. },
            Expr::Cast { kind: other_kind, expr, data_type: other_type, .. },
        ) => kind == other_kind && data_type == other_type && matches(pattern, expr, found),
        (
            Expr::BinaryOp { left, op, right },
            Expr::BinaryOp { left: other_left, op: other_op, right: other_right },
        ) => op == other_op && matches(left, other_left, found) && matches(right, other_right, found),
        _ => pattern == expr,
    }
}

fn called_as<'a>(pattern: &Function, called: &'a Function, found: &mut Found<'a>) -> bool {
    let (FunctionArguments::List(wanted), FunctionArguments::List(given)) = (&pattern.args, &called.args)
    else {
        return false;
    };
    // A window's function is another one.
    if pattern.name != called.name || called.over.is_some() || given.duplicate_treatment.is_some() {
        return false;
    }
    if let [only] = wanted.args.as_slice()
        && argument(only).and_then(placeholder) == Some(REST)
    {
        found.rest = &given.args;
        return true;
    }
    wanted.args.len() == given.args.len()
        && wanted.args.iter().zip(&given.args).all(|(wanted, given)| {
            match (argument(wanted), argument(given)) {
                (Some(wanted), Some(given)) => matches(wanted, given, found),
                _ => wanted == given,
            }
        })
}

fn argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// The template with what was found.
fn filled(template: &Expr, found: Found<'_>) -> Result<Expr, Refusal> {
    let mut taken = Taken::default();
    for expr in found.one.values() {
        let _ = Visit::visit(*expr, &mut taken);
    }
    let mut template = template.clone();
    match VisitMut::visit(&mut template, &mut Fill { found, taken: taken.0 }) {
        ControlFlow::Continue(()) => Ok(template),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

/// The first words of all names in an expression: columns, tables, variables.
#[derive(Default)]
struct Taken(BTreeSet<String>);

impl Visitor for Taken {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.first(),
            _ => None,
        };
        self.0.extend(name.map(|name| name.value.clone()));
        ControlFlow::Continue(())
    }
}

struct Fill<'a> {
    found: Found<'a>,
    taken: BTreeSet<String>,
}

impl VisitorMut for Fill<'_> {
    type Break = Refusal;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        // What is put into a lambda must not be taken for its variable.
        if let Expr::Lambda(lambda) = expr
            && let Some(variable) =
                lambda.params.iter().find(|variable| self.taken.contains(&variable.name.value))
        {
            return ControlFlow::Break(format!("the name {} stands for something else here", variable.name));
        }
        if let Expr::Function(function) = expr
            && let FunctionArguments::List(list) = &mut function.args
            && let Some(at) =
                list.args.iter().position(|arg| argument(arg).and_then(placeholder) == Some(REST))
        {
            list.args.splice(at..=at, self.found.rest.iter().cloned());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        if let Some(name) = placeholder(expr) {
            let Some(found) = self.found.one.get(name) else {
                return ControlFlow::Break(format!("{name} stands for nothing"));
            };
            *expr = together((*found).clone());
        }
        if let Expr::Function(function) = expr {
            without_parentheses(function);
        }
        ControlFlow::Continue(())
    }
}

/// An expression that stays one, whatever stands beside it.
pub(super) fn together(expr: Expr) -> Expr {
    let is_one = matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::Value(_)
            | Expr::Function(_)
            | Expr::Nested(_)
            | Expr::Cast { .. }
            | Expr::Array(_)
            | Expr::Lambda(_)
            | Expr::Subquery(_)
    );
    if is_one { expr } else { Expr::Nested(Box::new(expr)) }
}

/// Arguments need no parentheses of their own.
fn without_parentheses(function: &mut Function) {
    if let FunctionArguments::List(list) = &mut function.args {
        for argument in &mut list.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Nested(inner))) = argument {
                *argument = FunctionArg::Unnamed(FunctionArgExpr::Expr((**inner).clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expr(text: &str) -> Expr {
        Parser::new(&DatabricksDialect {}).try_with_sql(text).unwrap().parse_expr().unwrap()
    }

    fn rewrite(pair: (&str, &str), text: &str) -> Option<String> {
        rewritten(&pairs(&[pair]), &expr(text)).unwrap().map(|expr| expr.to_string())
    }

    #[test]
    fn what_matches_is_made_anew_and_keeps_its_meaning() {
        for (pair, text, made) in [
            (("f($1)", "g($1) || $1"), "f(a OR b)", "g(a OR b) || (a OR b)"),
            (("f('x', $1)", "$1['y']"), "f('x', a || b)", "(a || b)['y']"),
            (("f($rest)", "g('', $rest)"), "f(a, b, 1)", "g('', a, b, 1)"),
            (
                ("CAST($1 AS DATE) - CAST($2 AS DATE)", "d($1, $2)"),
                "CAST(a AS DATE) - CAST(b AS DATE)",
                "d(a, b)",
            ),
        ] {
            assert_eq!(rewrite(pair, text).as_deref(), Some(made), "{text}");
        }
    }

    #[test]
    fn what_does_not_match_stays() {
        for (pattern, text) in [
            ("f('x', $1)", "f('y', a)"),
            ("f($1)", "f(a, b)"),
            ("f($1)", "f(a) OVER (PARTITION BY b)"),
            ("f($1)", "f(DISTINCT a)"),
            ("f($1, $1)", "f(a, b)"),
            ("CAST($1 AS DATE)", "TRY_CAST(a AS DATE)"),
        ] {
            assert_eq!(rewrite((pattern, "1"), text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_not_taken_for_a_variable_of_a_lambda() {
        let pairs = pairs(&[("f($1)", "g(x -> x = $1)")]);
        assert!(rewritten(&pairs, &expr("f(y)")).unwrap().is_some());
        assert!(rewritten(&pairs, &expr("f(x)")).is_err());
    }
}
