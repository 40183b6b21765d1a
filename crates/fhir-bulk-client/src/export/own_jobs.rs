//! The client's own jobs at the server, as far as this process knows them.
//!
//! Two things hang on them: a kick-off that is refused because of a job of our own must not be waited for by the one who
//! has to finish it, and a job that two identical kick-offs share must not be deleted under the other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use url::Url;

/// Jobs by their status URL.
#[derive(Default)]
pub(crate) struct OwnJobs(Mutex<HashMap<Url, Job>>);

struct Job {
    kick_offs: u32,
    running: bool,
}

/// Whether a job of our own may be what is in the way of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InTheWay {
    /// None is.
    Nothing,
    /// One runs.
    Running,
    /// One has finished and is not deleted.
    Finished,
}

impl OwnJobs {
    fn lock(&self) -> MutexGuard<'_, HashMap<Url, Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A kick-off was answered with this status URL.
    pub(crate) fn begun(&self, status_url: &Url) {
        let mut jobs = self.lock();
        let job = jobs.entry(status_url.clone()).or_insert(Job { kick_offs: 0, running: true });
        job.kick_offs += 1;
    }

    /// A job is waited for that may have been begun by another process.
    pub(crate) fn waited_for(&self, status_url: &Url) {
        let mut jobs = self.lock();
        jobs.entry(status_url.clone()).or_insert(Job { kick_offs: 1, running: true });
    }

    /// The job has its manifest.
    pub(crate) fn finished(&self, status_url: &Url) {
        if let Some(job) = self.lock().get_mut(status_url) {
            job.running = false;
        }
    }

    /// The server no longer has the job.
    pub(crate) fn gone(&self, status_url: &Url) {
        self.lock().remove(status_url);
    }

    /// Takes one kick-off's interest in the job away. True if nobody else has any.
    pub(crate) fn release(&self, status_url: &Url) -> bool {
        let mut jobs = self.lock();
        let Some(job) = jobs.get_mut(status_url) else { return true };
        job.kick_offs = job.kick_offs.saturating_sub(1);
        if job.kick_offs > 0 {
            return false;
        }
        jobs.remove(status_url);
        true
    }

    pub(crate) fn in_the_way(&self, until_deleted: bool) -> InTheWay {
        let jobs = self.lock();
        match (jobs.values().any(|job| job.running), until_deleted && !jobs.is_empty()) {
            (true, _) => InTheWay::Running,
            (false, true) => InTheWay::Finished,
            (false, false) => InTheWay::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_job_is_let_go_by_the_last() {
        let (jobs, url) = (OwnJobs::default(), Url::parse("https://h/poll/1").unwrap());
        jobs.begun(&url);
        jobs.begun(&url);
        assert!(!jobs.release(&url));
        assert_eq!(jobs.in_the_way(false), InTheWay::Running);
        assert!(jobs.release(&url));
        assert_eq!(jobs.in_the_way(true), InTheWay::Nothing);
    }

    #[test]
    fn a_finished_job_is_in_the_way_only_where_it_blocks() {
        let (jobs, url) = (OwnJobs::default(), Url::parse("https://h/poll/1").unwrap());
        jobs.waited_for(&url);
        jobs.finished(&url);
        assert_eq!((jobs.in_the_way(false), jobs.in_the_way(true)), (InTheWay::Nothing, InTheWay::Finished));
    }
}
