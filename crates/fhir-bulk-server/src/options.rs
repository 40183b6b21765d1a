//! How a server behaves.

use std::time::Duration;

use serde_json::Value;

use crate::fault::Rule;
use crate::quirk::Quirk;

/// How the server behaves. Without authentication of any kind it is open.
#[derive(Clone)]
pub struct ServerOptions {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// How many status requests of a job are answered 202 before its manifest is given.
    pub poll_rounds: u32,
    /// The `Retry-After` of these answers, in seconds.
    pub retry_after: u64,
    /// How many lines a file holds at most; 0 is no limit.
    pub rows_per_file: usize,
    /// How many files a page of the manifest holds, for clients that allow partial manifests; 0 is no limit.
    pub files_per_page: usize,
    /// How many jobs may be in progress; a kick-off beyond is answered 429. 0 is no limit.
    pub max_running_jobs: usize,
    /// A token that every request but those for metadata may bear.
    pub bearer_token: Option<String>,
    /// A user of HTTP Basic authentication.
    pub basic: Option<BasicUser>,
    /// Clients of SMART Backend Services.
    pub clients: Vec<RegisteredClient>,
    /// How many seconds an access token lives.
    pub token_lifetime: u64,
    /// Files need no token but a signed link, which lives so long from each retrieval of the manifest.
    pub link_lifetime: Option<Duration>,
    /// The manifest's links lead to the second origin.
    pub files_on_other_origin: bool,
    /// How the server deviates from its start.
    pub faults: Vec<Rule>,
}

/// User and password of HTTP Basic authentication.
#[derive(Clone)]
pub struct BasicUser {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// A client that may ask for access tokens.
#[derive(Clone)]
pub struct RegisteredClient {
    /// The client's id.
    pub id: String,
    /// The client's public keys, a JWKS, for `private_key_jwt` with RS384 or ES384.
    pub keys: Option<Value>,
    /// The client's secret, for `client_secret_basic`.
    pub secret: Option<String>,
    /// The resource types that it may read; empty, all of them.
    pub types: Vec<String>,
}

impl RegisteredClient {
    /// A client that signs its assertions with one of the keys of this JWKS, and may read everything.
    #[must_use]
    pub fn with_keys(id: impl Into<String>, keys: Value) -> RegisteredClient {
        RegisteredClient { id: id.into(), keys: Some(keys), secret: None, types: Vec::new() }
    }

    /// A client that has a secret, and may read everything.
    #[must_use]
    pub fn with_secret(id: impl Into<String>, secret: impl Into<String>) -> RegisteredClient {
        RegisteredClient { id: id.into(), keys: None, secret: Some(secret.into()), types: Vec::new() }
    }

    /// The same client, which may read no other types than these.
    #[must_use]
    pub fn limited_to(self, types: &[&str]) -> RegisteredClient {
        RegisteredClient { types: types.iter().map(|&name| name.to_owned()).collect(), ..self }
    }
}

impl ServerOptions {
    /// Adds a fault.
    #[must_use]
    pub fn with_fault(mut self, rule: impl Into<Rule>) -> ServerOptions {
        self.faults.push(rule.into());
        self
    }

    /// Adds all faults of a server that exists.
    #[must_use]
    pub fn with_quirk(mut self, quirk: Quirk) -> ServerOptions {
        self.faults.extend(quirk.faults().iter().map(|fault| Rule::new(*fault)));
        self
    }

    /// Whether requests must be authorised.
    pub(crate) fn guarded(&self) -> bool {
        self.bearer_token.is_some() || self.basic.is_some() || !self.clients.is_empty()
    }
}

impl Default for ServerOptions {
    /// Any port, one round of waiting of one second, 10,000 lines per file, open, without faults.
    fn default() -> Self {
        ServerOptions {
            port: 0,
            poll_rounds: 1,
            retry_after: 1,
            rows_per_file: 10_000,
            files_per_page: 0,
            max_running_jobs: 0,
            bearer_token: None,
            basic: None,
            clients: Vec::new(),
            token_lifetime: 300,
            link_lifetime: None,
            files_on_other_origin: false,
            faults: Vec::new(),
        }
    }
}

/// Secrets are not shown.
impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions")
            .field("port", &self.port)
            .field("poll_rounds", &self.poll_rounds)
            .field("retry_after", &self.retry_after)
            .field("rows_per_file", &self.rows_per_file)
            .field("files_per_page", &self.files_per_page)
            .field("max_running_jobs", &self.max_running_jobs)
            .field("bearer_token", &self.bearer_token.as_ref().map(|_| "…"))
            .field("basic", &self.basic)
            .field("clients", &self.clients)
            .field("token_lifetime", &self.token_lifetime)
            .field("link_lifetime", &self.link_lifetime)
            .field("files_on_other_origin", &self.files_on_other_origin)
            .field("faults", &self.faults)
            .finish()
    }
}

/// The password is not shown.
impl std::fmt::Debug for BasicUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicUser").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The secret is not shown.
impl std::fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("RegisteredClient");
        shown
            .field("id", &self.id)
            .field("keys", &self.keys)
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}
