//! Who the client is to the server: credentials, the token that they become, and the origins that may see it.
//!
//! Invariant: an `Authorization` header leaves this module for the FHIR base's own origin and for origins that the
//! user has named, and for no other: not for a status URL, a file or a redirect elsewhere, for example a pre-signed
//! URL of an object store.
//!
//! Specification: [SMART Backend Services](https://hl7.org/fhir/smart-app-launch/backend-services.html), and what
//! servers have beside it: a client secret, Basic, a token that was got elsewhere.

mod backend_services;
mod basic;
mod bearer;
mod client_secret;
mod credentials;
mod discovery;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod grant;
mod key;
mod key_set;
mod origins;
mod scope;
mod secret;
mod token;
mod token_request;

use reqwest::header::HeaderValue;
use url::Url;

pub use credentials::{BackendServices, ClientSecret, Credentials};
pub(crate) use discovery::Discovery;
pub use discovery::SmartConfiguration;
pub use grant::Grant;
pub use key::{Algorithm, SigningKey};
pub use key_set::KeySet;
pub(crate) use origins::Origins;
pub use scope::Scopes;
pub use secret::Secret;
pub(crate) use token::{TokenCache, TokenSource};

use crate::error::Error;

/// The token, and who may see it.
pub(crate) struct Authorizer {
    tokens: TokenCache,
    origins: Origins,
}

impl Authorizer {
    pub(crate) fn new(source: Box<dyn TokenSource>, origins: Origins) -> Self {
        Self { tokens: TokenCache::new(source), origins }
    }

    /// Whether a request to `url` may carry the token.
    pub(crate) fn may_see(&self, url: &Url) -> bool {
        self.origins.may_see(url)
    }

    /// The header for a request to `url`, or none if `url` may not see it.
    ///
    /// # Errors
    /// Where there is no token and none can be got.
    pub(crate) async fn header_for(&self, url: &Url) -> Result<Option<HeaderValue>, Error> {
        if !self.may_see(url) {
            return Ok(None);
        }
        self.tokens.current().await.map(Some)
    }

    /// Whether there is another token than `refused`, which the server no longer accepts.
    ///
    /// # Errors
    /// Where the authorization server gives none.
    pub(crate) async fn renew(&self, refused: &HeaderValue) -> Result<bool, Error> {
        self.tokens.renew(refused).await
    }

    /// What was granted, if the credentials are exchanged for a token.
    pub(crate) async fn grant(&self) -> Result<Option<Grant>, Error> {
        self.tokens.grant().await
    }

    /// `text` of a server without the tokens, which some servers repeat when they refuse them.
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.tokens.scrub(text)
    }

    /// What to do when the server does not accept the token.
    pub(crate) fn advice(&self) -> &'static str {
        self.tokens.advice()
    }
}
