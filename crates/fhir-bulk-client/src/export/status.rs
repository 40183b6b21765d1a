//! Waiting for an export ([specification](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-status-request)).
//!
//! The status URL is asked until it answers 200 with the manifest, and then each page that a manifest links to as
//! `next`, by the same rules: 202 and 429 mean "later" without an end; failures that may pass are borne `retries`
//! times in a row; what stays is an error. `Retry-After` is honoured between the shortest and the longest interval
//! that the client was built with.
//!
//! After any error but [`ErrorKind::JobGone`] and [`ErrorKind::JobFailed`] the status URL can be waited for again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{EXPIRES, HeaderName, HeaderValue};
use url::Url;

use super::manifest::{Manifest, OutputFile, Section};
use super::record::FileKey;
use crate::client::BulkClient;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::http::{Answer, Call, Failure, Retry, redact, retry_after, time_until};
use crate::outcome::{OperationOutcome, one_line};
use crate::server::Quirks;

/// The longest manifest that is read, in bytes of all its pages together.
const MAX_MANIFEST: usize = 256 * 1024 * 1024;

/// The longest OperationOutcome of a failed job that is read, in bytes.
const MAX_OUTCOME: usize = 256 * 1024;

/// The longest `X-Progress` that is passed on, in characters: the specification's limit.
const MAX_PROGRESS: usize = 100;

/// How an export that is not finished yet is getting on.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The server's `X-Progress`: free text, on one line of at most 100 characters.
    pub progress: Option<String>,
    /// How long the client now waits before it asks again.
    pub next_poll: Duration,
    /// Time since the waiting began.
    pub elapsed: Duration,
    /// A page of the manifest that the server gives while it goes on (`allowPartialManifests`): its files are final
    /// and may be downloaded. The whole manifest has them again.
    pub partial: Option<Box<Page>>,
}

/// The whole manifest of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestPages {
    /// Its pages in order, at least one.
    pub pages: Vec<Page>,
}

/// One page of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Where it came from.
    pub url: Url,
    /// The page as it was received, after content decoding.
    pub raw: Bytes,
    /// Until when the files are there, by the `Expires` header, as it was written.
    pub expires: Option<String>,
    /// How long that was when the page came, by the server's own clock where it says its time.
    pub expires_in: Option<Duration>,
    /// What it says, with URLs made absolute.
    pub manifest: Manifest,
}

impl ManifestPages {
    /// The `transactionTime`, which is the same on every page.
    pub fn transaction_time(&self) -> Option<&str> {
        self.pages.first().map(|page| page.manifest.transaction_time.as_str())
    }

    /// The page whose files are the first to go, if the server says when: [`Page::expires`] and [`Page::expires_in`].
    pub fn first_to_expire(&self) -> Option<&Page> {
        self.pages.iter().filter(|page| page.expires_in.is_some()).min_by_key(|page| page.expires_in)
    }

    /// All files: those with resources, those with what was deleted, those with OperationOutcomes. Each with the key by
    /// which it is known again in a manifest that is asked for later, and its page's `requiresAccessToken`.
    pub fn files(&self) -> impl Iterator<Item = (FileKey, &OutputFile, bool)> {
        let output = self.output().enumerate().map(|(index, file)| (Section::Output, index, file));
        let deleted = self.deleted().enumerate().map(|(index, file)| (Section::Deleted, index, file));
        let outcomes = self.outcomes().enumerate().map(|(index, file)| (Section::Outcome, index, file));
        let all = output.chain(deleted).chain(outcomes);
        all.map(|(section, index, (file, token))| (FileKey::of(section, index, file), file, token))
    }

    /// The files with resources, of all pages, each with its page's `requiresAccessToken`.
    pub fn output(&self) -> impl Iterator<Item = (&OutputFile, bool)> {
        self.section(|manifest| manifest.output.iter())
    }

    /// The files with Bundles of what was deleted, of all pages, each with its page's `requiresAccessToken`.
    pub fn deleted(&self) -> impl Iterator<Item = (&OutputFile, bool)> {
        self.section(|manifest| manifest.deleted.iter())
    }

    /// The files with OperationOutcomes, of all pages, each with its page's `requiresAccessToken`.
    pub fn outcomes(&self) -> impl Iterator<Item = (&OutputFile, bool)> {
        self.section(Manifest::outcomes)
    }

