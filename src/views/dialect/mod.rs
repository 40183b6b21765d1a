//! The views' SQL as other engines have it: DuckDB, Spark, Databricks.
//!
//! One invariant: what is not known is refused. A function, an operator or a clause that a dialect has no rule for is an error,
//! never passed on: what looks alike may mean something else there.
//!
//! The text is parsed, its tree is changed by rules, and the tree is printed. `grammar` says what a view may be made of,
//! `ours` expands what is the library's own, `relations` names tables, and `rewrite` carries out the rules of a dialect, most of
//! which are pairs of expressions (`patterns`), in `duckdb` and `spark`.

mod duckdb;
mod grammar;
mod names;
mod ours;
mod patterns;
mod relations;
mod rewrite;
mod spark;
mod types;
mod unnest;

use std::fmt;

use arrow::datatypes::Schema;
use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::DatabricksDialect;
use sqlparser::parser::Parser;

pub use relations::{Place, Relations};

use crate::error::{Error, Result};

/// An engine that the views can be written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// DuckDB with its extension delta
    #[value(name = "duckdb")]
    DuckDb,
    /// Apache Spark 4 with Delta Lake
    Spark,
    /// Databricks: the same SQL as for Spark
    Databricks,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DuckDb => "DuckDB",
            Self::Spark => "Spark",
            Self::Databricks => "Databricks",
        })
    }
}

/// Why a text cannot be written for a dialect.
type Refusal = String;

/// A view's query, read.
#[derive(Debug, Clone)]
pub struct View {
    name: String,
    query: Query,
}

impl View {
    /// Reads a view's SQL.
    ///
    /// # Errors
    /// [`Error::Query`] where it cannot be parsed, or is made of what no rule knows.
    pub fn read(name: &str, sql: &str) -> Result<Self> {
        let refused = |why: String| Error::Query(format!("the view {name} cannot be read: {why}"));
        let mut statements =
            Parser::parse_sql(&DatabricksDialect {}, sql).map_err(|error| refused(error.to_string()))?;
        let Some(Statement::Query(query)) = statements.pop().filter(|_| statements.is_empty()) else {
            return Err(refused("it is not one SELECT".to_owned()));
        };
        grammar::check(&query).map_err(refused)?;
        Ok(Self { name: name.to_owned(), query: *query })
    }

    /// The tables and views that it selects from, as it names them (`Patient`, `conditions`, `omop.person`), sorted.
    pub fn sources(&self) -> Vec<String> {
        relations::sources(&self.query)
    }

    /// The query in a dialect, over relations of other names.
    ///
    /// # Errors
    /// [`Error::Query`] for what the dialect has no rule for.
    pub fn translate(&self, dialect: Dialect, relations: &Relations) -> Result<String> {
        let refused =
            |why| Error::Query(format!("the view {} cannot be written for {dialect}: {why}", self.name));
        let mut query = self.query.clone();
        ours::expand(&mut query).map_err(refused)?;
        relations.rename(&mut query);
        rewrite::apply(&mut query, dialect.rules()).map_err(refused)?;
        Ok(format!("{query:#}"))
    }
}

impl Dialect {
    /// A name of one or several parts, each quoted where the dialect asks for it.
    pub fn name(self, parts: &[&str]) -> String {
        let quoted: Vec<String> =
            parts.iter().map(|part| names::ident(self.rules(), part).to_string()).collect();
        quoted.join(".")
    }

    /// A text as a literal.
    fn literal(self, text: &str) -> String {
        format!("'{}'", self.rules().escape(text).replace('\'', "''"))
    }

    /// A Delta table at a path or URL, as a FROM clause names it.
    pub fn delta_table(self, path: &str) -> String {
        match self {
            Self::DuckDb => format!("delta_scan({})", self.literal(path)),
            Self::Spark | Self::Databricks => format!("delta.`{}`", path.replace('`', "``")),
        }
    }

    /// The name of a relation in a view of another schema. DuckDB looks for a name without a schema in the view's own first.
    pub fn seen_from_another_schema(self, place: &Place) -> Place {
        match (self, place.as_slice()) {
            (Self::DuckDb, [name]) => vec![self.session_schema().to_owned(), name.clone()],
            _ => place.clone(),
        }
    }

    /// The schema of a session that nobody has chosen another one in.
    pub fn session_schema(self) -> &'static str {
        match self {
            Self::DuckDb => "main",
            Self::Spark | Self::Databricks => "default",
        }
    }

    /// The columns of a table that is made.
    ///
    /// # Errors
    /// [`Error::Query`] for a type that no table has.
    pub fn columns(self, columns: &Schema) -> Result<String> {
        types::columns(self, columns)
            .map_err(|why| Error::Query(format!("a table cannot be made for {self}: {why}")))
    }

    /// A query without rows that has these columns.
    ///
    /// # Errors
    /// [`Error::Query`] for a type that no table has.
    pub fn no_rows(self, columns: &Schema) -> Result<String> {
        types::no_rows(self, columns)
            .map_err(|why| Error::Query(format!("an empty table cannot be written for {self}: {why}")))
    }

    fn rules(self) -> &'static dyn rewrite::Rules {
        match self {
            Self::DuckDb => &duckdb::DuckDb,
            Self::Spark | Self::Databricks => &spark::Spark,
        }
    }
}
