//! FHIR JSON to Arrow and back, without loss: no I/O, no async, no HTTP.
//!
//! A line of NDJSON holds one resource. [`scan`] looks at a line and says what it is, or what is wrong with it.
//! A [`Flattener`] turns lines of one resource type into rows of a [`TableSchema`], and [`unflatten`] turns a row
//! back into the resource, value for value. A [`Validator`] judges the resource of a line that a [`Reader`] has read, by
//! the same tokens that a row is made of.
//!
//! ```text
//!  line ── scan ──> Header (type, id, lastUpdated)      where does it belong, is it newer?
//!  line ── Flattener ──> RecordBatch ── unflatten ──> the same resource
//!  line ── Reader ──> Resource ──> header, Validator (Findings), Flattener: all three in one pass
//! ```
//!
//! The schema is a function of the FHIR version alone (see [`TableSchema`]). What has no column, or what a column
//! cannot hold exactly, is kept as JSON text in the column `__rest`; [`rest`] has the rules.
//!
//! ```
//! use std::sync::Arc;
//!
//! use fhir_arrow::{Flattener, TableSchema, scan, unflatten};
//! use fhir_definitions::Definitions;
//!
//! let line = br#"{"resourceType":"Patient","id":"p1","birthDate":"1980-07","_birthDate":{"id":"b"}}"#;
//! assert_eq!(scan(line)?.resource_type, "Patient");
//!
//! let schema = Arc::new(TableSchema::new(Definitions::r4(), "Patient")?);
//! let mut flattener = Flattener::new(Arc::clone(&schema), None);
//! flattener.append(line)?;
//! let batch = flattener.finish();
//! assert_eq!(batch.num_rows(), 1);
//!
//! assert_eq!(
//!     unflatten(&schema, &batch, 0)?,
//!     r#"{"resourceType":"Patient","id":"p1","birthDate":"1980-07","_birthDate":{"id":"b"}}"#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod configured;
mod error;
mod flatten;
mod instant;
mod json;
mod primitive;
mod reference;
pub mod rest;
mod scan;
mod schema;
mod shape;
mod unflatten;
mod validate;

pub use error::{IssueCode, LineError, SchemaError, UnflattenError};
pub use flatten::{Flattener, MAX_BATCH_BYTES};
pub use instant::{Instant, parse_instant, parse_range};
pub use reference::{References, ServerBase};
pub use scan::{Header, Reader, Resource, is_legal_id, row_hash, scan};
pub use schema::TableSchema;
pub use unflatten::unflatten;
pub use validate::{
    Allowances, Finding, FindingKind, Findings, MAX_FINDINGS, Severity, ValidationLevel, Validator,
};
