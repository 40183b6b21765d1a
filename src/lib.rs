//! fhirlake loads FHIR servers into a lakehouse.
//!
//! The data flows through the modules in this order:
//!
//! * [`pipeline`] drives a run: it plans, exports or ingests, loads, and finishes with one commit;
//! * `fhir_bulk_client` speaks to the server, [`raw`] keeps the bytes as they came;
//! * `fhir_arrow` turns lines into columns, [`lake`] keeps them as Delta tables, exactly once;
//! * [`views`] and [`query`] answer SQL over them;
//! * [`cli`] is the command line, and the only place that prints.

pub mod cli;
pub mod error;
pub mod lake;
pub mod pipeline;
pub mod query;
pub mod raw;
pub mod storage;
pub mod views;
pub mod workers;

pub use error::{Error, Result};

/// Runs work that keeps a thread busy off the threads that wait for input and output.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down.
        Err(_) => Err(Error::Interrupted),
    }
}
