//! One request: sent with the token where that may go, redirected, repeated where that does no harm.
//!
//! Redirects are followed here, not by the HTTP library, so that whether the token goes along is decided anew for
//! every hop by the same rule ([`Authorizer`]). A token that the server no longer accepts is renewed once.

use std::time::Instant;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use url::Url;

use super::redirect::redirected;
use super::{Answer, Body, Call, Encryption, Failure, Pauses, Retry, redact};
use crate::auth::Authorizer;
use crate::error::{Error, ErrorKind};
use crate::outcome::{OperationOutcome, one_line};

/// How many redirects one request may take.
const MAX_REDIRECTS: usize = 5;

/// The longest body of an error that is read for its OperationOutcome.
const MAX_ERROR_BODY: usize = 256 * 1024;

/// Sends requests.
#[derive(Clone)]
pub(crate) struct Transport {
    pub http: reqwest::Client,
    pub encryption: Encryption,
    pub auth: Option<std::sync::Arc<Authorizer>>,
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
        self.send_unless(call, |_| false).await.map_err(|failure| failure.error)
    }

    /// Sends `call` like [`Transport::send`], and gives up at a failure that the caller deals with.
    pub(crate) async fn send_unless(
        &self,
        call: &Call,
        is_the_callers: impl Fn(&Failure) -> bool,
    ) -> Result<Answer, Failure> {
        let start = Instant::now();
        let mut backoff = self.pauses.begin();
        let mut retries = 0;
        loop {
            let mut failure = match self.once(call).await {
                Ok(answer) => return Ok(Answer { retries, ..answer }),
                Err(failure) => failure,
            };
            if is_the_callers(&failure) || !failure.may_repeat(call) || retries == self.retries {
                failure.error = failure.error.with_attempts(retries + 1, start.elapsed());
                return Err(failure);
            }
            let pause = backoff.next(failure.pause);
            tracing::debug!(error = %failure.error, ?pause, "request is repeated");
            tokio::time::sleep(pause).await;
            retries += 1;
        }
    }

    /// Sends `call` once, following redirects, with a new token if the one it has is refused.
    pub(crate) async fn once(&self, call: &Call) -> Result<Answer, Failure> {
        let mut hop = call.clone();
        let (mut redirects, mut renewed) = (0, false);
        loop {
            self.encryption.check(&hop.url).map_err(Failure::fatal)?;
            let authorization = self.authorization(&hop).await.map_err(Failure::fatal)?;
            let response = self.dispatch(&hop, authorization.as_ref()).await;
            let response = response.map_err(|error| Failure::transport(&hop, &error))?;
            let status = response.status();
            tracing::debug!(method = %hop.method, url = redact(&hop.url), status = status.as_u16(), "response");
            if let Some(next) = redirected(&hop, status, response.headers()).map_err(Failure::fatal)? {
                redirects += 1;
                if redirects > MAX_REDIRECTS {
                    let error =
                        Error::new(ErrorKind::Protocol, format!("more than {MAX_REDIRECTS} redirects"));
                    return Err(Failure::fatal(error.with_url(call.method_name(), &call.url)));
                }
                hop = next;
            } else if status.is_success() {
                let headers = response.headers().clone();
                let body = Body::new(&hop, response).map_err(Failure::fatal)?;
                return Ok(Answer { status, url: hop.url, headers, body, retries: 0 });
            } else if status == StatusCode::UNAUTHORIZED && !renewed && self.renew(authorization).await? {
                renewed = true;
            } else {
                return Err(self.failure(&hop, response).await);
            }
        }
    }

    /// The `Authorization` that `call` is sent with.
    async fn authorization(&self, call: &Call) -> Result<Option<HeaderValue>, Error> {
        match &self.auth {
            Some(auth) if call.authorize => auth.header_for(&call.url).await,
            _ => Ok(None),
        }
    }

    /// Whether there is another token than the one that was refused.
    async fn renew(&self, refused: Option<HeaderValue>) -> Result<bool, Failure> {
        match (&self.auth, refused) {
            (Some(auth), Some(refused)) => auth.renew(&refused).await.map_err(Failure::fatal),
            _ => Ok(false),
        }
    }

    async fn dispatch(
        &self,
        call: &Call,
        authorization: Option<&HeaderValue>,
    ) -> reqwest::Result<reqwest::Response> {
        let encoding = if call.gzip { "gzip" } else { "identity" };
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        request = request.headers(call.headers.clone());
        request = request.header(ACCEPT, &*call.accept).header(ACCEPT_ENCODING, encoding);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some((media_type, body)) = &call.body {
            request = request.header(CONTENT_TYPE, *media_type).body(body.clone());
        }
        request.send().await
    }

    async fn failure(&self, call: &Call, response: reqwest::Response) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match Body::new(call, response) {
            Ok(body) => body.read(MAX_ERROR_BODY).await.unwrap_or_default(),
            Err(_) => Default::default(),
        };
        let outcome = OperationOutcome::parse(&body);
        let words = outcome.as_ref().map(|outcome| self.scrub(&outcome.words()));
        let mut failure = Failure::status(call, status, headers, outcome);
        failure.body = body;
        failure.error = failure.error.with_diagnostics(words);
        if status == StatusCode::UNAUTHORIZED {
            failure.error = failure.error.with_hint(self.why_unauthorized(call));
        }
        failure
    }

    fn why_unauthorized(&self, call: &Call) -> &'static str {
        match &self.auth {
            None => "pass a token (--bearer-token)",
            Some(_) if !call.authorize => "no token was sent, because the manifest says that files want none",
            Some(auth) if !auth.may_see(&call.url) => {
                "the token was not sent, because this is not the FHIR base's origin"
            }
            Some(auth) => auth.advice(),
        }
    }

    /// A server's words without the token, on one line.
    pub(crate) fn scrub(&self, words: &str) -> String {
        match &self.auth {
            // Before it is cut: half a token would not be found.
            Some(auth) => one_line(&auth.scrub(words)),
            None => one_line(words),
        }
    }

    /// Whether a request to `url` would carry the token, if there is one.
    pub(crate) fn withholds_token_from(&self, url: &Url) -> bool {
        self.auth.as_ref().is_some_and(|auth| !auth.may_see(url))
    }
}

impl Failure {
    /// Whether sending `call` again may help and does no harm.
    pub(crate) fn may_repeat(&self, call: &Call) -> bool {
        match self.retry {
            Retry::Always => true,
            Retry::Repeatable => call.repeatable,
            Retry::Never => false,
        }
    }
}
