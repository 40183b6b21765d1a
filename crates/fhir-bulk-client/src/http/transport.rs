//! One request: sent with the token where that may go, redirected, repeated where that does no harm.
//!
//! Redirects are followed here, not by the HTTP library, so that whether the token goes along is decided anew for
//! every hop by the same rule: the origin of the FHIR base, and no other. A redirect from https to http is refused.

use std::time::Instant;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use super::body::{self, Body};
use super::{Failure, Pauses, Retry, redact, retry_after};
use crate::auth::Bearer;
use crate::error::{Error, ErrorKind};
use crate::outcome::OperationOutcome;

/// How many redirects one request may take.
const MAX_REDIRECTS: usize = 5;

/// The longest body of an error that is read for its OperationOutcome.
const MAX_ERROR_BODY: usize = 256 * 1024;

/// What to send.
#[derive(Clone)]
pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub accept: &'static str,
    /// `Prefer: respond-async`.
    pub prefer_async: bool,
    /// Whether the token is sent if the URL is of its origin.
    pub authorize: bool,
    /// Whether sending it twice does the same as once.
    pub repeatable: bool,
}

impl Call {
    /// A `GET` with the token, safe to repeat.
    pub(crate) fn get(url: Url, accept: &'static str) -> Self {
        Self { method: Method::GET, url, accept, prefer_async: false, authorize: true, repeatable: true }
    }

    pub(crate) fn method_name(&self) -> &'static str {
        if self.method == Method::DELETE { "DELETE" } else { "GET" }
    }
}

/// A successful response.
pub(crate) struct Answer {
    pub status: StatusCode,
    /// Where it came from, after redirects.
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Body,
    /// How many times the request was sent before.
    pub retries: u32,
}

impl Answer {
    /// A header, if it is text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().ok()?.trim())
    }
}

/// Sends requests.
pub(crate) struct Transport {
    pub http: reqwest::Client,
    pub bearer: Option<Bearer>,
    /// How often a request is repeated before its error is reported.
    pub retries: u32,
    pub pauses: Pauses,
}

impl Transport {
    /// Sends `call`, again if that may help, until it succeeds.
    ///
    /// # Errors
    /// The last failure, when the answer is final or `retries` are used up.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let start = Instant::now();
        let mut retries = 0;
        loop {
            let failure = match self.once(call).await {
                Ok(answer) => return Ok(Answer { retries, ..answer }),
                Err(failure) => failure,
            };
            let may = failure.retry == Retry::Always || failure.retry == Retry::Repeatable && call.repeatable;
            if !may || retries == self.retries {
                return Err(failure.error.with_attempts(retries + 1, start.elapsed()));
            }
            let pause = self.pauses.next(failure.pause, retries);
            tracing::debug!(error = %failure.error, ?pause, "request is repeated");
            tokio::time::sleep(pause).await;
            retries += 1;
        }
    }

    /// Sends `call` once, following redirects.
    pub(crate) async fn once(&self, call: &Call) -> Result<Answer, Failure> {
        let mut hop = call.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.dispatch(&hop).await.map_err(|error| Failure::transport(&hop, &error))?;
            let status = response.status();
            tracing::debug!(method = %hop.method, url = redact(&hop.url), status = status.as_u16(), "response");
            match redirect(&hop, status, body::header(&response, &LOCATION)) {
                Some(target) => hop.url = target.map_err(Failure::fatal)?,
                None if status.is_success() => {
                    let headers = response.headers().clone();
                    let body =
                        Body::new(hop.method_name(), hop.url.clone(), response).map_err(Failure::fatal)?;
                    return Ok(Answer { status, url: hop.url, headers, body, retries: 0 });
                }
                None => return Err(self.failure(&hop, response).await),
            }
        }
        let error = Error::new(ErrorKind::Protocol, format!("more than {MAX_REDIRECTS} redirects"));
        Err(Failure::fatal(error.with_url(call.method_name(), &call.url)))
    }

    async fn dispatch(&self, call: &Call) -> reqwest::Result<reqwest::Response> {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        request = request.header(ACCEPT, call.accept).header(ACCEPT_ENCODING, "gzip");
        if call.prefer_async {
            request = request.header("Prefer", HeaderValue::from_static("respond-async"));
        }
        let bearer = self.bearer.as_ref().filter(|_| call.authorize);
        if let Some(header) = bearer.and_then(|bearer| bearer.header_for(&call.url)) {
            request = request.header(AUTHORIZATION, header);
        }
        request.send().await
    }

    async fn failure(&self, call: &Call, response: reqwest::Response) -> Failure {
        let status = response.status();
        let pause = retry_after(response.headers());
        let outcome = match Body::new(call.method_name(), call.url.clone(), response) {
            Ok(body) => body.read(MAX_ERROR_BODY).await.ok().and_then(|body| OperationOutcome::parse(&body)),
            Err(_) => None,
        };
        let words = outcome.as_ref().map(|outcome| self.scrub(outcome.text()));
        let mut failure = Failure::status(call, status, pause, outcome);
        failure.error = failure.error.with_diagnostics(words);
        if status == StatusCode::UNAUTHORIZED {
            failure.error = failure.error.with_hint(match &self.bearer {
                None => "pass a token (--bearer-token)",
                Some(_) if !call.authorize => {
                    "no token was sent, because the manifest says that files want none"
                }
                Some(bearer) if bearer.header_for(&call.url).is_none() => {
                    "the token was not sent, because this is not the FHIR base's origin"
                }
                Some(_) => "the token is wrong or has expired: pass a valid one (--bearer-token)",
            });
        }
        failure
    }

    /// A server's words without the token.
    pub(crate) fn scrub(&self, words: String) -> String {
        match &self.bearer {
            Some(bearer) => bearer.scrub(words),
            None => words,
        }
    }

    /// Whether a request to `url` would carry the token, if there is one.
    pub(crate) fn withholds_token_from(&self, url: &Url) -> bool {
        self.bearer.as_ref().is_some_and(|bearer| bearer.header_for(url).is_none())
    }
}

/// Where a response redirects to: none if it does not.
fn redirect(call: &Call, status: StatusCode, location: Option<String>) -> Option<Result<Url, Error>> {
    // 303 would turn a DELETE into a GET of something else.
    let followed = match call.method {
        Method::DELETE => matches!(status.as_u16(), 307 | 308),
        _ => matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308),
    };
    let location = location.filter(|_| followed)?;
    let refused = |what: &str| {
        let error = Error::new(ErrorKind::Protocol, what).with_url(call.method_name(), &call.url);
        Some(Err(error.with_status(status.as_u16())))
    };
    match call.url.join(&location) {
        Ok(target) if call.url.scheme() == "https" && target.scheme() != "https" => {
            refused("the server redirects from https to an unencrypted address")
        }
        Ok(target) => Some(Ok(target)),
        Err(_) => refused("the server redirects to something that is no URL"),
    }
}
