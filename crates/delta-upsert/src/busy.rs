//! Work that keeps a processor busy.

use crate::{Error, Result};

/// Runs work that keeps a processor busy off the threads that wait for input and output: one thread for each processor
/// does such work, and it alone. What these threads free they use again, which many threads would not.
///
/// # Errors
/// What the work does; [`Error::Interrupted`] where the program ends.
pub async fn busy<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (done, result) = tokio::sync::oneshot::channel();
    rayon::spawn(move || {
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // Whoever asked may have been interrupted, and no longer waits.
        let _ = done.send(worked);
    });
    match result.await {
        Ok(Ok(done)) => done,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => Err(Error::Interrupted.into()),
    }
}
