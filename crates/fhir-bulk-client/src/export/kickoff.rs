//! The kick-off ([specification](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-kick-off-request)): asks the
//! server to begin an export.
//!
//! Invariant: one call begins at most one job. The request is repeated only where the server cannot have acted on it:
//! no connection, a refusal because of other exports, 503, or a method that it does not know. Save the status URL before
//! the first poll; it is the only way back to the job.

use std::time::Instant;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, CONTENT_LOCATION, HeaderName, HeaderValue};
use url::Url;

use super::busy::is_busy;
use super::own_jobs::InTheWay;
use super::parameters;
use super::request::{ExportRequest, Level};
use super::status::Progress;
use crate::client::BulkClient;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::http::{Answer, Call, Failure, redact};
use crate::outcome::OperationOutcome;

/// The longest answer to a kick-off that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The longest query of a `GET`, in bytes: some servers and proxies end at 8 KB for the whole line.
const MAX_QUERY: usize = 7 * 1024;

/// How a kick-off is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KickOffMethod {
    /// `GET`; `POST` for version 4, for single patients and for what is too long for a URL; and the other one where the
    /// server does not know the first.
    #[default]
    Auto,
    /// `GET` alone.
    Get,
    /// `POST` alone.
    Post,
}

/// An export that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KickOff {
    /// Where to ask for the export's status.
    pub status_url: Url,
    /// What was asked, for the record. It has no secret in it.
    pub request_url: Url,
    /// The Parameters resource that was sent, if it was sent by `POST`. It may name patients.
    pub request_body: Option<String>,
    /// What may not be as the caller means, for a person to read: parameters that the server ignores, a status URL
    /// where the token will not be sent.
    pub warnings: Vec<String>,
}

impl BulkClient {
    /// Begins an export.
    ///
    /// Where the server refuses because of exports of others it is asked again, as long as
    /// [`Builder::max_busy_wait`](crate::Builder::max_busy_wait) allows.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the request cannot be meant; [`ErrorKind::Busy`] at once if an export of this client is
    /// in the way, which the caller has to wait for (and to delete, if nothing else helps) before trying again, and
    /// after the wait if those of others are; [`ErrorKind::Protocol`] if the server accepts without saying where the
    /// status is; as any request if it refuses.
    pub async fn kick_off(&self, request: &ExportRequest) -> Result<KickOff, Error> {
        self.kick_off_observed(request, |_| ()).await
    }

    /// [`BulkClient::kick_off`], with `on_wait` called before every pause for the exports of others.
    ///
    /// # Errors
    /// As [`BulkClient::kick_off`].
    pub async fn kick_off_observed(
        &self,
        request: &ExportRequest,
        mut on_wait: impl FnMut(&Progress),
    ) -> Result<KickOff, Error> {
        request.check(self.quirks())?;
        self.refuse_empty_group(&request.level).await?;
        let forms = self.forms(request)?;
        let started = Instant::now();
        let mut backoff = self.transport.pauses.begin();
        loop {
            let failure = match self.attempt(&forms, &request.level).await {
                Ok((answer, call)) => return self.accepted(answer, call, request).await,
                Err(failure) => failure,
            };
            if !is_busy(&failure) {
                return Err(explain(failure.error, &request.level));
            }
            let elapsed = started.elapsed();
            if let Some(hint) = self.why_not_wait(elapsed) {
                let error =
                    failure.error.recast(ErrorKind::Busy, "the server begins no export beside others");
                return Err(error.with_hint(hint));
            }
            let next_poll = backoff.next(failure.pause).min(self.max_busy_wait.saturating_sub(elapsed));
            tracing::warn!(error = %failure.error, ?next_poll, "the server begins no export beside others");
            let progress = failure.error.diagnostics().map(str::to_owned);
            on_wait(&Progress { progress, next_poll, elapsed, partial: None });
            tokio::time::sleep(next_poll).await;
        }
    }

