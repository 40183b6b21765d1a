//! The quality queries, run over a lake.
//!
//! One invariant: memory does not grow with what is found: rows are counted, and a few are kept.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;

use super::session::{Session, failed};
use crate::error::{Error, Result};
use crate::views::quality::{Kind, QualityQuery};

/// What a query has found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Outcome {
    /// Of a check.
    Check {
        /// The check's name.
        name: String,
        /// What it looks for.
        description: String,
        /// How many rows it has.
        found: u64,
        /// The first of them, by type, id, element and problem.
        examples: BTreeSet<Finding>,
    },
    /// Of a measure.
    Measure {
        /// The measure's name.
        name: String,
        /// What it says.
        description: String,
        /// All of its rows.
        elements: Vec<Filled>,
    },
}

/// A row of a check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Finding {
    /// The type of the resource.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// The element, by its path.
    pub element: String,
    /// What is wrong with it, without any value that is of a person.
    pub problem: String,
}

/// How often an element is there.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Filled {
    /// The type of the resources.
    pub resource_type: String,
    /// The element.
    pub element: String,
    /// How many resources there are.
    pub rows: u64,
    /// How many of them have it.
    pub filled: u64,
    /// The share of those, from 0 to 1.
    pub share: f64,
}

/// Runs a query; of a check, so many examples are kept.
///
/// # Errors
/// What the statement does while it is planned or runs.
pub async fn run(session: &Session, query: &QualityQuery, examples: usize) -> Result<Outcome> {
    let (name, description) = (query.name.clone(), query.description.clone());
    let mut answer = session.run(&query.sql).await?;
    let (mut found, mut kept, mut elements) = (0, BTreeSet::new(), Vec::new());
    while let Some(batch) = answer.try_next().await.map_err(|e| failed(&e))? {
        let rows = cells(&batch).map_err(Error::arrow(&query.name))?;
        for row in rows {
            found += 1;
            match query.kind {
                Kind::Check => keep(&mut kept, finding(row), examples),
                Kind::Measure => elements.extend(filled(row)),
            }
        }
    }
    Ok(match query.kind {
        Kind::Check => Outcome::Check { name, description, found, examples: kept },
        Kind::Measure => Outcome::Measure { name, description, elements },
    })
}

/// Keeps the first of what is found, whatever the order it is found in.
fn keep(kept: &mut BTreeSet<Finding>, finding: Finding, most: usize) {
    kept.insert(finding);
    if kept.len() > most {
        kept.pop_last();
    }
}

fn finding(row: Vec<String>) -> Finding {
    let mut cells = row.into_iter();
    let mut next = || cells.next().unwrap_or_default();
    Finding { resource_type: next(), id: next(), element: next(), problem: next() }
}

/// A row of a measure; its numbers are the query's own.
fn filled(row: Vec<String>) -> Option<Filled> {
    let [resource_type, element, rows, filled, share] = row.try_into().ok()?;
    let (rows, filled, share) = (rows.parse().ok()?, filled.parse().ok()?, share.parse().ok()?);
    Some(Filled { resource_type, element, rows, filled, share })
}

fn cells(batch: &RecordBatch) -> std::result::Result<Vec<Vec<String>>, arrow::error::ArrowError> {
    let options = FormatOptions::default();
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<std::result::Result<_, _>>()?;
    let row = |at: usize| columns.iter().map(|column| column.value(at).to_string()).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}
