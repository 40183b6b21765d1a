//! Downloading a file ([specification](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-output-file-request)).
//!
//! Who retries: the client repeats the request until the server begins to send, and goes on with a body that breaks off
//! where it broke off. What [`Download::chunk`] reports after that is final for this download: throw away what was
//! written and download the file again. Give a file its final name only after [`Download::verify`].

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use url::Url;

use super::continuation::{Parts, Rest, rest_of};
use super::inspect::{Contents, Inspector};
use super::manifest::{OutputFile, Section};
use super::resume::{PartRecord, ResumePoint};
use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};
use crate::http::{Answer, Body, Call, Transport};
use crate::ndjson::Tally;

/// A file that is being received.
pub struct Download {
    transport: Transport,
    call: Call,
    body: Body,
    parts: Parts,
    tally: Tally,
    /// None once something was wrong.
    inspector: Option<Inspector>,
    /// Bytes that came with what was known already.
    first: Bytes,
    /// How many lines the server says there are, and whether it is known to be wrong.
    count: Option<u64>,
    count_is_wrong: bool,
    started: Instant,
    retries: u32,
    /// How often the body may break off yet.
    breaks_left: u32,
    complete: bool,
}

/// What is known of a file after its download.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadSummary {
    /// Length in bytes after content decoding: what the caller was given, and what it had before.
    pub byte_count: u64,
    /// Number of lines that are not empty.
    pub line_count: u64,
    /// SHA-256 of the bytes, as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// How often the request was repeated, before the server began to send and after it broke off.
    pub retries: u32,
    /// Whether the file was received to its end. If not, the other numbers are of the part that was.
    pub complete: bool,
    /// What its lines are; empty after [`Download::finish`].
    pub contents: Contents,
    /// What is odd about it, for a person to read.
    pub warnings: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

impl BulkClient {
    /// Begins to download a file of a manifest whose `requiresAccessToken` is given.
    ///
    /// The token is sent only if `requires_access_token` is true, only to the origin of the FHIR base, and to no
    /// address that it redirects to elsewhere. A relative URL is resolved below the base.
    ///
    /// # Errors
    /// As any request; [`ErrorKind::NotData`] if the server sends a page instead of a file, [`ErrorKind::LinkExpired`]
    /// if the URL is no longer good: ask for the manifest again.
    pub async fn download(&self, file: &OutputFile, requires_access_token: bool) -> Result<Download, Error> {
        let section = match file.type_.as_deref() {
            Some("OperationOutcome") => Section::Outcome,
            _ => Section::Output,
        };
        self.download_from(section, file, requires_access_token, ResumePoint::default()).await
    }

    /// Goes on with a download from `point`, or begins it there at its start. What the caller has written up to `point`
    /// stays; [`Download::chunk`] gives what follows.
    ///
    /// # Errors
    /// As [`BulkClient::download`]; [`ErrorKind::Truncated`] if the file is another one now, or what the point was given
    /// is not what its record says: begin at the start then.
    pub async fn download_from(
        &self,
        section: Section,
        file: &OutputFile,
        requires_access_token: bool,
        point: ResumePoint,
    ) -> Result<Download, Error> {
        let url = self.at_base(&file.url)?;
        let call = Call { authorize: requires_access_token, ..Call::get(url, "application/fhir+ndjson") };
        let begun = point.begun(section, file).map_err(|why| why.error(&call))?;
        let rest = match begun.tally.byte_count() {
            0 => self.transport.send(&call).await.map(Rest::whole),
            _ => rest_of(&self.transport, &call, &begun.tally, &begun.parts).await,
        };
        let Rest { answer, first } = rest.map_err(explain)?;
        refuse_page(&answer)?;
        Ok(Download {
            transport: self.transport.clone(),
            call,
            parts: begun.parts.after(&answer),
            body: answer.body,
            inspector: Some(begun.inspector),
            tally: begun.tally,
            first,
            count: file.count,
            count_is_wrong: self.quirks().counts_are_wrong,
            started: Instant::now(),
            retries: answer.retries,
            breaks_left: self.transport.retries,
            complete: false,
        })
    }
}

fn refuse_page(answer: &Answer) -> Result<(), Error> {
    match answer.body.media_type().as_deref() {
        Some(page @ ("text/html" | "application/xhtml+xml" | "application/fhir+xml" | "application/xml")) => {
            Err(Error::new(ErrorKind::NotData, format!("the server sent {page} instead of a file"))
                .with_url("GET", &answer.url)
                .with_status(answer.status.as_u16())
                .with_hint("a login page? Compare the file's URL with the server's documentation"))
        }
        _ => Ok(()),
    }
}

