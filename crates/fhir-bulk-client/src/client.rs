//! The client and how it is set up.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::auth::{Bearer, Secret, is_loopback};
use crate::error::{Error, ErrorKind};
use crate::http::{Pauses, Transport};

/// A client of one FHIR server. Its methods are the steps of an export; see the [crate's guide](crate).
///
/// It is cheap to share by reference, and all its futures may run at the same time.
pub struct BulkClient {
    pub(crate) transport: Transport,
    /// The FHIR base, its path ending with `/`.
    pub(crate) base: Url,
    pub(crate) max_wait: Option<Duration>,
}

/// Settings of a [`BulkClient`].
#[derive(Clone, Debug)]
pub struct Builder {
    base: Url,
    token: Option<Secret>,
    min_interval: Duration,
    max_poll_interval: Duration,
    max_wait: Option<Duration>,
    retries: u32,
    connect_timeout: Duration,
    read_timeout: Duration,
    user_agent: String,
}

impl BulkClient {
    /// Settings for the server with this FHIR base, for example `https://ehr.example/fhir`.
    pub fn builder(base: Url) -> Builder {
        Builder {
            base,
            token: None,
            min_interval: Duration::from_secs(1),
            max_poll_interval: Duration::from_secs(300),
            max_wait: None,
            retries: 5,
            connect_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(120),
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The FHIR base, its path ending with `/`.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// A URL below the base.
    pub(crate) fn at_base(&self, relative: &str) -> Result<Url, Error> {
        self.base.join(relative).map_err(|_| {
            let relative = crate::outcome::one_line(relative);
            Error::new(ErrorKind::Protocol, format!("{relative:?} is neither a URL nor a path"))
        })
    }
}

impl fmt::Debug for BulkClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkClient").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Builder {
    /// The token for the server. It is sent to the origin of the base only, and over `http://` only to this machine.
    pub fn bearer_token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// The shortest pause before a request is sent again: the first step of every back-off and the floor under
    /// `Retry-After`. One second unless set.
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.min_interval = interval;
        self
    }

    /// The longest pause before a request is sent again, whatever the server asks for. Five minutes unless set.
    pub fn max_poll_interval(mut self, interval: Duration) -> Self {
        self.max_poll_interval = interval;
        self
    }

    /// How long [`BulkClient::wait`] waits for an export. Without an end unless set: some take weeks.
    pub fn max_wait(mut self, wait: Option<Duration>) -> Self {
        self.max_wait = wait;
        self
    }

    /// How often in a row a request is repeated after a failure that may pass. Five unless set.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long connecting may take. 30 seconds unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the server may send nothing, before its answer and within it. Two minutes unless set.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// The `User-Agent`. This crate's name and version unless set.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Makes the client. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the base is no plain `http` or `https` URL, if the token would be sent unencrypted,
    /// or if a setting is unusable.
    pub fn build(self) -> Result<BulkClient, Error> {
        let base = checked_base(self.base)?;
        let bearer = self.token.map(|token| Bearer::new(token, &base)).transpose()?;
        let mut http = reqwest::Client::builder()
            .user_agent(self.user_agent)
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            // The transport follows redirects and decodes bodies itself, each with a check that is missing there.
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip();
        if is_loopback(&base) {
            // A proxy from the environment is for other machines.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| {
            let cause = crate::http::root_cause(&error);
            Error::new(ErrorKind::Config, format!("the HTTP client cannot be set up: {cause}"))
        })?;
        let pauses = Pauses { min: self.min_interval, max: self.max_poll_interval };
        let transport = Transport { http, bearer, retries: self.retries, pauses };
        Ok(BulkClient { transport, base, max_wait: self.max_wait })
    }
}

/// `base` with a path that ends with `/`, so that relative references are resolved below it.
///
/// # Errors
/// [`ErrorKind::Config`] for what is no address of a FHIR server, or holds secrets, which would be sent and stored.
pub fn checked_base(mut base: Url) -> Result<Url, Error> {
    let refused = |what: &str| Err(Error::new(ErrorKind::Config, what));
    if !matches!(base.scheme(), "http" | "https") {
        return refused("the base URL is neither http nor https");
    }
    if !base.username().is_empty() || base.password().is_some() {
        return refused("the base URL has a user or password in it, which would be sent and stored");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return refused("the base URL has a query or a fragment: it should end with the path, like /fhir");
    }
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(base: &str) -> Result<BulkClient, Error> {
        BulkClient::builder(Url::parse(base).unwrap()).build()
    }

    #[test]
    fn the_base_path_ends_with_a_slash() {
        assert_eq!(build("https://ehr.example/fhir").unwrap().base().as_str(), "https://ehr.example/fhir/");
        assert_eq!(build("http://ehr.example").unwrap().base().as_str(), "http://ehr.example/");
    }

    #[test]
    fn a_base_with_more_than_a_path_is_refused() {
        for base in ["ftp://h/", "https://u@h/", "https://u:p@h/", "https://h/fhir?x=1", "https://h/#f"] {
            assert_eq!(build(base).unwrap_err().kind(), ErrorKind::Config, "{base}");
        }
    }

    #[test]
    fn debug_of_the_settings_has_no_token() {
        let builder =
            BulkClient::builder(Url::parse("https://h/").unwrap()).bearer_token(Secret::new("abc123"));
        assert!(!format!("{builder:?}").contains("abc123"));
    }
}
