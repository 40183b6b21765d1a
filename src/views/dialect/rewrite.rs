//! The rules of a dialect, carried out over a query.
//!
//! One invariant: each function of the query is either one that the dialect has with the same meaning, or matched by a pair.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, DataType, Expr, Join, JoinOperator, ObjectNamePart, Query, Select, TableFactor,
    TableWithJoins, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use super::Refusal;
use super::names::quote;
use super::patterns::{Pair, rewritten};

/// What a dialect has its own way for.
pub(super) trait Rules {
    /// The functions that mean the same in it.
    fn same(&self) -> &'static str;

    /// What is written in other words in it. Arguments are in its words already.
    fn pairs(&self) -> &'static [Pair];

    /// The words that are no names unless they are quoted, in upper case.
    fn reserved(&self) -> &'static str;

    /// What names are quoted by.
    fn quote(&self) -> char;

    /// The type of its own for one of ours; `None` where there is none.
    fn data_type(&self, ours: &DataType) -> Option<DataType>;

    /// A text as it stands between the quotes of a literal, which are doubled later.
    fn escape(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Changes a SELECT before what is in it.
    fn select(&self, _: &mut Select) -> Result<(), Refusal> {
        Ok(())
    }

    /// Changes how tables are joined.
    fn join(&self, _: &mut JoinOperator) {}

    /// Changes the access to a field or an item; `relations` are the names of those that the SELECT reads.
    fn access(&self, _: &mut Expr, _relations: &BTreeSet<String>) -> Result<(), Refusal> {
        Ok(())
    }

    /// Changes what is left to be changed when everything in an expression is.
    fn last(&self, _: &mut Expr) {}
}

/// Writes a query in a dialect.
pub(super) fn apply(query: &mut Query, rules: &dyn Rules) -> Result<(), Refusal> {
    let rewritten = VisitMut::visit(query, &mut Rewrite { rules, relations: Vec::new() });
    let done = match rewritten {
        ControlFlow::Continue(()) => VisitMut::visit(query, &mut Last(rules)),
        refused => refused,
    };
    match done {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

struct Rewrite<'a> {
    rules: &'a dyn Rules,
    /// Of each SELECT around, the names of what it reads.
    relations: Vec<BTreeSet<String>>,
}

impl VisitorMut for Rewrite<'_> {
    type Break = Refusal;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Refusal> {
        for Join { join_operator, .. } in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            self.rules.join(join_operator);
        }
        self.relations.push(relations(&select.from));
        carried_out(self.rules.select(select))
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<Refusal> {
        self.relations.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        if let TableFactor::Table { name, .. } = factor {
            for part in &mut name.0 {
                if let ObjectNamePart::Identifier(ident) = part {
                    quote(self.rules, ident);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        carried_out(self.expression(expr))
    }

    fn post_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Refusal> {
        if let Value::SingleQuotedString(text) = &mut value.value {
            *text = self.rules.escape(text);
        }
        ControlFlow::Continue(())
    }
}

fn carried_out(done: Result<(), Refusal>) -> ControlFlow<Refusal> {
    match done {
        Ok(()) => ControlFlow::Continue(()),
        Err(refusal) => ControlFlow::Break(refusal),
    }
}

impl Rewrite<'_> {
    fn expression(&self, expr: &mut Expr) -> Result<(), Refusal> {
        if let Some(written) = rewritten(self.rules.pairs(), expr)? {
            *expr = written;
            return Ok(());
        }
        match expr {
            Expr::Function(function) => {
                let name = function.name.to_string();
                if !self.rules.same().split(' ').any(|known| known == name) {
                    return Err(format!("there is no rule for the function {expr}"));
                }
            }
            Expr::Cast { data_type, .. } => match self.rules.data_type(data_type) {
                Some(own) => *data_type = own,
                None => return Err(format!("there is no rule for the type {data_type}")),
            },
            Expr::Identifier(name) => quote(self.rules, name),
            Expr::CompoundIdentifier(names) => names.iter_mut().for_each(|name| quote(self.rules, name)),
            Expr::CompoundFieldAccess { access_chain, .. } => {
                for access in access_chain {
                    if let AccessExpr::Dot(Expr::Identifier(name)) = access {
                        quote(self.rules, name);
                    }
                }
                let none = BTreeSet::new();
                self.rules.access(expr, self.relations.last().unwrap_or(&none))?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The names of what a FROM clause reads, in lower case.
fn relations(from: &[TableWithJoins]) -> BTreeSet<String> {
    let factors = from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|joined| &joined.relation))
    });
    factors
        .filter_map(|factor| match factor {
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. } => Some(alias.name.value.to_lowercase()),
            TableFactor::Table { name, .. } => {
                name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.to_lowercase())
            }
            _ => None,
        })
        .collect()
}

/// The last change of every expression.
struct Last<'a>(&'a dyn Rules);

