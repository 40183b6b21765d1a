//! The ways to prove to a server who the client is.

use std::path::PathBuf;

use url::Url;

use super::backend_services::KeyClient;
use super::basic::Basic;
use super::bearer::{Bearer, BearerFile};
use super::client_secret::SecretClient;
use super::discovery::Discovery;
use super::token::{Lifetime, Token};
use super::token_request::TokenRequest;
use super::{KeySet, Scopes, Secret, TokenSource};
use crate::error::Error;
use crate::http::{Encryption, Transport};

/// Who the client is, and how it proves it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// A token that was got elsewhere, for example one of a single patient from an app's launch. It is not renewed.
    Bearer(Secret),
    /// A token in a file that somebody keeps up to date. It is read again every minute, and when it is refused.
    BearerFile(PathBuf),
    /// A user and a password.
    Basic {
        /// The user, without a colon.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A client with a private key.
    BackendServices(BackendServices),
    /// A client with a secret.
    ClientSecret(ClientSecret),
}

/// A client of [SMART Backend Services](https://hl7.org/fhir/smart-app-launch/backend-services.html).
#[derive(Clone, Debug)]
pub struct BackendServices {
    /// The id that the server gave the client.
    pub client_id: String,
    /// Its keys. The first whose algorithm the server takes signs.
    pub keys: KeySet,
    /// The scopes to ask for; unless given, to read everything, in the spelling that the server lists.
    pub scopes: Option<Scopes>,
    /// The token endpoint; unless given, the one of the server's SMART configuration.
    pub token_url: Option<Url>,
    /// Where the public keys are hosted, if they are: sent as `jku`.
    pub key_set_url: Option<Url>,
}

/// A client with a secret.
#[derive(Clone, Debug)]
pub struct ClientSecret {
    /// The id that the server gave the client.
    pub client_id: String,
    /// Its secret.
    pub secret: Secret,
    /// As of [`BackendServices::scopes`].
    pub scopes: Option<Scopes>,
    /// As of [`BackendServices::token_url`].
    pub token_url: Option<Url>,
}

impl Credentials {
    /// Refuses what can never work, before any request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a token that a header cannot carry,
    /// [`ErrorKind::Unencrypted`](crate::ErrorKind::Unencrypted) for a token endpoint on `http`.
    pub(crate) fn check(&self, encryption: Encryption) -> Result<(), Error> {
        match self {
            Self::Bearer(token) => Token::new("Bearer", token, Lifetime::Unlimited).map(|_| ()),
            Self::BearerFile(_) | Self::Basic { .. } => Ok(()),
            Self::BackendServices(BackendServices { token_url, .. })
            | Self::ClientSecret(ClientSecret { token_url, .. }) => {
                token_url.as_ref().map_or(Ok(()), |url| encryption.check(url))
            }
        }
    }

    /// The client's id, if the credentials have one.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match self {
            Self::BackendServices(client) => Some(&client.client_id),
            Self::ClientSecret(client) => Some(&client.client_id),
            Self::Bearer(_) | Self::BearerFile(_) | Self::Basic { .. } => None,
        }
    }

    /// Where the tokens come from. `transport` carries none.
    pub(crate) fn source(self, transport: Transport, discovery: Discovery) -> Box<dyn TokenSource> {
        let request = |token_url, scopes| TokenRequest::new(transport, discovery, token_url, scopes);
        match self {
            Self::Bearer(token) => Box::new(Bearer(token)),
            Self::BearerFile(path) => Box::new(BearerFile(path)),
            Self::Basic { user, password } => Box::new(Basic { user, password }),
            Self::BackendServices(BackendServices { client_id, keys, scopes, token_url, key_set_url }) => {
                Box::new(KeyClient { client_id, keys, key_set_url, request: request(token_url, scopes) })
            }
            Self::ClientSecret(ClientSecret { client_id, secret, scopes, token_url }) => {
                Box::new(SecretClient { client_id, secret, request: request(token_url, scopes) })
            }
        }
    }
}