    fn section<'a, I>(
        &'a self,
        section: fn(&'a Manifest) -> I,
    ) -> impl Iterator<Item = (&'a OutputFile, bool)>
    where
        I: Iterator<Item = &'a OutputFile> + 'a,
    {
        let manifests = self.pages.iter().map(|page| &page.manifest);
        manifests
            .flat_map(move |manifest| section(manifest).map(|file| (file, manifest.requires_access_token)))
    }
}

impl BulkClient {
    /// Asks for the status until the export is finished. `on_progress` is called before every pause.
    ///
    /// # Errors
    /// [`ErrorKind::JobGone`] if the server no longer knows the job, [`ErrorKind::JobFailed`] if the export failed,
    /// [`ErrorKind::StillRunning`] after the longest wait, [`ErrorKind::Protocol`] if the manifest is none or its
    /// pages contradict each other; otherwise as any request.
    pub async fn wait(
        &self,
        status_url: &Url,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<ManifestPages, Error> {
        self.own_jobs.waited_for(status_url);
        let waited = self.wait_for_pages(status_url, &mut on_progress).await;
        match &waited {
            Ok(_) => self.own_jobs.finished(status_url),
            Err(error) if matches!(error.kind(), ErrorKind::JobGone | ErrorKind::JobFailed) => {
                self.own_jobs.gone(status_url);
            }
            Err(_) => {}
        }
        waited
    }

    async fn wait_for_pages(
        &self,
        status_url: &Url,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<ManifestPages, Error> {
        let started = Instant::now();
        let mut pages: Vec<Page> = Vec::new();
        let mut seen = HashSet::new();
        let mut room = MAX_MANIFEST;
        let mut next = Some(status_url.clone());
        while let Some(url) = next {
            let page = self.poll(&url, room, started, on_progress).await?;
            room -= page.raw.len();
            let wrong = |what: &str| Error::new(ErrorKind::Protocol, what).with_url("GET", &url);
            if pages
                .first()
                .is_some_and(|first| first.manifest.transaction_time != page.manifest.transaction_time)
            {
                return Err(wrong("the pages of the manifest have different transaction times"));
            }
            seen.insert(url.clone());
            next = page
                .manifest
                .next()
                .map(|link| page.url.join(link))
                .transpose()
                .map_err(|_| wrong("the manifest's link to its next page is no URL"))?;
            if next.as_ref().is_some_and(|next| seen.contains(next)) {
                return Err(wrong("the pages of the manifest lead in a circle"));
            }
            pages.push(page);
        }
        Ok(ManifestPages { pages })
    }

    /// Asks `url` until it answers with a page of a manifest, of at most `room` bytes.
    async fn poll(
        &self,
        url: &Url,
        room: usize,
        started: Instant,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<Page, Error> {
        let mut call = self.with_client_id(Call::get(url.clone(), "application/json"));
        if self.dialect() >= Dialect::Stu3 {
            let prefer = HeaderValue::from_static("respond-async, separate-export-status");
            call = call.with_header("prefer", prefer);
        }
        let (mut running, mut failing) = (self.transport.pauses.begin(), self.transport.pauses.begin());
        let mut failures = 0_u32;
        loop {
            let verdict = match self.transport.once(&call).await {
                Ok(answer) => self.read(&call, answer, room).await,
                Err(failure) => judge(failure, self.quirks()),
            };
            let (pause, progress, partial) = match verdict {
                Verdict::Done(page) => return Ok(*page),
                Verdict::Later { pause, progress, partial } => {
                    failures = 0;
                    failing = self.transport.pauses.begin();
                    (running.next(pause), progress, partial)
                }
                Verdict::Bear { error, pause } if failures < self.transport.retries => {
                    tracing::warn!(%error, "the status could not be asked; asking again");
                    failures += 1;
                    (failing.next(pause), None, None)
                }
                Verdict::Bear { error, .. } => {
                    return Err(error.with_attempts(failures + 1, started.elapsed()));
                }
                Verdict::Final(error) => return Err(error),
            };
            let elapsed = started.elapsed();
            let next_poll = self.next_poll(pause, elapsed, url)?;
            on_progress(&Progress { progress, next_poll, elapsed, partial });
            tokio::time::sleep(next_poll).await;
        }
    }

    /// The pause before the next poll, cut where the longest wait ends.
    fn next_poll(&self, pause: Duration, elapsed: Duration, url: &Url) -> Result<Duration, Error> {
        let Some(max_wait) = self.max_wait else { return Ok(pause) };
        let left = max_wait.saturating_sub(elapsed);
        if left.is_zero() {
            let what = format!("the export has not finished within {} s", max_wait.as_secs());
            return Err(Error::new(ErrorKind::StillRunning, what)
                .with_url("GET", url)
                .with_hint("run again to go on waiting for the same export"));
        }
        Ok(pause.min(left))
    }
}

/// What an answer at the status URL, or the want of one, means for the job.
enum Verdict {
    Done(Box<Page>),
    /// The job goes on: it is running, or was asked for too often.
    Later {
        pause: Option<Duration>,
        progress: Option<String>,
        partial: Option<Box<Page>>,
    },
    /// It may pass.
    Bear {
        error: Error,
        pause: Option<Duration>,
    },
    Final(Error),
}

impl BulkClient {
    /// A success of the request. How the job is may be said by a header instead of the status.
    async fn read(&self, call: &Call, answer: Answer, room: usize) -> Verdict {
        let status = separate_status(&answer).unwrap_or(answer.status);
        let (pause, progress) = (retry_after(&answer.headers), progress_text(&answer));
        match status {
            StatusCode::OK => match read_page(answer, room).await {
                Ok(page) => Verdict::Done(Box::new(page)),
                Err(error) if matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Timeout) => {
                    Verdict::Bear { error, pause: None }
                }
                Err(error) => Verdict::Final(error),
            },
            StatusCode::ACCEPTED => {
                // Anything but a manifest is an outcome or nothing; what it says is in `X-Progress` too.
                let has_json = answer.body.media_type().is_some_and(|name| name.contains("json"));
                let page = if has_json { read_page(answer, room).await.ok() } else { None };
                Verdict::Later { pause, progress, partial: page.map(Box::new) }
            }
            status if status.is_client_error() || status.is_server_error() => {
                let headers = answer.headers.clone();
                let body = answer.body.read(MAX_OUTCOME).await.unwrap_or_default();
                let outcome = OperationOutcome::parse(&body);
                let words = outcome.as_ref().map(|outcome| self.transport.scrub(&outcome.words()));
                let mut failure = Failure::status(call, status, headers, outcome);
                failure.error = failure.error.with_diagnostics(words);
                judge(failure, self.quirks())
            }
            status => {
                let what = "the status is neither 200 (finished) nor 202 (running)";
                let error = Error::new(ErrorKind::Protocol, what);
                Verdict::Final(error.with_url("GET", &answer.url).with_status(status.as_u16()))
            }
        }
    }
}

/// The job's status by `X-Export-Status`, if the server says that it separates it from that of the request
/// ([separate export status](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-status-request)).
fn separate_status(answer: &Answer) -> Option<StatusCode> {
    let values = answer.headers.get_all(HeaderName::from_static("preference-applied"));
    let applied = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|value| value.trim().eq_ignore_ascii_case("separate-export-status"));
    if !applied {
        return None;
    }
    let text = answer.header(HeaderName::from_static("x-export-status"))?;
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    StatusCode::from_bytes(digits.as_bytes()).ok()
}

/// Anything but a success.
fn judge(failure: Failure, quirks: &Quirks) -> Verdict {
    let Failure { error, retry, pause, outcome, .. } = failure;
    match error.kind() {
        ErrorKind::Throttled => Verdict::Later { pause, progress: None, partial: None },
        ErrorKind::NotFound => Verdict::Final(
            error
                .recast(ErrorKind::JobGone, "the server no longer knows this export")
                .with_hint("it was deleted or has expired: start a new one"),
        ),
        ErrorKind::Refused | ErrorKind::Server => {
            let transient = outcome.as_ref().is_some_and(OperationOutcome::is_transient);
            let says_nothing = quirks.status_500_may_pass && error.status() == Some(500);
            // A server that asks to come back, or calls the fault transient, has not given up the job.
            let given_up = pause.is_none() && outcome.is_some() && !transient && !says_nothing;
            if transient || (retry != Retry::Never && !given_up) {
                return Verdict::Bear { error, pause };
            }
            let error = error.recast(ErrorKind::JobFailed, "the server reports that the export failed");
            Verdict::Final(error.with_hint("start a new one, with another request if this one is at fault"))
        }
        _ if retry == Retry::Never => Verdict::Final(error),
        _ => Verdict::Bear { error, pause },
    }
}

async fn read_page(answer: Answer, room: usize) -> Result<Page, Error> {
    let url = answer.url.clone();
    let expires = answer.header(EXPIRES).map(str::to_owned);
    let expires_in = expires.as_deref().and_then(|expires| time_until(expires, &answer.headers));
    let media_type = answer.body.media_type().unwrap_or_default();
    let raw = answer.body.read(room).await?;
    let mut manifest = Manifest::parse(&raw).map_err(|error| {
        let error = error.with_url("GET", &url).with_status(200);
        if media_type.contains("json") {
            return error;
        }
        error.with_hint(format!(
            "the answer is {media_type:?}, not application/json: a page of a login or a proxy?"
        ))
    })?;
    manifest.resolve_urls(&url);
    tracing::debug!(url = redact(&url), files = manifest.output.len(), "page of the manifest");
    Ok(Page { url, raw, expires, expires_in, manifest })
}

fn progress_text(answer: &Answer) -> Option<String> {
    let text = one_line(answer.header(HeaderName::from_static("x-progress"))?.trim_matches('"'));
    Some(text.chars().take(MAX_PROGRESS).collect::<String>()).filter(|text| !text.is_empty())
}
