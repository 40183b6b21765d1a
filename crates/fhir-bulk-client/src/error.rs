//! One error type for the whole client: what happened, at which request, and what to do about it.
//!
//! Errors never carry credentials: URLs are [redacted](crate::redact), and a server's words are scrubbed of the
//! token, put on one line and cut to 500 characters.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::http::redact;

/// What a caller can tell apart in order to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client was asked for something that cannot work; no request was sent.
    Config,
    /// An address that is not encrypted, and not of this machine; no request was sent to it.
    Unencrypted,
    /// No connection: the name is unknown, the port is closed, or TLS failed for another reason than a certificate.
    Connect,
    /// The server's certificate is not trusted, is of another name, or is not valid now. Nothing was sent.
    Certificate,
    /// The server did not connect, or did not send anything, in the time allowed.
    Timeout,
    /// 401: the server wants a token, or another one.
    Unauthorized,
    /// The authorization server gives no token: the client, its key or its scopes are not what it expects.
    TokenRefused,
    /// 403: the token is known but may not do this.
    Forbidden,
    /// 404 or 410, other than of a status URL.
    NotFound,
    /// 429 after all retries, other than of a kick-off.
    Throttled,
    /// The server begins no export now, because others are running: of this client, of the Group, or too many. The
    /// status it says so with differs. Ask again after [`Error::retry_after`], or delete the export that is in the way.
    Busy,
    /// Another 4xx: the server does not do what was asked.
    Refused,
    /// 5xx after all retries.
    Server,
    /// The server answered with something that the specification does not allow or this client cannot read.
    Protocol,
    /// 404 or 410 of a status URL: the export was deleted or has expired. Start a new one.
    JobGone,
    /// The server reported at the status URL that the export failed. Start a new one.
    JobFailed,
    /// The export had not finished within the time allowed; its status URL is still good.
    StillRunning,
    /// A body ended before its end. Download the file again from its start.
    Truncated,
    /// The link to a file is no longer good. The manifest, asked for again, may have a new one.
    LinkExpired,
    /// What came is no file of resources: a page, an XML document, an OperationOutcome, resources of another type.
    NotData,
}

/// An error of the client. Its `Display` says what happened, where, and what to do.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<Detail>);

struct Detail {
    kind: ErrorKind,
    what: String,
    method: Option<&'static str>,
    url: Option<String>,
    status: Option<u16>,
    attempts: u32,
    elapsed: Duration,
    retry_after: Option<Duration>,
    headers: Vec<(&'static str, String)>,
    diagnostics: Option<String>,
    hint: Option<String>,
}

impl Error {
    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The request's method.
    pub fn method(&self) -> Option<&str> {
        self.0.method
    }

    /// The request's URL, [redacted](crate::redact).
    pub fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }

    /// The HTTP status of the last answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How many times the request was sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Time from the first attempt to the error.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How long the server asked to wait in its last answer.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Headers of the last answer that help to find the request in the server's log, none of which is secret.
    pub fn response_headers(&self) -> &[(&'static str, String)] {
        &self.0.headers
    }

    /// The server's own words from its OperationOutcome, at most 500 characters on one line.
    pub fn diagnostics(&self) -> Option<&str> {
        self.0.diagnostics.as_deref()
    }

    /// What to try, if anything is known to help.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// An error with its message, a clause without a full stop.
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Detail {
            kind,
            what: what.into(),
            method: None,
            url: None,
            status: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            retry_after: None,
            headers: Vec::new(),
            diagnostics: None,
            hint: None,
        }))
    }

    pub(crate) fn with_url(mut self, method: &'static str, url: &Url) -> Self {
        self.0.method = Some(method);
        self.0.url = Some(redact(url));
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32, elapsed: Duration) -> Self {
        self.0.attempts = attempts;
        self.0.elapsed = elapsed;
        self
    }

    pub(crate) fn with_retry_after(mut self, pause: Option<Duration>) -> Self {
        self.0.retry_after = pause;
        self
    }

    pub(crate) fn with_headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.0.headers = headers;
        self
    }

    pub(crate) fn with_diagnostics(mut self, diagnostics: Option<String>) -> Self {
        self.0.diagnostics = diagnostics;
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same request and answer with the meaning that a later step gives them; the hint goes.
    pub(crate) fn recast(mut self, kind: ErrorKind, what: impl Into<String>) -> Self {
        self.0.kind = kind;
        self.0.what = what.into();
        self.0.hint = None;
        self
    }
}

impl fmt::Display for Detail {
    /// `what (GET url, status 503, 3 attempts in 12 s). The server says: "…". hint.`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut facts = Vec::new();
        if let (Some(method), Some(url)) = (self.method, &self.url) {
            facts.push(format!("{method} {url}"));
        }
        if let Some(status) = self.status {
            facts.push(format!("status {status}"));
        }
        if self.attempts > 1 {
            facts.push(format!("{} attempts in {} s", self.attempts, self.elapsed.as_secs()));
        }
        if !facts.is_empty() {
            write!(f, " ({})", facts.join(", "))?;
        }
        if let Some(diagnostics) = &self.diagnostics {
            write!(f, ". The server says: \"{diagnostics}\"")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, ". Hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_says_what_where_and_what_to_do() {
        let url = Url::parse("https://me:pw@ehr.example/poll?job=17").unwrap();
        let error = Error::new(ErrorKind::Server, "the server failed")
            .with_url("GET", &url)
            .with_status(503)
            .with_attempts(3, Duration::from_millis(12_400))
            .with_diagnostics(Some("error transient: try later".into()))
            .with_hint("run again later");
        insta::assert_snapshot!(error, @r#"the server failed (GET https://ehr.example/poll?job=…, status 503, 3 attempts in 12 s). The server says: "error transient: try later". Hint: run again later"#);
        assert_eq!((error.kind(), error.status(), error.attempts()), (ErrorKind::Server, Some(503), 3));
        assert_eq!(error.url(), Some("https://ehr.example/poll?job=…"));
    }
}