impl VisitorMut for Last<'_> {
    type Break = Refusal;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        self.0.last(expr);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Relations, View};

    fn written(dialect: Dialect, expr: &str) -> Result<String, String> {
        let view = View::read("x", &format!("SELECT {expr} FROM t AS item")).unwrap();
        let sql = view.translate(dialect, &Relations::default()).map_err(|error| error.to_string())?;
        let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(line.trim_start_matches("SELECT ").trim_end_matches(" FROM t AS item").to_owned())
    }

    #[test]
    fn an_expression_is_written_as_the_dialect_has_it() {
        for (ours, duckdb, spark) in [
            ("name[1]['family']", "name[1]['family']", "get(name, 0).family"),
            ("period.end", "period.\"end\"", "period.`end`"),
            // After a dot, `item` would be the table.
            ("item['net']['value']", "item['net']['value']", "item['net'].value"),
            ("concat(a, 'it''s', '\\')", "concat(a, 'it''s', '\\')", "concat_ws('', a, 'it''s', '\\\\')"),
            (
                "array_filter(a, c -> c['use'] = 'x')[2]",
                "list_filter(a, lambda c : c['use'] = 'x')[2]",
                "get(filter(a, c -> c.use = 'x'), 1)",
            ),
            (
                "array_has(string_to_array(a, ','), 'x')",
                "list_contains(string_split(a, ','), 'x')",
                "array_contains(split(a, ','), 'x')",
            ),
            ("CAST(a AS STRING)", "CAST(a AS VARCHAR)", "CAST(a AS STRING)"),
            (
                "CAST(a AS DATE) - CAST(b AS DATE)",
                "CAST(timezone('UTC', a) AS DATE) - CAST(timezone('UTC', b) AS DATE)",
                "CAST(FLOOR(unix_seconds(a) / 86400) AS INT) - CAST(FLOOR(unix_seconds(b) / 86400) AS INT)",
            ),
            (
                "lag(a) OVER (PARTITION BY b ORDER BY c DESC)",
                "lag(a) OVER ( PARTITION BY b ORDER BY c DESC NULLS FIRST )",
                "lag(a) OVER ( PARTITION BY b ORDER BY c DESC NULLS FIRST )",
            ),
        ] {
            assert_eq!(written(Dialect::DuckDb, ours).as_deref(), Ok(duckdb), "{ours}");
            assert_eq!(written(Dialect::Spark, ours).as_deref(), Ok(spark), "{ours}");
        }
    }

    #[test]
    fn what_a_dialect_has_no_rule_for_is_refused() {
        for (expr, said) in [
            ("string_to_array(a, ',')", "the function string_to_array(a, ',')"),
            ("date_part('week', a)", "the function date_part('week', a)"),
            ("array_filter(a)", "the function array_filter(a)"),
            ("first_value(a) OVER (PARTITION BY b)", "the function first_value(a)"),
            ("CAST(a AS BLOB)", "the type BLOB"),
        ] {
            for dialect in [Dialect::DuckDb, Dialect::Spark] {
                let refused = written(dialect, expr).unwrap_err();
                assert!(
                    refused.contains("the view x cannot be written") && refused.contains(said),
                    "{refused}"
                );
            }
        }
        assert!(written(Dialect::Spark, "a[b]").unwrap_err().contains("no rule for what [b] gives"));
        assert!(written(Dialect::Spark, "array_has(string_to_array(a, '|'), 'x')").is_err());
    }
}
