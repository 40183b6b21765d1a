//! fhirlake loads FHIR servers into a lakehouse.
//!
//! The data flows through the modules in this order:
//!
//! * [`pipeline`] drives a run: it plans, exports or ingests, loads, and finishes with one commit;
//! * `fhir_bulk_client` speaks to the server, [`raw`] keeps the bytes as they came;
//! * `fhir_arrow` turns lines into columns, [`lake`] keeps them as Delta tables, exactly once;
//! * [`views`] and [`query`] answer SQL over them;
//! * [`config`] is what a user has written down, [`cli`] is the command line, and the only place that prints.

pub mod cli;
pub mod config;
pub mod error;
pub mod lake;
pub mod pipeline;
pub mod query;
pub mod raw;
pub mod storage;
pub mod views;
pub mod workers;

pub use error::{Error, Result};

/// Runs work that keeps a processor busy off the threads that wait for input and output: one thread for each processor
/// does such work, and it alone. What these threads free they use again, which many threads would not.
pub(crate) async fn busy<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    rayon::spawn(move || {
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // Whoever asked may have been interrupted, and no longer waits.
        let _ = done.send(worked);
    });
    match result.await {
        Ok(Ok(done)) => done,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => Err(Error::Interrupted),
    }
}
