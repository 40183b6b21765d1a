//! What a view is made of: the tables that it reads, and the definitions of the views between it and them.
//!
//! One invariant: as long as none of it changes, the view has the same rows, unless it is said to depend on more.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::Dialect;
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use super::session::{Session, query_error};
use super::vocabulary;
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
    /// Whether its rows depend on more than that: on the time of day, on chance, on what runs are on record.
    pub depends_on_more: bool,
}

/// What the view of that name is made of, which the session has: its own or a table of `omop`.
///
/// # Errors
/// [`Error::Query`](crate::Error::Query) for a view that cannot be planned.
pub async fn sources(session: &Session, folder: &Folder, name: &str) -> Result<Sources> {
    let plan = session.plan(&format!("SELECT * FROM {name}")).await?;
    let mut found = Sources {
        depends_on_more: depends_on_more(plan.logical_plan()).map_err(|e| query_error(&e))?,
        ..Sources::default()
    };
    let mut names = vec![match name.split_once('.') {
        Some((schema, table)) => TableReference::partial(schema, table),
        None => TableReference::bare(name),
    }];
    while let Some(name) = names.pop() {
        let text = match (name.schema(), name.table()) {
            (Some(omop::SCHEMA), table) if vocabulary::schema(table).is_some() => {
                found.vocabulary = true;
                continue;
            }
            (Some(omop::SCHEMA), table) => omop::find(table).map(|view| view.sql.as_str()),
            (Some("information_schema"), _) => {
                found.depends_on_more = true;
                continue;
            }
            (_, table) => match folder.find(table) {
                Some(FolderView::Definition(view)) => {
                    found.tables.insert(view.resource.clone());
                    let text = folder.text(table).unwrap_or_default().to_owned();
                    found.definitions.insert(name.to_string(), text);
                    continue;
                }
                Some(FolderView::Sql(view)) => Some(view.sql.as_str()),
                None => views::find(table).map(|view| view.sql.as_str()),
            },
        };
        match text {
            Some(text) => {
                if found.definitions.insert(name.to_string(), text.to_owned()).is_none() {
                    names.extend(names_in(session, text).map_err(|e| query_error(&e))?);
                }
            }
            // The runs that are on record are read as they are, at no version.
            None if name.table() == ExportRow::TABLE => found.depends_on_more = true,
            None => drop(found.tables.insert(name.table().to_owned())),
        }
    }
    Ok(found)
}

/// The tables and views that a statement names.
fn names_in(session: &Session, sql: &str) -> SqlResult<Vec<TableReference>> {
    let state = session.context().state();
    let statement = state.sql_to_statement(sql, &Dialect::Databricks)?;
    state.resolve_table_references(&statement)
}

/// Whether a plan has a function whose answer is not one of its arguments alone.
fn depends_on_more(plan: &LogicalPlan) -> SqlResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                found |= matches!(expression, Expr::ScalarFunction(call)
                    if call.func.signature().volatility != Volatility::Immutable);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}
