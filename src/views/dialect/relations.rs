//! The relations of a query: which tables and views it selects from, and what they are called elsewhere.
//!
//! One invariant: a name means the same relation as before. Our names keep their case, and other engines do not tell
//! `WITH patient AS (SELECT … FROM Patient)` from a query that selects from itself: such a subquery gets another name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Ident, ObjectName, Query, TableAlias, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

/// What is added to the name of a subquery that a table has too.
const SUFFIX: &str = "_rows";

/// The parts of a relation's name, such as a catalog, a schema and a table.
pub type Place = Vec<String>;

/// Where relations are: a relation that is not here keeps its name.
#[derive(Debug, Clone, Default)]
pub struct Relations(BTreeMap<String, Place>);

impl Relations {
    /// Says where a relation is, by the name that our SQL has for it (`Patient`, `omop.person`).
    pub fn place(&mut self, name: &str, place: Place) {
        self.0.insert(name.to_owned(), place);
    }

    /// Gives the relations of a query the names that they have elsewhere.
    pub(super) fn rename(&self, query: &mut Query) {
        let mut tables: BTreeSet<String> = BTreeSet::new();
        for source in sources(query) {
            let last = source.rsplit('.').next().unwrap_or(&source).to_lowercase();
            tables.insert(last);
            tables.extend(self.0.get(&source).and_then(|place| place.last()).map(|name| name.to_lowercase()));
        }
        let _ = VisitMut::visit(query, &mut Rename { relations: self, tables, scopes: Vec::new() });
    }
}

/// The tables and views that a query selects from, sorted.
pub(super) fn sources(query: &Query) -> Vec<String> {
    let mut sources = Sources::default();
    let _ = Visit::visit(query, &mut sources);
    sources.found.into_iter().collect()
}

/// The names that a query gives to its subqueries.
fn named(query: &Query) -> impl Iterator<Item = &str> {
    query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.as_str())
}

#[derive(Default)]
struct Sources {
    scopes: Vec<BTreeSet<String>>,
    found: BTreeSet<String>,
}

impl Visitor for Sources {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.scopes.push(named(query).map(str::to_owned).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.to_string();
        if !self.scopes.iter().any(|scope| scope.contains(&name)) {
            self.found.insert(name);
        }
        ControlFlow::Continue(())
    }
}

struct Rename<'a> {
    relations: &'a Relations,
    /// The last parts of the tables' names, in lower case.
    tables: BTreeSet<String>,
    /// Of each query around, the names of its subqueries, before and now.
    scopes: Vec<BTreeMap<String, String>>,
}

impl VisitorMut for Rename<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut scope = BTreeMap::new();
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            let before = cte.alias.name.value.clone();
            if self.tables.contains(&before.to_lowercase()) {
                cte.alias.name.value.push_str(SUFFIX);
            }
            scope.insert(before, cte.alias.name.value.clone());
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias, .. } = factor else { return ControlFlow::Continue(()) };
        let before = name.to_string();
        let place = match self.scopes.iter().rev().find_map(|scope| scope.get(&before)) {
            Some(now) => vec![now.clone()],
            None => match self.relations.0.get(&before) {
                Some(place) => place.clone(),
                None => return ControlFlow::Continue(()),
            },
        };
        let called = before.rsplit('.').next().unwrap_or(&before);
        // Columns are named by what their table is called.
        if alias.is_none() && place.last().is_some_and(|last| last != called) {
            *alias =
                Some(TableAlias { explicit: true, name: Ident::new(called), columns: Vec::new(), at: None });
        }
        *name = ObjectName::from(place.into_iter().map(Ident::new).collect::<Vec<_>>());
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, View};
    use super::*;

    #[test]
    fn sources_are_what_no_subquery_is_named() {
        let sql = "WITH item AS (SELECT id FROM Claim), x AS (SELECT 1 AS id FROM item) \
                   SELECT id FROM x JOIN omop.person ON true WHERE id IN (SELECT id FROM Patient)";
        assert_eq!(View::read("x", sql).unwrap().sources(), ["Claim", "Patient", "omop.person"]);
    }

    #[test]
    fn a_subquery_that_differs_from_a_table_by_its_case_gets_another_name() {
        let view =
            View::read("x", "WITH claim AS (SELECT id FROM Claim) SELECT claim.id FROM claim").unwrap();
        let mut relations = Relations::default();
        relations.place("Claim", vec!["main".to_owned(), "raw".to_owned(), "Claim".to_owned()]);
        let sql = view.translate(Dialect::DuckDb, &relations).unwrap();
        let words: Vec<&str> = sql.split_whitespace().collect();
        assert_eq!(
            words.join(" "),
            "WITH claim_rows AS ( SELECT id FROM main.raw.Claim ) SELECT claim.id FROM claim_rows AS claim"
        );
    }
}
