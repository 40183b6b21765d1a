//! SQL on FHIR: ViewDefinitions as DataFusion tables (<https://sql-on-fhir.org/ig/>).
//!
//! A ViewDefinition says in FHIRPath which columns it makes of a resource type. [`ViewDefinition::parse`] reads it,
//! [`View::compile`] checks it against the definitions of a FHIR version and the columns of the type's table, and [`ViewTable`]
//! is a DataFusion table of its rows over a table of resources.
//!
//! ```text
//!  JSON ── ViewDefinition ── View (typed expressions, the columns that they touch)
//!                              │
//!  table of resources ── scan of those columns ── ViewExec: where, forEach, columns, unionAll over arrays ── rows
//! ```
//!
//! Expressions are evaluated over the arrays of a batch, never resource by resource: an expression's value is an array of items
//! with the row of each ([`eval`](self)), and a path is a walk down struct and list columns. `__rest`, which has what no column
//! has, is read only if some path of the view needs it.
//!
//! The one invariant: a view that cannot mean what it says is refused before it runs, with the part of it and the character of
//! its expression ([`ViewError`]); what is then found in the data ends the query ([`EvaluationError`]) and names no value.

mod compile;
mod decimal;
mod definition;
mod error;
mod eval;
mod expression;
mod needs;
mod output;
mod plan;
mod quantity;
mod rows;
mod source;
mod table;
mod temporal;
mod types;
mod view;

pub use definition::{Column, Constant, Filter, OneOrMany, Select, ViewDefinition};
pub use error::{EvaluationError, ViewError};
pub use plan::ViewExec;
pub use table::{Narrow, ViewTable};
pub use view::View;
