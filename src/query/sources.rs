//! What a view is made of: the tables that it reads, and the definitions of the views between it and them.
//!
//! One invariant: as long as none of it changes, the view has the same rows, unless it is said to depend on more.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::Dialect;
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{Expr, Volatility};

use super::functions::in_value_set;
use super::session::{Session, query_error};
use super::vocabulary;
use super::{items, resources};
use crate::error::Result;
use crate::lake::exports::ExportRow;
use crate::lake::own::OwnRow;
use crate::views::{self, Folder, FolderView, omop};

/// What a view is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The tables.
    pub tables: BTreeSet<String>,
    /// The definitions of the view and of those that it selects from, by their names.
    pub definitions: BTreeMap<String, String>,
    /// Whether it reads OMOP's vocabulary.
    pub vocabulary: bool,
    /// Whether it asks for codes of value sets.
    pub value_sets: bool,
    /// Whether its rows depend on more than that: on the time of day, on chance, on what runs are on record.
    pub depends_on_more: bool,
}

/// What the view of that name is made of, which the session has: its own or a table of `omop`.
///
/// # Errors
/// [`Error::Query`](crate::Error::Query) for a view that cannot be read or planned.
pub async fn sources(session: &Session, folder: &Folder, name: &str) -> Result<Sources> {
    let (mut found, mut has_own) = (Sources::default(), false);
    let mut names = vec![match name.split_once('.') {
        Some((schema, table)) => TableReference::partial(schema, table),
        None => TableReference::bare(name),
    }];
    while let Some(name) = names.pop() {
        has_own |= folder.find(name.table()).is_some();
        match source(session, folder, &name) {
            Source::Sql(text) => {
                if found.definitions.insert(name.to_string(), text.to_owned()).is_none() {
                    names.extend(names_in(session, text).map_err(|e| query_error(&e))?);
                }
            }
            Source::Definition(resource, text) => {
                found.tables.insert(resource.to_owned());
                found.definitions.insert(name.to_string(), text.to_owned());
            }
            Source::Vocabulary => found.vocabulary = true,
            Source::Table(table) => drop(found.tables.insert(table.to_owned())),
            Source::More => found.depends_on_more = true,
        }
    }
    // The program's own views have no such functions, which a test holds, and to plan one of `omop` is to look for all of its codes.
    if has_own {
        let calls = calls(session, name).await?;
        found.value_sets = calls.value_sets;
        found.depends_on_more |= calls.depends_on_more;
    }
    Ok(found)
}

/// What a name stands for.
enum Source<'s> {
    Sql(&'s str),
    /// A ViewDefinition over a table.
    Definition(&'s str, &'s str),
    Vocabulary,
    Table(&'s str),
    /// What is no table with versions.
    More,
}

fn source<'s>(session: &Session, folder: &'s Folder, name: &'s TableReference) -> Source<'s> {
    let table = name.table();
    match name.schema() {
        Some("information_schema") => return Source::More,
        Some(omop::SCHEMA) if vocabulary::schema(table).is_some() => return Source::Vocabulary,
        Some(omop::SCHEMA) => {
            return omop::find(table).map_or(Source::Table(table), |view| Source::Sql(&view.sql));
        }
        _ => {}
    }
    match folder.find(table) {
        Some(FolderView::Sql(view)) => return Source::Sql(&view.sql),
        Some(FolderView::Definition(view)) => {
            return Source::Definition(&view.resource, folder.text(table).unwrap_or_default());
        }
        None => {}
    }
    match views::find(table, session.version()) {
        Some(view) => Source::Sql(&view.sql),
        // The runs that are on record are read as they are, at no version.
        None if table == ExportRow::TABLE => Source::More,
        // They read every table there is.
        None if items::find(table).is_some() || table == resources::TABLE => Source::More,
        None => Source::Table(table),
    }
}

/// The tables and views that a statement names.
fn names_in(session: &Session, sql: &str) -> SqlResult<Vec<TableReference>> {
    let state = session.context().state();
    let statement = state.sql_to_statement(sql, &Dialect::Databricks)?;
    state.resolve_table_references(&statement)
}

/// What the functions that a view calls answer from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Value sets.
    pub value_sets: bool,
    /// More than their arguments, such as `now()`.
    pub depends_on_more: bool,
}

/// The functions that a view calls.
///
/// # Errors
/// [`Error::Query`](crate::Error::Query) for a view that cannot be planned.
pub async fn calls(session: &Session, name: &str) -> Result<Calls> {
    let plan = session.plan(&format!("SELECT * FROM {name}")).await?;
    let mut found = Calls::default();
    let looked = plan.logical_plan().apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                if let Expr::ScalarFunction(call) = expression {
                    found.value_sets |= call.name() == in_value_set::NAME;
                    found.depends_on_more |= call.func.signature().volatility != Volatility::Immutable;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    looked.map_err(|e| query_error(&e))?;
    Ok(found)
}
