//! Downloading a file ([specification](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-output-file-request)).
//!
//! Who retries: [`BulkClient::download`] repeats the request until the server begins to send. From then on the bytes
//! are the caller's, so an error of [`Download::chunk`] is final for this download: throw away what was written and
//! download the file again.

use std::fmt;

use bytes::Bytes;
use reqwest::header::ETAG;

use super::manifest::OutputFile;
use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};
use crate::http::{Body, Call};
use crate::ndjson::Tally;

/// A file that is being received.
pub struct Download {
    body: Body,
    tally: Tally,
    retries: u32,
    complete: bool,
}

/// What is known of a file after its download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadSummary {
    /// Length in bytes after content decoding: what the caller was given.
    pub byte_count: u64,
    /// Number of lines that are not empty.
    pub line_count: u64,
    /// SHA-256 of the bytes, as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// How often the request was repeated before the server began to send.
    pub retries: u32,
    /// Whether the file was received to its end. If not, the other numbers are of the part that was.
    pub complete: bool,
}

impl BulkClient {
    /// Begins to download a file of a manifest whose `requiresAccessToken` is given.
    ///
    /// The token is sent only if `requires_access_token` is true, only to the origin of the FHIR base, and to no
    /// address that it redirects to elsewhere. A relative URL is resolved below the base.
    ///
    /// # Errors
    /// As any request; [`ErrorKind::Protocol`] if the server sends a page instead of a file.
    pub async fn download(&self, file: &OutputFile, requires_access_token: bool) -> Result<Download, Error> {
        let url = self.at_base(&file.url)?;
        let call = Call { authorize: requires_access_token, ..Call::get(url, "application/fhir+ndjson") };
        let answer = self.transport.send(&call).await.map_err(explain)?;
        if let Some(page @ ("text/html" | "application/xhtml+xml")) = answer.body.media_type().as_deref() {
            return Err(Error::new(ErrorKind::Protocol, format!("the server sent {page} instead of a file"))
                .with_url("GET", &answer.url)
                .with_status(answer.status.as_u16())
                .with_hint("a login page? Compare the file's URL with the server's documentation"));
        }
        Ok(Download { body: answer.body, tally: Tally::new(), retries: answer.retries, complete: false })
    }
}

/// `error` with what it means at this step.
fn explain(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Forbidden | ErrorKind::NotFound => {
            error.with_hint("the link may have expired: ask for the status again, which may give a new one")
        }
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
    /// [`ErrorKind::Protocol`] if it is no sound gzip. The download is over then.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = self.body.chunk().await?;
        match &chunk {
            Some(bytes) => self.tally.update(bytes),
            None => self.complete = true,
        }
        Ok(chunk)
    }

    /// The media type of the file as the server names it, in lower case and without parameters.
    pub fn media_type(&self) -> Option<String> {
        self.body.media_type()
    }

    /// The file's `ETag`.
    pub fn etag(&self) -> Option<String> {
        self.body.header(&ETAG)
    }

    /// Ends the download, after [`Download::chunk`] has returned none.
    pub fn finish(self) -> DownloadSummary {
        let facts = self.tally.finish();
        DownloadSummary {
            byte_count: facts.byte_count,
            line_count: facts.line_count,
            sha256: facts.sha256,
            retries: self.retries,
            complete: self.complete,
        }
    }
}
