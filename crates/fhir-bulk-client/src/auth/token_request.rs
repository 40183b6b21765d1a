//! Asking for a token by the grant `client_credentials`
//! ([obtain access token](https://hl7.org/fhir/smart-app-launch/backend-services.html#obtain-access-token)).
//!
//! How a client proves who it is differs ([`Proof`]); everything else is the same for all of them: where the token
//! endpoint is, which scopes are asked for, how an answer is read, and when to ask again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::OnceCell;
use url::{Url, form_urlencoded};

use super::discovery::Discovery;
use super::token::{Lifetime, Token};
use super::{Grant, Scopes, Secret, SmartConfiguration};
use crate::error::{Error, ErrorKind};
use crate::http::{Call, Failure, Transport};
use crate::outcome::one_line;

/// The longest answer that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// What a client proves itself with, made anew for every request.
pub(crate) struct Proof {
    /// Parameters of the form.
    pub parameters: Vec<(&'static str, String)>,
    /// An `Authorization` header.
    pub authorization: Option<HeaderValue>,
    /// What must not be shown where a server repeats it.
    pub secrets: Vec<Secret>,
}

/// Asks for tokens.
pub(crate) struct TokenRequest {
    pub transport: Transport,
    pub discovery: Discovery,
    /// The token endpoint, where the user has named it.
    pub token_url: Option<Url>,
    /// The scopes, where the user has named them.
    pub scopes: Option<Scopes>,
    pub found: OnceCell<Endpoint>,
}

/// The token endpoint and what is known of it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub url: Url,
    pub configuration: SmartConfiguration,
}

/// A token response ([RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "crate::lenient::seconds")]
    expires_in: Option<u64>,
    scope: Option<String>,
    patient: Option<String>,
    #[serde(rename = "refresh_token")]
    _refresh_token: Option<IgnoredAny>,
}

/// An error response ([RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl TokenRequest {
    pub(crate) fn new(
        transport: Transport,
        discovery: Discovery,
        token_url: Option<Url>,
        scopes: Option<Scopes>,
    ) -> Self {
        Self { transport, discovery, token_url, scopes, found: OnceCell::new() }
    }

    /// The token endpoint, found once. One that the user has named needs no discovery: some servers have none.
    pub(crate) async fn endpoint(&self) -> Result<&Endpoint, Error> {
        let find = || async {
            let discovered = self.discovery.get().await.cloned();
            match (&self.token_url, discovered) {
                (Some(url), found) => {
                    let configuration = found.map(|(_, configuration)| configuration).unwrap_or_default();
                    Ok(Endpoint { url: url.clone(), configuration })
                }
                (None, Ok((document, configuration))) => {
                    Ok(Endpoint { url: configuration.token_url(&document)?, configuration })
                }
                (None, Err(error)) => Err(error),
            }
        };
        self.found.get_or_try_init(find).await
    }

    /// Gets a token with what `proof` makes for the endpoint.
    ///
    /// # Errors
    /// [`ErrorKind::TokenRefused`] if the server gives none; otherwise as any request.
    pub(crate) async fn fetch(
        &self,
        proof: impl Fn(&Endpoint) -> Result<Proof, Error>,
    ) -> Result<Token, Error> {
        let endpoint = self.endpoint().await?;
        let asked = match &self.scopes {
            Some(scopes) => scopes.clone(),
            None => {
                let found = &endpoint.configuration;
                Scopes::usual(&found.scopes_supported, &found.capabilities)
            }
        };
        match self.ask(endpoint, &asked, &proof).await {
            // Which spelling a server takes is not always what it lists.
            Err(error) if error.1.as_deref() == Some("invalid_scope") && self.scopes.is_none() => {
                let Some(other) = asked.respelled() else { return Err(error.0) };
                self.ask(endpoint, &other, &proof).await.map_err(|_| error.0)
            }
            other => other.map_err(|error| error.0),
        }
    }

    /// Asks, again where that may help, with a new proof each time: a server takes none twice.
    async fn ask(
        &self,
        endpoint: &Endpoint,
        scopes: &Scopes,
        proof: &impl Fn(&Endpoint) -> Result<Proof, Error>,
    ) -> Result<Token, (Error, Option<String>)> {
        let start = Instant::now();
        let mut backoff = self.transport.pauses.begin();
        let mut attempts = 0;
        loop {
            let proof = proof(endpoint).map_err(|error| (error, None))?;
            let secrets = proof.secrets.clone();
            let call = call(&endpoint.url, scopes, proof);
            attempts += 1;
            match self.transport.once(&call).await {
                Ok(answer) => {
                    let body = answer.body.read(MAX_BODY).await.map_err(|error| (error, None))?;
                    return token(&body, scopes, &endpoint.url).map_err(|error| (error, None));
                }
                Err(failure) if failure.may_repeat(&call) && attempts <= self.transport.retries => {
                    tokio::time::sleep(backoff.next(failure.pause)).await;
                }
                Err(failure) => {
                    let (error, code) = refusal(failure, &secrets);
                    return Err((error.with_attempts(attempts, start.elapsed()), code));
                }
            }
        }
    }
}

