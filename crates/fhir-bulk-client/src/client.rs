//! The client and how it is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::auth::{Authorizer, Credentials, Discovery, Grant, Origins, Secret, SmartConfiguration};
use crate::check::ServerCheck;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::export::{KickOffMethod, OwnJobs};
use crate::http::{Encryption, Pauses, Transport, is_loopback};
use crate::server::Quirks;

/// A client of one FHIR server. Its methods are the steps of an export; see the [crate's guide](crate).
///
/// It is cheap to share by reference, and all its futures may run at the same time.
pub struct BulkClient {
    pub(crate) transport: Transport,
    /// The FHIR base, its path ending with `/`.
    pub(crate) base: Url,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) max_busy_wait: Duration,
    pub(crate) kick_off_method: KickOffMethod,
    pub(crate) client_id: Option<String>,
    pub(crate) own_jobs: OwnJobs,
    discovery: Discovery,
    dialect: Option<Dialect>,
    quirks: Option<Quirks>,
    /// What [`BulkClient::adopt`] found.
    found: (Dialect, Quirks),
}

/// Settings of a [`BulkClient`].
#[derive(Clone, Debug)]
pub struct Builder {
    base: Url,
    credentials: Option<Credentials>,
    token_origins: Vec<Url>,
    unencrypted: bool,
    min_interval: Duration,
    max_poll_interval: Duration,
    max_wait: Option<Duration>,
    max_busy_wait: Duration,
    kick_off_method: KickOffMethod,
    dialect: Option<Dialect>,
    quirks: Option<Quirks>,
    client_id: Option<String>,
    retries: u32,
    connect_timeout: Duration,
    read_timeout: Duration,
    user_agent: String,
    /// In PEM.
    authorities: Vec<Vec<u8>>,
}

impl BulkClient {
    /// Settings for the server with this FHIR base, for example `https://ehr.example/fhir`.
    pub fn builder(base: Url) -> Builder {
        Builder {
            base,
            credentials: None,
            token_origins: Vec::new(),
            unencrypted: false,
            min_interval: Duration::from_secs(1),
            max_poll_interval: Duration::from_secs(300),
            max_wait: None,
            max_busy_wait: Duration::from_secs(3600),
            kick_off_method: KickOffMethod::Auto,
            dialect: None,
            quirks: None,
            client_id: None,
            retries: 5,
            connect_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(120),
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            authorities: Vec::new(),
        }
    }

