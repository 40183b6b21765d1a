//! Where a server's tokens come from: `.well-known/smart-configuration`
//! ([SMART discovery](https://hl7.org/fhir/smart-app-launch/conformance.html#using-well-known)).

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::http::{Call, Transport};

/// The longest document that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// What a server says about its authorization. Everything is optional: what servers must have and what they do have
/// differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct SmartConfiguration {
    /// Where a token is asked for.
    pub token_endpoint: Option<String>,
    /// How clients may authenticate there, for example `private_key_jwt`.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// With which algorithms they may sign, for example `RS384`.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// The grants, for example `client_credentials`.
    pub grant_types_supported: Vec<String>,
    /// The scopes.
    pub scopes_supported: Vec<String>,
    /// What else is supported, for example `permission-v2`.
    pub capabilities: Vec<String>,
}

impl SmartConfiguration {
    /// The token endpoint, where the document names one.
    pub(crate) fn token_url(&self, document: &Url) -> Result<Url, Error> {
        let refused = |what: &str| {
            let error = Error::new(ErrorKind::Protocol, what).with_url("GET", document);
            error.with_hint("name the token endpoint yourself (--token-url)")
        };
        let text = self.token_endpoint.as_deref();
        let text = text.ok_or_else(|| refused("the SMART configuration names no token endpoint"))?;
        document.join(text).map_err(|_| refused("the SMART configuration's token endpoint is no URL"))
    }
}

/// A server's SMART configuration, asked for once by all who want it. A failure is not remembered.
#[derive(Clone)]
pub(crate) struct Discovery {
    transport: Transport,
    base: Url,
    found: Arc<OnceCell<(Url, SmartConfiguration)>>,
}

impl Discovery {
    /// Of the server with this base. `transport` carries no token.
    pub(crate) fn new(transport: Transport, base: Url) -> Self {
        Self { transport, base, found: Arc::default() }
    }

    /// The configuration, and where it was found.
    ///
    /// # Errors
    /// As any request; [`ErrorKind::Protocol`] if what comes is none.
    pub(crate) async fn get(&self) -> Result<&(Url, SmartConfiguration), Error> {
        self.found.get_or_try_init(|| discover(&self.transport, &self.base)).await
    }
}

async fn discover(transport: &Transport, base: &Url) -> Result<(Url, SmartConfiguration), Error> {
    let url = base
        .join(".well-known/smart-configuration")
        .map_err(|_| Error::new(ErrorKind::Config, "the base URL cannot have a path"))?;
    let call = Call { authorize: false, ..Call::get(url, "application/json") };
    let answer = transport.send(&call).await.map_err(|error| {
        error.with_hint(
            "the server has no SMART configuration: name the token endpoint yourself (--token-url)",
        )
    })?;
    let url = answer.url.clone();
    let body = answer.body.read(MAX_BODY).await?;
    let configuration = serde_json::from_slice(&body).map_err(|error| {
        let what = format!("this is no SMART configuration: {error}");
        Error::new(ErrorKind::Protocol, what).with_url("GET", &url)
    })?;
    Ok((url, configuration))
}
