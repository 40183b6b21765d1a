//! A FHIR Bulk Data server over a folder of NDJSON.
//!
//! It is a real server with small data: it answers the Bulk Data `$export` of its specification (2.0.0 and
//! 3.0.0, kick-off by GET and POST) at system, Patient and Group level, incremental by `_since` with deletions,
//! over HTTP on 127.0.0.1, open or behind SMART Backend Services. `demo` runs on it, and so do tests of clients.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//!
//! use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};
//!
//! let dataset = Dataset::open(Path::new("data"))?;
//! let server = BulkServer::start(dataset, ServerOptions::default()).await?;
//! println!("GET {}/$export", server.base_url());
//!
//! // Later: the data changes, and an export with `_since` brings what changed.
//! let changes = server.update(|dataset| dataset.apply(Path::new("changes")))?;
//! println!("{} types have new resources", changes.created.len());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! What holds, and where:
//!
//! * resources leave as the bytes they came as (`resource.rs`);
//! * the clock is the data's own: `transactionTime` is one millisecond after the latest change of the snapshot,
//!   so `_since` with a former `transactionTime` brings exactly what changed later (`clock.rs`);
//! * the result of a job is fixed at kick-off (`job.rs`);
//! * Patient and Group level are the R4 Patient compartment and the Provenance of what is in it; resources that
//!   are only referenced are not included (`selection.rs`);
//! * two Groups, `half` and `rest`, share the patients out (`group.rs`); they are read and exported at Group
//!   level, and are no part of a system-level or Patient-level export;
//! * every refusal is an OperationOutcome (`outcome.rs`), those of the token endpoint are OAuth errors;
//! * without a fault the server does what its specification says (`fault/`).
//!
//! What real servers do otherwise is a [`Fault`] each, and a [`Quirk`] is the faults of one server:
//!
//! ```
//! use fhir_bulk_server::{Fault, Quirk, Rule, ServerOptions};
//!
//! let options = ServerOptions::default()
//!     .with_quirk(Quirk::Hapi)
//!     .with_fault(Fault::NoFinalNewline)
//!     .with_fault(Rule::new(Fault::FileCut).times(1).only("Observation"));
//! assert!(options.faults.len() > 2);
//! ```
//!
//! Refused: `organizeOutputBy` of other types than Patient, values of `includeAssociatedData` that are no
//! Provenance, search parameters and modifiers beyond `search/parameter.rs`.

mod auth;
mod clock;
mod compartment;
mod dataset;
mod deleted;
mod elements;
mod error;
mod fault;
mod folder;
mod group;
mod job;
mod line;
mod manifest;
mod members;
mod options;
mod outcome;
mod parameters;
mod quirk;
mod record;
mod request;
mod resource;
mod routes;
mod search;
mod selection;
mod server;
mod state;

pub use dataset::{Changes, Dataset};
pub use error::{DatasetError, Place, ServerError};
pub use fault::{Fault, ParseFaultError, Rule};
pub use options::{BasicUser, RegisteredClient, ServerOptions};
pub use quirk::Quirk;
pub use record::{SeenRequest, Step};
pub use routes::router;
pub use server::BulkServer;
pub use state::ServerState;
