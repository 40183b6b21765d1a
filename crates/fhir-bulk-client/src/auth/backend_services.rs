//! SMART Backend Services: a signed assertion is exchanged for a token
//! ([specification](https://hl7.org/fhir/smart-app-launch/backend-services.html)).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use jsonwebtoken::Header;
use serde::Serialize;
use url::Url;

use super::token::{Token, TokenSource};
use super::token_request::{Endpoint, Proof, TokenRequest};
use super::{KeySet, Secret, SigningKey};
use crate::error::{Error, ErrorKind};

/// How long an assertion is good: the longest that the specification allows is five minutes, and a server's clock may
/// be behind.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(240);

/// Gets tokens with a private key.
pub(crate) struct KeyClient {
    pub client_id: String,
    pub keys: KeySet,
    /// Where the key set is hosted, if the server is to know (`jku`).
    pub key_set_url: Option<Url>,
    pub request: TokenRequest,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: String,
}

impl KeyClient {
    fn proof(&self, endpoint: &Endpoint) -> Result<Proof, Error> {
        let supported = &endpoint.configuration.token_endpoint_auth_signing_alg_values_supported;
        let assertion = self.assertion(self.keys.choose(supported)?, &endpoint.url)?;
        let parameters = vec![
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
            ("client_assertion", assertion.clone()),
        ];
        Ok(Proof { parameters, authorization: None, secrets: vec![Secret::new(assertion)] })
    }

    fn assertion(&self, key: &SigningKey, audience: &Url) -> Result<String, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut header = Header::new(key.algorithm().jwt());
        header.kid = Some(key.id().to_owned());
        header.jku = self.key_set_url.as_ref().map(Url::to_string);
        let claims = Claims {
            iss: &self.client_id,
            sub: &self.client_id,
            aud: audience.as_str(),
            exp: (now + ASSERTION_LIFETIME).as_secs(),
            iat: now.as_secs(),
            jti: uuid::Uuid::new_v4().to_string(),
        };
        jsonwebtoken::encode(&header, &claims, key.encoding())
            .map_err(|_| Error::new(ErrorKind::Config, "the key cannot sign"))
    }
}

impl TokenSource for KeyClient {
    fn fetch(&self) -> BoxFuture<'_, Result<Token, Error>> {
        Box::pin(self.request.fetch(|endpoint| self.proof(endpoint)))
    }

    fn renews(&self) -> bool {
        true
    }

    fn advice(&self) -> &'static str {
        "the server refused a token that was issued just now: is it for this server, and are its scopes enough?"
    }
}
