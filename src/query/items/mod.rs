//! What of a kind is anywhere in the resources of a lake: all codings, identifiers, references and extensions, one row each.
//!
//! `kind` says what the tables are, `place` where in a resource there can be such an item, `values` makes the columns, `table` plans which tables and leaves are read, `exec` reads them.
//!
//! One invariant: the rows and columns follow from the resource tables' columns. What is in `__rest` alone is not found.

mod exec;
mod kind;
mod place;
mod table;
mod values;

pub(super) use kind::{find, tables};
pub(super) use table::ItemsTable;
