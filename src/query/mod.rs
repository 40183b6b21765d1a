//! SQL over the lake. DataFusion's session lives here and nowhere else.

pub mod catalog;
mod changed_rows;
pub mod changes;
pub mod definition;
pub mod external;
pub mod files;
mod folder;
pub mod format;
mod functions;
mod items;
mod lambdas;
pub mod lineage;
pub mod ndjson;
pub mod omop;
mod omop_id;
mod only;
mod precedence;
mod pushdown;
pub mod quality;
mod resources;
pub mod session;
pub mod shared;
mod sources;
mod stored;
pub mod value_sets;
pub mod vocabulary;
mod walk;

pub use changes::{ChangedSince, ChangesOptions, changes};
pub use format::{Format, Written};
pub use only::Only;
pub use session::{Pin, Session, SessionOptions};
pub use sources::{Calls, Sources, calls, sources};
pub use value_sets::ValueSets;
