//! SQL over the lake. DataFusion's session lives here and nowhere else.

pub mod catalog;
pub mod definition;
mod folder;
pub mod format;
mod functions;
pub mod lineage;
pub mod ndjson;
pub mod session;

pub use format::{Format, Written};
pub use session::{Pin, Session};