    /// What to do instead of waiting, if waiting is wrong.
    fn why_not_wait(&self, elapsed: std::time::Duration) -> Option<&'static str> {
        match self.own_jobs.in_the_way(self.quirks().job_blocks_until_deleted) {
            InTheWay::Running => Some("an export of this client is running: wait for it, then try again"),
            InTheWay::Finished => Some("an export of this client has finished: delete it, then try again"),
            InTheWay::Nothing if elapsed >= self.max_busy_wait => {
                Some("wait until the others have finished, or delete the one that is in the way")
            }
            InTheWay::Nothing => None,
        }
    }

    /// Sends the first form, and the second if the server does not know the first one's method.
    async fn attempt<'a>(&self, forms: &'a [Call], level: &Level) -> Result<(Answer, &'a Call), Failure> {
        let mut refused: Option<Failure> = None;
        for call in forms {
            match (self.transport.send_unless(call, is_busy).await, refused.take()) {
                (Ok(answer), _) => return Ok((answer, call)),
                (Err(failure), None) if forms.len() > 1 && is_unknown_method(&failure, level) => {
                    refused = Some(failure);
                }
                // The second one's refusal tells more, unless it is that it does not know this method either.
                (Err(failure), Some(first)) if is_unknown_method(&failure, level) => return Err(first),
                (Err(failure), _) => return Err(failure),
            }
        }
        Err(refused
            .unwrap_or_else(|| Failure::fatal(Error::new(ErrorKind::Config, "there is nothing to send"))))
    }

    /// The request in the forms to try.
    fn forms(&self, request: &ExportRequest) -> Result<Vec<Call>, Error> {
        let (dialect, quirks) = (self.dialect(), self.quirks());
        let endpoint = request.endpoint(&self.base)?;
        let query = parameters::query(request, dialect, quirks);
        let post_only = !request.patients.is_empty() || query.len() > MAX_QUERY;
        let mut get = endpoint.clone();
        get.set_query(Some(&query));
        let get = Call { repeatable: false, ..Call::get(get, "application/fhir+json") };
        let post = |dialect| {
            let body = Bytes::from(parameters::resource(request, dialect, quirks).to_string());
            Call::post(endpoint.clone(), "application/fhir+json", "application/fhir+json", body)
        };
        let forms = match self.kick_off_method {
            KickOffMethod::Get if !request.patients.is_empty() => {
                return Err(Error::new(ErrorKind::Config, "single patients can only be asked for by POST"));
            }
            KickOffMethod::Get => vec![get],
            KickOffMethod::Post => vec![post(dialect)],
            KickOffMethod::Auto if post_only => vec![post(dialect)],
            KickOffMethod::Auto if dialect == Dialect::Stu4 => vec![post(dialect), get],
            // Versions 2 and 3 demand GET of a server: one that does not know it speaks version 4.
            KickOffMethod::Auto => vec![get, post(Dialect::Stu4)],
        };
        Ok(forms.into_iter().map(|call| self.with_headers(call, request.lenient)).collect())
    }

    fn with_headers(&self, call: Call, lenient: bool) -> Call {
        let prefer = if lenient { "respond-async, handling=lenient" } else { "respond-async" };
        let mut call = call.with_header("prefer", HeaderValue::from_static(prefer));
        if self.quirks().asks_for_a_new_job {
            call.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        self.with_client_id(call)
    }

    /// `call` with the header that some servers want beside the token.
    pub(crate) fn with_client_id(&self, mut call: Call) -> Call {
        let value = self.client_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok());
        if let (Some(name), Some(value)) = (self.quirks().client_id_header, value) {
            call.headers.insert(HeaderName::from_static(name), value);
        }
        call
    }

    async fn accepted(&self, answer: Answer, call: &Call, request: &ExportRequest) -> Result<KickOff, Error> {
        let status_url = status_url(&answer, call)?;
        self.own_jobs.begun(&status_url);
        let mut warnings = request.warnings(self.dialect(), self.quirks());
        if answer.status != StatusCode::ACCEPTED {
            let status = answer.status.as_u16();
            warnings.push(format!("the server accepted the export with status {status}, not 202"));
        }
        if self.transport.withholds_token_from(&status_url) {
            let shown = redact(&status_url);
            warnings.push(format!(
                "the status URL {shown} is not of the FHIR base's origin: the token is not sent"
            ));
        }
        if let Ok(Some(grant)) = self.grant().await {
            warnings.extend(grant.warnings());
            warnings.extend(grant.warning_of_types(&request.types));
        }
        // A lenient server tells here which parameters it ignores.
        let outcome = answer.body.read(MAX_BODY).await.ok().and_then(|body| OperationOutcome::parse(&body));
        if let Some(outcome) = outcome {
            warnings.push(format!("the server says: {}", self.transport.scrub(&outcome.words())));
        }
        let request_body = call.body.as_ref().map(|(_, body)| String::from_utf8_lossy(body).into_owned());
        Ok(KickOff { status_url, request_url: call.url.clone(), request_body, warnings })
    }
}

fn status_url(answer: &Answer, call: &Call) -> Result<Url, Error> {
    let refused = |what: &str| {
        Error::new(ErrorKind::Protocol, what)
            .with_url(call.method_name(), &answer.url)
            .with_status(answer.status.as_u16())
            .with_hint("does this server do Bulk Data exports at this address?")
    };
    let location = answer
        .header(CONTENT_LOCATION)
        .ok_or_else(|| refused("the server accepted the export without a Content-Location"))?;
    let url = answer.url.join(location).map_err(|_| refused("the server's Content-Location is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("the server's Content-Location is neither http nor https"));
    }
    Ok(url)
}

/// Whether the server may know another method. A 404 of a Group is about the Group; a 400 that says why, about what was
/// asked.
fn is_unknown_method(failure: &Failure, level: &Level) -> bool {
    match failure.error.status() {
        Some(405 | 415 | 501) => true,
        Some(404) => !matches!(level, Level::Group(_)),
        Some(400) => failure.outcome.is_none(),
        _ => false,
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
        (ErrorKind::Refused, _) => error.recast(ErrorKind::Refused, "the server refuses to begin the export"),
        (ErrorKind::Server, _) if error.status() == Some(501) => {
            error.recast(ErrorKind::Refused, "the server does not do such exports")
        }
        (ErrorKind::Server | ErrorKind::Timeout, _) => {
            error.with_hint("the export may have begun all the same: look at the server before running again")
        }
        _ => error,
    }
}
