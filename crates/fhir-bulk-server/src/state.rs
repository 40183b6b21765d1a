//! What all requests share: the data, the jobs, the options.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use url::Url;

use crate::auth::{Links, Replays, Tokens};
use crate::dataset::Dataset;
use crate::fault::{Fault, Faults, Rule};
use crate::job::Job;
use crate::options::ServerOptions;
use crate::quirk::Quirk;
use crate::record::{Record, SeenRequest, Step};

/// The state of a server: what [`router`](crate::router) needs.
#[derive(Debug)]
pub struct ServerState {
    pub(crate) options: ServerOptions,
    base_url: Url,
    dataset: Mutex<Arc<Dataset>>,
    updating: Mutex<()>,
    jobs: Mutex<BTreeMap<String, Arc<Job>>>,
    kick_offs: Mutex<Vec<String>>,
    /// Scheme, host and port of the second listener, once it is known.
    other_origin: OnceLock<String>,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) tokens: Tokens,
    pub(crate) replays: Replays,
    pub(crate) links: Links,
}

impl ServerState {
    /// The state of a server whose FHIR base is `base_url`: absolute, without a slash at its end, with the path
    /// under which the router is reached (`http://127.0.0.1:8080/fhir`).
    #[must_use]
    pub fn new(dataset: Dataset, options: ServerOptions, base_url: Url) -> Arc<ServerState> {
        Arc::new(ServerState {
            faults: Faults::new(options.faults.clone()),
            options,
            base_url,
            dataset: Mutex::new(Arc::new(dataset)),
            updating: Mutex::default(),
            jobs: Mutex::default(),
            kick_offs: Mutex::default(),
            other_origin: OnceLock::new(),
            record: Record::default(),
            tokens: Tokens::default(),
            replays: Replays::default(),
            links: Links::new(),
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

    /// From now on the server deviates in this way as well.
    pub fn add_fault(&self, rule: impl Into<Rule>) {
        self.faults.add(rule.into());
    }

    /// From now on the server deviates as that server does, as well.
    pub fn add_quirk(&self, quirk: Quirk) {
        quirk.faults().iter().for_each(|fault| self.add_fault(*fault));
    }

    /// From now on the server does not deviate in this way.
    pub fn remove_fault(&self, fault: Fault) {
        self.faults.remove(fault);
    }

    /// From now on the server deviates in these ways and no other.
    pub fn set_faults(&self, rules: Vec<Rule>) {
        self.faults.set(rules);
    }

    /// The ways in which the server deviates now.
    #[must_use]
    pub fn faults(&self) -> Vec<Rule> {
        self.faults.rules()
    }

    /// The last 50,000 requests, in the order of their answers.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.record.all()
    }

    /// The requests of a step, in the order of their answers.
    #[must_use]
    pub fn requests_of(&self, step: Step) -> Vec<SeenRequest> {
        self.record.all().into_iter().filter(|request| request.step == step).collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.record.clear();
    }

    /// Ends every access token.
    pub fn expire_tokens(&self) {
        self.tokens.expire_all();
    }

    /// Ends every signed link; a manifest that is retrieved again has new ones.
    pub fn expire_links(&self) {
        self.links.expire_all();
    }

    /// Loses every job, as a server does that restarts without a store.
    pub fn forget_jobs(&self) {
        lock(&self.jobs).clear();
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

    /// The jobs that have not expired.
    pub(crate) fn jobs(&self) -> Vec<Arc<Job>> {
        let now = SystemTime::now();
        lock(&self.jobs).values().filter(|job| job.expires > now).cloned().collect()
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

    /// The origin of the second listener; without one, that of the base.
    pub(crate) fn other_origin(&self) -> String {
        self.other_origin.get().cloned().unwrap_or_else(|| self.origin())
    }

    pub(crate) fn set_other_origin(&self, origin: String) {
        // Set once, before the first request.
        let _ = self.other_origin.set(origin);
    }

    /// The URL of the token endpoint, which is the audience of client assertions.
    pub(crate) fn token_url(&self) -> String {
        format!("{}/auth/token", self.origin())
    }

    /// The absolute URL of a file, signed if links are.
    pub(crate) fn file_url(&self, job: &str, name: &str) -> String {
        let origin = if self.options.files_on_other_origin { self.other_origin() } else { self.origin() };
        let path = format!("{job}/{name}");
        let url = format!("{origin}{}/$export-file/{path}", self.base_url.path().trim_end_matches('/'));
        let signature = self.options.link_lifetime.and_then(|lifetime| self.links.sign(&path, lifetime));
        match signature {
            Some(signature) => format!("{url}?signature={signature}"),
            None => url,
        }
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