fn call(url: &Url, scopes: &Scopes, proof: Proof) -> Call {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.to_string());
    }
    for (name, value) in &proof.parameters {
        form.append_pair(name, value);
    }
    let body = Bytes::from(form.finish());
    let mut call = Call::post(url.clone(), "application/json", "application/x-www-form-urlencoded", body);
    // A token that is issued twice does no harm, and the proof is another one each time.
    call.repeatable = true;
    call.authorize = false;
    if let Some(authorization) = proof.authorization {
        call = call.with_header("authorization", authorization);
    }
    call
}

pub(super) fn token(body: &[u8], asked: &Scopes, url: &Url) -> Result<Token, Error> {
    let refused = |what: &str| Error::new(ErrorKind::Protocol, what).with_url("POST", url);
    // The parser's words may quote the token.
    let granted: Granted = serde_json::from_slice(body)
        .map_err(|_| refused("the authorization server's answer is no token response"))?;
    if granted.token_type.as_deref().is_some_and(|name| !name.eq_ignore_ascii_case("bearer")) {
        return Err(refused("the authorization server gives a token that is no bearer token"));
    }
    let expires_in = granted.expires_in.map(Duration::from_secs);
    let mut token = Token::new("Bearer", &Secret::new(granted.access_token), Lifetime::Limited(expires_in))?;
    token.grant = Some(Grant {
        asked: asked.clone(),
        granted: granted.scope.as_deref().map(Scopes::parse),
        expires_in,
        patient: granted.patient,
    });
    Ok(token)
}

/// The error of a request that brought no token, and OAuth's code for it.
fn refusal(failure: Failure, secrets: &[Secret]) -> (Error, Option<String>) {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(&failure.body) else {
        let error = match failure.error.kind() {
            ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::Refused => {
                failure.error.recast(ErrorKind::TokenRefused, "the authorization server gives no token")
            }
            _ => failure.error,
        };
        return (error, None);
    };
    let words =
        format!("{}: {}", refusal.error, refusal.error_description.as_deref().unwrap_or("no details"));
    let words = secrets
        .iter()
        .filter(|secret| !secret.expose().is_empty())
        .fold(words, |words, secret| words.replace(secret.expose(), "[redacted]"));
    let mut error = failure.error.recast(ErrorKind::TokenRefused, "the authorization server gives no token");
    if let Some(hint) = hint(&refusal.error, &failure.headers) {
        error = error.with_hint(hint);
    }
    (error.with_diagnostics(Some(one_line(&words))), Some(refusal.error))
}

fn hint(code: &str, headers: &reqwest::header::HeaderMap) -> Option<String> {
    let skew = crate::http::date(headers).and_then(|theirs| {
        let ours = std::time::SystemTime::now();
        let apart = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours)).ok()?;
        (apart > Duration::from_secs(60)).then(|| {
            format!(
                "this machine's clock and the server's are {} s apart: an assertion is good for minutes",
                apart.as_secs()
            )
        })
    });
    match code {
        "invalid_client" | "invalid_grant" => Some(skew.unwrap_or_else(|| {
            "is the client registered with this key or secret? `fhirlake keys jwks` shows which keys to register".to_owned()
        })),
        "invalid_scope" => Some("ask for scopes that the client is registered for (--scope)".to_owned()),
        "unauthorized_client" | "unsupported_grant_type" => {
            Some("the client must be registered for the grant client_credentials".to_owned())
        }
        _ => None,
    }
}