    /// The FHIR base, its path ending with `/`.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The version of the specification in which the server is spoken to.
    pub fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or(self.found.0)
    }

    /// The deviations that are reckoned with.
    pub fn quirks(&self) -> &Quirks {
        self.quirks.as_ref().unwrap_or(&self.found.1)
    }

    /// Speaks to the server as `check` found it to be, as far as the builder left that open.
    pub fn adopt(&mut self, check: &ServerCheck) {
        self.found = (check.dialect, check.quirks.clone());
    }

    /// What the authorization server grants: gets a token, unless there is one already. None without credentials, or
    /// if they are themselves the token.
    ///
    /// # Errors
    /// [`ErrorKind::TokenRefused`] if the server gives no token; otherwise as any request.
    pub async fn grant(&self) -> Result<Option<Grant>, Error> {
        match &self.transport.auth {
            Some(auth) => auth.grant().await,
            None => Ok(None),
        }
    }

    /// What the server says about its authorization. It is asked once.
    ///
    /// # Errors
    /// As any request; [`ErrorKind::Protocol`] if what comes is nothing of the kind.
    pub async fn smart_configuration(&self) -> Result<SmartConfiguration, Error> {
        Ok(self.discovery.get().await?.1.clone())
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
    /// The token for the server. It is sent to the origin of the base only.
    pub fn bearer_token(self, token: Secret) -> Self {
        self.credentials(Credentials::Bearer(token))
    }

    /// Who the client is. The token that comes of it is sent to the origin of the base and to those of
    /// [`Builder::token_origin`].
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Another origin that may see the token, for example of a host with attachments. May be called several times.
    pub fn token_origin(mut self, origin: Url) -> Self {
        self.token_origins.push(origin);
        self
    }

    /// Allows `http://` to other machines than this one: whoever is in between reads patients' data and the token.
    pub fn allow_unencrypted(mut self, allow: bool) -> Self {
        self.unencrypted = allow;
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

    /// How long a kick-off waits for exports of others that are in its way. One hour unless set.
    pub fn max_busy_wait(mut self, wait: Duration) -> Self {
        self.max_busy_wait = wait;
        self
    }

    /// How kick-offs are sent.
    pub fn kick_off_method(mut self, method: KickOffMethod) -> Self {
        self.kick_off_method = method;
        self
    }

    /// The server's version of the specification. Unless set it is what [`BulkClient::adopt`] finds, and until then
    /// version 2, which the others understand.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// How the server deviates from the specification. Unless set it is what [`BulkClient::adopt`] finds.
    pub fn quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = Some(quirks);
        self
    }

    /// The client's id, for servers that want it beside the token ([`Quirks::client_id_header`]). Unless set it is that of
    /// the credentials, if they have one.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
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

    /// Certificates in PEM of authorities whose servers are trusted beside those that the system trusts. May be called
    /// several times.
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// Makes the client. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the base is no plain `http` or `https` URL, or if a setting is unusable;
    /// [`ErrorKind::Unencrypted`] if the base, the token endpoint or another origin for the token is `http` and not on
    /// this machine.
    pub fn build(self) -> Result<BulkClient, Error> {
        let base = checked_base(self.base)?;
        let encryption = Encryption::for_base(&base, self.unencrypted);
        for url in std::iter::once(&base).chain(&self.token_origins) {
            encryption.check(url).map_err(|error| error.with_hint("use an https:// URL"))?;
        }
        let mut http = reqwest::Client::builder()
            .user_agent(self.user_agent)
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            // The transport follows redirects and decodes bodies itself, each with a check that is missing there.
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip();
        for pem in &self.authorities {
            http = http.tls_certs_merge(authorities(pem)?);
        }
        if is_loopback(&base) {
            // A proxy from the environment is for other machines.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| {
            let cause = crate::http::root_cause(&error);
            Error::new(ErrorKind::Config, format!("the HTTP client cannot be set up: {cause}"))
        })?;
        let pauses = Pauses { min: self.min_interval, max: self.max_poll_interval };
        let mut transport = Transport { http, encryption, auth: None, retries: self.retries, pauses };
        let discovery = Discovery::new(transport.clone(), base.clone());
        let of_credentials = self.credentials.as_ref().and_then(Credentials::client_id).map(str::to_owned);
        let client_id = self.client_id.or(of_credentials);
        if let Some(credentials) = self.credentials {
            credentials.check(encryption)?;
            let origins = Origins::new(&base, &self.token_origins);
            let source = credentials.source(transport.clone(), discovery.clone());
            transport.auth = Some(Arc::new(Authorizer::new(source, origins)));
        }
        Ok(BulkClient {
            transport,
            base,
            max_wait: self.max_wait,
            max_busy_wait: self.max_busy_wait,
            kick_off_method: self.kick_off_method,
            client_id,
            own_jobs: OwnJobs::default(),
            discovery,
            dialect: self.dialect,
            quirks: self.quirks,
            found: Default::default(),
        })
    }
}

/// The certificates of a PEM file.
fn authorities(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, Error> {
    let unusable = |why: &str| {
        Error::new(ErrorKind::Config, format!("the authorities' certificates cannot be used: {why}"))
            .with_hint("a file of certificates in PEM begins with -----BEGIN CERTIFICATE-----")
    };
    let found = reqwest::Certificate::from_pem_bundle(pem);
    let found = found.map_err(|error| unusable(&crate::http::root_cause(&error)))?;
    if found.is_empty() { Err(unusable("there is none in the file")) } else { Ok(found) }
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
        assert_eq!(build("http://127.0.0.1").unwrap().base().as_str(), "http://127.0.0.1/");
    }

    #[test]
    fn unencrypted_is_for_this_machine_unless_the_user_says_otherwise() {
        let base = || BulkClient::builder(Url::parse("http://ehr.example/fhir").unwrap());
        assert_eq!(base().build().unwrap_err().kind(), ErrorKind::Unencrypted);
        assert!(base().allow_unencrypted(true).build().is_ok());
        let origin = Url::parse("http://files.example").unwrap();
        let client = BulkClient::builder(Url::parse("https://ehr.example").unwrap()).token_origin(origin);
        assert_eq!(client.build().unwrap_err().kind(), ErrorKind::Unencrypted);
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
