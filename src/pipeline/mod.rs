//! A run, from its plan to its commit: plan → kick-off, status, download (or copy) → freeze → tombstones →
//! staging → tables → the lake's own tables → `_exports` → clean.
//!
//! One invariant: the commit point is the one commit to `_exports`. Everything before it can be done again by the same
//! command after a kill at any instant, and gives the same tables.

mod absences;
mod applied;
mod asked;
mod copy;
pub mod deletions;
pub mod expiry;
mod export;
mod findings;
mod gaps;
pub mod ingest;
pub mod input;
mod jobs;
pub mod load;
mod log;
mod maintain;
pub mod outcomes;
pub mod plan;
pub mod progress;
pub mod rebuild;
mod receive;
mod reconcile;
mod removals;
pub mod replay;
pub mod report;
mod roster;
pub mod run;
mod scope;
pub mod settings;
mod splits;
mod stage;
pub mod status;
mod timed;
mod vacuum;
pub mod watermark;
mod whose;

pub use absences::{Absences, AbsencesOptions, Absent, absences};
pub use export::{ExportOptions, OnServerError, Since, cancel, export};
pub use ingest::{IngestOptions, ingest};
pub use maintain::{MaintainOptions, Maintained, maintain};
pub use progress::{Observer, Step};
pub use rebuild::{RebuildOptions, rebuild};
pub use removals::MaxRemovals;
pub use replay::{ReplayOptions, replay};
pub use report::Report;
pub use scope::Query;
pub use settings::Settings;
pub use vacuum::{VacuumOptions, Vacuumed, vacuum};
