//! fhirlake loads FHIR servers into a lakehouse.
//!
//! The data flows through the modules in this order:
//!
//! * [`pipeline`] drives a run: it plans, exports or ingests, loads, and finishes with one commit;
//! * `fhir_bulk_client` speaks to the server, [`raw`] keeps the bytes as they came;
//! * `fhir_arrow` turns lines into columns, [`lake`] keeps them as Delta tables, exactly once;
//! * [`views`] and [`query`] answer SQL over them, [`materialize`] writes the answers of views down;
//! * [`config`] is what a user has written down, [`cli`] is the command line, and the only place that prints.

pub mod cli;
pub mod config;
pub mod error;
pub mod lake;
pub mod materialize;
pub mod pipeline;
pub mod query;
pub mod raw;
pub mod storage;
pub mod views;

pub use error::{Error, Result};

/// Runs work that keeps a processor busy where such work belongs ([`delta_upsert::busy::busy`]).
pub(crate) async fn busy<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    delta_upsert::busy::busy(work).await
}
