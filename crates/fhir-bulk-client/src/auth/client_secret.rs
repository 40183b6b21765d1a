//! A client secret instead of a key
//! ([symmetric client authentication](https://hl7.org/fhir/smart-app-launch/client-confidential-symmetric.html)): not
//! of the specification for exports, but all that some authorization servers have.

use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use url::form_urlencoded;

use super::Secret;
use super::basic::encoded;
use super::token::{Token, TokenSource};
use super::token_request::{Endpoint, Proof, TokenRequest};
use crate::error::{Error, ErrorKind};

/// Gets tokens with a secret.
pub(crate) struct SecretClient {
    pub client_id: String,
    pub secret: Secret,
    pub request: TokenRequest,
}

impl SecretClient {
    /// In the header, unless the server says that it wants the secret in the form.
    fn proof(&self, endpoint: &Endpoint) -> Result<Proof, Error> {
        let methods = &endpoint.configuration.token_endpoint_auth_methods_supported;
        let takes = |name: &str| methods.iter().any(|method| method == name);
        if takes("client_secret_post") && !takes("client_secret_basic") {
            let parameters = vec![
                ("client_id", self.client_id.clone()),
                ("client_secret", self.secret.expose().to_owned()),
            ];
            return Ok(Proof { parameters, authorization: None, secrets: vec![self.secret.clone()] });
        }
        // RFC 6749 section 2.3.1: both are encoded as in a form before Basic encodes them.
        let form = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = encoded(&form(&self.client_id), &Secret::new(form(self.secret.expose())));
        let mut header = HeaderValue::from_str(&format!("Basic {}", pair.expose()))
            .map_err(|_| Error::new(ErrorKind::Config, "the client secret cannot be sent"))?;
        header.set_sensitive(true);
        let secrets = vec![pair, self.secret.clone()];
        Ok(Proof { parameters: Vec::new(), authorization: Some(header), secrets })
    }
}

impl TokenSource for SecretClient {
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
