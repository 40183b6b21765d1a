//! What all requests share: the data, the jobs, the options.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use url::Url;

use crate::dataset::Dataset;
use crate::job::Job;
use crate::server::ServerOptions;

/// The state of a server: what [`router`](crate::router) needs.
#[derive(Debug)]
pub struct ServerState {
    pub(crate) options: ServerOptions,
    base_url: Url,
    dataset: Mutex<Arc<Dataset>>,
    updating: Mutex<()>,
    jobs: Mutex<BTreeMap<String, Arc<Job>>>,
    kick_offs: Mutex<Vec<String>>,
}

impl ServerState {
    /// The state of a server whose FHIR base is `base_url`: absolute, without a slash at its end, with the path
    /// under which the router is reached (`http://127.0.0.1:8080/fhir`).
    #[must_use]
    pub fn new(dataset: Dataset, options: ServerOptions, base_url: Url) -> Arc<ServerState> {
        Arc::new(ServerState {
            options,
            base_url,
            dataset: Mutex::new(Arc::new(dataset)),
            updating: Mutex::default(),
            jobs: Mutex::default(),
            kick_offs: Mutex::default(),
        })
    }

    /// The FHIR base.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// Changes the dataset: requests see all of the change or nothing, and jobs keep the snapshot they have. A
    /// panic of `change` leaves the dataset as it was.
    pub fn update<R>(&self, change: impl FnOnce(&mut Dataset) -> R) -> R {
        let _one_at_a_time = lock(&self.updating);
        let mut dataset = Dataset::clone(&self.dataset());
        let result = change(&mut dataset);
        *lock(&self.dataset) = Arc::new(dataset);
        result
    }

    /// Path and query of every kick-off request so far, refused ones too, in the order of arrival.
    #[must_use]
    pub fn kick_offs(&self) -> Vec<String> {
        lock(&self.kick_offs).clone()
    }

    pub(crate) fn note_kick_off(&self, uri: String) {
        lock(&self.kick_offs).push(uri);
    }

    /// The dataset as it is now.
    pub(crate) fn dataset(&self) -> Arc<Dataset> {
        lock(&self.dataset).clone()
    }

    /// Takes in a job and drops those that have expired.
    pub(crate) fn add_job(&self, job: Job) {
        let now = SystemTime::now();
        let mut jobs = lock(&self.jobs);
        jobs.retain(|_, job| job.expires > now);
        jobs.insert(job.id.clone(), Arc::new(job));
    }

    pub(crate) fn job(&self, id: &str) -> Option<Arc<Job>> {
        lock(&self.jobs).get(id).filter(|job| job.expires > SystemTime::now()).cloned()
    }

    /// Forgets a job; whether there was one.
    pub(crate) fn remove_job(&self, id: &str) -> bool {
        lock(&self.jobs).remove(id).is_some()
    }

    /// Scheme, host and port, without a slash at the end.
    pub(crate) fn origin(&self) -> String {
        self.base_url.origin().ascii_serialization()
    }

    /// The absolute URL of a path below the base.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url.as_str().trim_end_matches('/'))
    }
}

/// No lock is held while anything that may panic half-way changes what it guards, so a poisoned one is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
