//! Scans of Delta tables for DataFusion.
//!
//! [`DeltaScan`] is a `TableProvider` of one version of a Delta table. The log is read by `deltalake`; the data files are
//! read by DataFusion's own Parquet source, and what a deletion vector removes is a selection of rows that the source is
//! given with the file. So nothing of the source is lost because a row of the table was deleted: predicates go down to the
//! decoder, row groups and pages are pruned, limits stop a scan, and files are shared between partitions.
//!
//! [`NarrowNested`] is an optimizer rule that looks at which fields of nested columns a plan uses, through lists and
//! `unnest` too, and narrows the scans to these: what nobody asks for is not read.
//!
//! ```text
//! log (deltalake) ─> snapshot: schema, files ─┬─> pruning by statistics ─┐
//!                                             ├─> vectors: selections ───┼─> provider: a Parquet scan
//! plan ─> narrow: the fields that are used ───┴─> footer: the same fields┘
//! ```
//!
//! One invariant: a scan gives exactly the rows of the version, or an error.

mod error;
mod footer;
mod narrow;
mod provider;
mod pruning;
mod reader;
mod reshape;
mod snapshot;
mod statistics;
mod types;
mod vector;

pub use error::{Error, Result};
pub use narrow::{NarrowNested, ReadsFields};
pub use provider::DeltaScan;
pub use types::with_views;
