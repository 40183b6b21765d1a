//! What a request that did not succeed means, and whether asking again may help.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use rustls::CertificateError;

use super::call::shown_headers;
use super::{Call, retry_after};
use crate::error::{Error, ErrorKind};
use crate::outcome::OperationOutcome;

/// Whether a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// The answer will not change.
    Never,
    /// It may help, if the request does no harm when the server had in fact acted on it.
    Repeatable,
    /// It may help, and the server has not acted on the request.
    Always,
}

/// A request that did not succeed.
pub(crate) struct Failure {
    pub error: Error,
    pub retry: Retry,
    /// How long the server asks to wait.
    pub pause: Option<Duration>,
    pub outcome: Option<OperationOutcome>,
    pub headers: HeaderMap,
    /// The answer's body, as far as it is not too long for an error.
    pub body: Bytes,
}

impl Failure {
    /// A failure that asking again does not mend.
    pub(crate) fn fatal(error: Error) -> Self {
        Self::new(error, Retry::Never)
    }

    fn new(error: Error, retry: Retry) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { error, retry, pause: None, outcome: None, headers, body }
    }

    /// No answer came.
    pub(crate) fn transport(call: &Call, error: &reqwest::Error) -> Self {
        let host = &call.url[url::Position::BeforeHost..url::Position::AfterPort];
        let cause = root_cause(error);
        if let Some(certificate) = certificate_error(error) {
            return Self::certificate(call, host, certificate);
        }
        let (kind, what, retry) = if error.is_timeout() && !error.is_connect() {
            (
                ErrorKind::Timeout,
                "the server sent no answer in the time allowed".to_owned(),
                Retry::Repeatable,
            )
        } else if error.is_timeout() {
            (ErrorKind::Timeout, format!("no connection to {host} in the time allowed"), Retry::Always)
        } else if error.is_connect() {
            (ErrorKind::Connect, format!("cannot connect to {host}: {cause}"), Retry::Always)
        } else if error.is_builder() {
            (ErrorKind::Config, format!("the request cannot be sent: {cause}"), Retry::Never)
        } else {
            (ErrorKind::Connect, format!("the connection to {host} broke: {cause}"), Retry::Repeatable)
        };
        let mut error = Error::new(kind, what).with_url(call.method_name(), &call.url);
        if retry == Retry::Always {
            error = error.with_hint("is the server running, and is this its address?");
        }
        Self::new(error, retry)
    }

    /// The server is not known to be the one that was meant. Asking again does not change its certificate.
    fn certificate(call: &Call, host: &str, why: &CertificateError) -> Self {
        let what =
            format!("the certificate of {host} is refused: {}", crate::outcome::one_line(&why.to_string()));
        let hint = match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it has expired: the server needs another"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "is this machine's clock right?"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "use the name in the URL that the certificate has"
            }
            _ => "if an authority of your own issued it, give that authority's certificate to the client",
        };
        Self::fatal(
            Error::new(ErrorKind::Certificate, what).with_url(call.method_name(), &call.url).with_hint(hint),
        )
    }

    /// An answer came, with a status that is no success.
    pub(crate) fn status(
        call: &Call,
        status: StatusCode,
        headers: HeaderMap,
        outcome: Option<OperationOutcome>,
    ) -> Self {
        let (kind, what, hint) = meaning(status);
        let pause = retry_after(&headers);
        let mut error = Error::new(kind, what)
            .with_url(call.method_name(), &call.url)
            .with_status(status.as_u16())
            .with_retry_after(pause)
            .with_headers(shown_headers(&headers));
        if let Some(hint) = hint {
            error = error.with_hint(hint);
        }
        let retry = match status.as_u16() {
            429 | 503 => Retry::Always,
            501 | 505 => Retry::Never,
            408 | 425 | 500..=599 => Retry::Repeatable,
            _ => Retry::Never,
        };
        Self { pause, outcome, headers, ..Self::new(error, retry) }
    }
}

fn meaning(status: StatusCode) -> (ErrorKind, &'static str, Option<&'static str>) {
    match status.as_u16() {
        401 => (ErrorKind::Unauthorized, "the server does not accept the credentials", None),
        403 => (
            ErrorKind::Forbidden,
            "the server does not allow this",
            Some("the token's scopes must cover it, for example system/*.rs or system/*.read"),
        ),
        404 | 410 => (ErrorKind::NotFound, "the server knows nothing at this address", None),
        429 => (ErrorKind::Throttled, "the server asks for fewer requests", Some("run again later")),
        400..=499 => (ErrorKind::Refused, "the server refuses the request", None),
        500..=599 => {
            (ErrorKind::Server, "the server failed", Some("it may be down or overloaded: run again later"))
        }
        _ => (ErrorKind::Protocol, "the server's answer has an unexpected status", None),
    }
}

/// What is wrong with the server's certificate, if that is what `error` was caused by.
fn certificate_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(why);
    }
    // What an I/O error carries is not its source: that is the source of what it carries.
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(carried) => certificate_error(carried),
        None => certificate_error(error.source()?),
    }
}

/// The text of the error that the others were caused by. It names no URL.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "the request failed".to_owned() };
    while let Some(next) = cause.source() {
        cause = next;
    }
    let cause = cause.to_string();
    crate::outcome::one_line(cause.split(" (os error").next().unwrap_or(&cause))
}
