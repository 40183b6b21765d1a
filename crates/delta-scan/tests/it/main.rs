//! Scans of tables whose log and files are written here, value by value, beside what the rows are known to be.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod evolved;
mod leaves;
mod model;
mod pruned;
mod refused;
mod table;