/// `error` with what it means at this step.
fn explain(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Forbidden | ErrorKind::NotFound => error
            .recast(ErrorKind::LinkExpired, "the server does not give the file")
            .with_hint("the link may have expired: ask for the status again, which may give a new one"),
        _ => error,
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Download");
        shown
            .field("byte_count", &self.tally.byte_count())
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

impl Download {
    /// The next bytes of the file, after content decoding, never empty; none at its end. They are as the server
    /// wrote them: cut anywhere, also within a line or a character.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the body ends before its end, [`ErrorKind::Timeout`] if nothing comes any more,
    /// each after going on has failed as often as a request is repeated; [`ErrorKind::Protocol`] if it is no sound
    /// gzip; [`ErrorKind::NotData`] if it is no file of such resources. The download is over then.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = match self.next().await? {
            Some(chunk) => chunk,
            None => {
                self.complete = true;
                return Ok(None);
            }
        };
        self.tally.update(&chunk);
        if let Some(inspector) = &mut self.inspector
            && let Err(why) = inspector.update(&chunk)
        {
            self.inspector = None;
            return Err(self.not_data(&why));
        }
        Ok(Some(chunk))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        let mut backoff = self.transport.pauses.begin();
        let mut broken = match self.body.chunk().await {
            Err(error) if may_go_on(&error) => error,
            other => return other,
        };
        while self.breaks_left > 0 {
            self.breaks_left -= 1;
            self.retries += 1;
            tracing::warn!(error = %broken, bytes = self.tally.byte_count(), "a download broke off and goes on");
            tokio::time::sleep(backoff.next(None)).await;
            self.parts.allowed &= !self.body.is_decoded();
            match rest_of(&self.transport, &self.call, &self.tally, &self.parts).await {
                Ok(rest) => {
                    self.parts = self.parts.after(&rest.answer);
                    self.body = rest.answer.body;
                    if !rest.first.is_empty() {
                        return Ok(Some(rest.first));
                    }
                    match self.body.chunk().await {
                        Err(error) if may_go_on(&error) => broken = error,
                        other => return other,
                    }
                }
                Err(error) if may_go_on(&error) => broken = error,
                Err(error) => return Err(Some(explain(error)).filter(is_expired).unwrap_or(broken)),
            }
        }
        Err(broken)
    }

    /// The media type of the file as the server names it, in lower case and without parameters.
    pub fn media_type(&self) -> Option<String> {
        self.body.media_type()
    }

    /// What to keep of the bytes that [`Download::chunk`] has given so far, so that another process can go on behind
    /// them with a [`ResumePoint`]. Keep it after the bytes themselves are durable.
    pub fn part_record(&self) -> PartRecord {
        let parts = Some(&self.parts).filter(|parts| parts.allowed && !self.body.is_decoded());
        PartRecord {
            byte_count: self.tally.byte_count(),
            sha256: self.tally.sha256(),
            etag: parts.and_then(|parts| Some(parts.etag.as_ref()?.to_str().ok()?.to_owned())),
            length: parts.and_then(|parts| parts.length),
        }
    }

    /// Ends the download, after [`Download::chunk`] has returned none, without looking at what was received.
    pub fn finish(self) -> DownloadSummary {
        let facts = self.tally.finish();
        DownloadSummary {
            byte_count: facts.byte_count,
            line_count: facts.line_count,
            sha256: facts.sha256,
            retries: self.retries,
            complete: self.complete,
            contents: Contents::default(),
            warnings: Vec::new(),
            elapsed: self.started.elapsed(),
        }
    }

    /// Ends the download, after [`Download::chunk`] has returned none, and vouches for it: the file is whole as far as
    /// HTTP, gzip, its last line and its count can tell, and has resources of its type.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if it may be short, [`ErrorKind::NotData`] if it is no such file. It must not get its
    /// final name then.
    pub fn verify(mut self) -> Result<DownloadSummary, Error> {
        if !self.complete {
            return Err(self.short("the download has not come to its end"));
        }
        let contents = match self.inspector.take() {
            None => Contents::default(),
            Some(mut inspector) => {
                let cut = inspector.ends_within_a_line().map_err(|why| self.not_data(&why))?;
                if cut {
                    return Err(self.short("its last line is cut off"));
                }
                inspector.finish().map_err(|why| self.not_data(&why))?
            }
        };
        let mut warnings = Vec::new();
        let lines = self.tally.line_count();
        if let Some(count) = self.count.filter(|count| *count != lines) {
            let what = format!("the manifest says {count} resources, the file has {lines}");
            if count > lines && !self.body.end_is_proven() && !self.count_is_wrong {
                return Err(self.short(&what));
            }
            warnings.push(what);
        }
        if contents.unreadable_lines > 0 {
            warnings.push(format!("{} lines are no resources", contents.unreadable_lines));
        }
        Ok(DownloadSummary { contents, warnings, ..self.finish() })
    }

    fn not_data(&self, why: &str) -> Error {
        not_data(&self.call.url, why)
    }

    fn short(&self, why: &str) -> Error {
        Error::new(ErrorKind::Truncated, format!("the file may be short: {why}"))
            .with_url("GET", &self.call.url)
            .with_hint("fetch it again from its start")
    }
}

pub(super) fn not_data(url: &Url, why: &str) -> Error {
    Error::new(ErrorKind::NotData, format!("what the server sent is no file of resources: {why}"))
        .with_url("GET", url)
}

fn is_expired(error: &Error) -> bool {
    error.kind() == ErrorKind::LinkExpired
}

fn may_go_on(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Timeout | ErrorKind::Connect)
}
