//! The kick-off ([specification](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-kick-off-request)): asks the
//! server to begin an export.
//!
//! Invariant: one call begins at most one job. The request is repeated only where the server cannot have acted on it:
//! no connection, 429 (often: another export is running) and 503. Save the status URL before the first poll; it is
//! the only way back to the job.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_LOCATION, HeaderValue};
use url::Url;

use super::request::{ExportRequest, Level};
use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};
use crate::http::{Answer, Call, redact};
use crate::outcome::OperationOutcome;

/// The longest answer to a kick-off that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// An export that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KickOff {
    /// Where to ask for the export's status.
    pub status_url: Url,
    /// What was asked, for the record. It has no secret in it.
    pub request_url: Url,
    /// What may not be as the caller means, for a person to read: parameters that the server ignores, a status URL
    /// where the token will not be sent.
    pub warnings: Vec<String>,
}

impl BulkClient {
    /// Begins an export.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the request cannot be written as a URL; as any request if the server refuses it;
    /// [`ErrorKind::Protocol`] if it accepts without saying where the status is.
    pub async fn kick_off(&self, request: &ExportRequest) -> Result<KickOff, Error> {
        let request_url = request.url(&self.base)?;
        let call = Call { repeatable: false, ..Call::get(request_url.clone(), "application/fhir+json") };
        let call = call.with_header("prefer", HeaderValue::from_static("respond-async"));
        let answer = self.transport.send(&call).await.map_err(|error| explain(error, &request.level))?;
        let status_url = self.status_url(&answer)?;
        let mut warnings = request.warnings();
        if answer.status != StatusCode::ACCEPTED {
            warnings.push(format!(
                "the server accepted the export with status {}, not 202",
                answer.status.as_u16()
            ));
        }
        if self.transport.withholds_token_from(&status_url) {
            let shown = redact(&status_url);
            warnings.push(format!(
                "the status URL {shown} is not of the FHIR base's origin: the token is not sent"
            ));
        }
        // A lenient server tells here which parameters it ignores.
        let outcome = answer.body.read(MAX_BODY).await.ok().and_then(|body| OperationOutcome::parse(&body));
        if let Some(outcome) = outcome {
            warnings.push(format!("the server says: {}", self.transport.scrub(&outcome.words())));
        }
        Ok(KickOff { status_url, request_url, warnings })
    }

    fn status_url(&self, answer: &Answer) -> Result<Url, Error> {
        let refused = |what: &str| {
            Error::new(ErrorKind::Protocol, what)
                .with_url("GET", &answer.url)
                .with_status(answer.status.as_u16())
                .with_hint("does this server do Bulk Data exports at this address?")
        };
        let location = answer
            .header(CONTENT_LOCATION)
            .ok_or_else(|| refused("the server accepted the export without a Content-Location"))?;
        let url =
            answer.url.join(location).map_err(|_| refused("the server's Content-Location is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("the server's Content-Location is neither http nor https"));
        }
        Ok(url)
    }
}

/// `error` with what it means at this step.
fn explain(error: Error, level: &Level) -> Error {
    match (error.kind(), level) {
        (ErrorKind::NotFound, Level::Group(_)) => {
            error.with_hint("does the Group exist, and may this client see it?")
        }
        (ErrorKind::NotFound, _) => {
            error.with_hint("does this server export at this level? Some have Groups only")
        }
        (ErrorKind::Throttled, _) => {
            error.with_hint("another export may be running: wait for it or delete it, then run again")
        }
        (ErrorKind::Refused, _) => error.recast(ErrorKind::Refused, "the server refuses to begin the export"),
        (ErrorKind::Server | ErrorKind::Timeout, _) => {
            error.with_hint("the export may have begun all the same: look at the server before running again")
        }
        _ => error,
    }
}
