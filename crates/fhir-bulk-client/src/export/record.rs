//! What a caller keeps of an export so that another process can go on with it: the job, and each file that is finished.
//!
//! Order: the job is durable before the first poll, a file's record after the file has its final name. What has a record
//! is not asked for again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::applied::Contradiction;
use super::download::DownloadSummary;
use super::inspect::Contents;
use super::kickoff::KickOff;
use super::manifest::{OutputFile, Section};
use super::request::ExportRequest;
use crate::http::redact;
use crate::ndjson::Tally;

/// A job that the server has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The way back to the job. It may hold a key to it.
    pub status_url: Url,
    /// What was asked, redacted.
    pub request: String,
    /// SHA-256 of all that was asked, to know it again.
    pub request_sha256: String,
    /// What was noticed at the kick-off.
    pub warnings: Vec<String>,
    /// When, in seconds since 1970.
    pub kicked_off_at: u64,
}

impl JobRecord {
    /// The record of a kick-off of `request` that was accepted just now.
    pub fn new(kick_off: &KickOff, request: &ExportRequest) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        // The parameters are ours and hold no secrets, unlike those of other URLs.
        let mut bare = kick_off.request_url.clone();
        bare.set_query(None);
        let query = kick_off.request_url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Self {
            status_url: kick_off.status_url.clone(),
            request: format!("{}{query}", redact(&bare)),
            request_sha256: sha256_of(request),
            warnings: kick_off.warnings.clone(),
            kicked_off_at: now.as_secs(),
        }
    }
}

impl JobRecord {
    /// Whether the job is of this request.
    pub fn is_of(&self, request: &ExportRequest) -> bool {
        self.request_sha256 == sha256_of(request)
    }
}

fn sha256_of(request: &ExportRequest) -> String {
    let mut tally = Tally::new();
    tally.update(format!("{request:?}").as_bytes());
    tally.finish().sha256
}

/// Which file of an export is meant, whatever its link is this time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileKey {
    /// The part of the manifest.
    pub section: Section,
    /// The place in this part, over all pages.
    pub index: usize,
    /// SHA-256 of the type and the URL without its query, which may be a signature.
    pub identity: String,
}

impl FileKey {
    /// The key of the file that stands at `index` of `section`.
    pub fn of(section: Section, index: usize, file: &OutputFile) -> Self {
        let path = file.url.split(['?', '#']).next().unwrap_or_default();
        let mut tally = Tally::new();
        tally.update(format!("{}\n{path}", file.type_.as_deref().unwrap_or_default()).as_bytes());
        let identity = tally.finish().sha256;
        Self { section, index, identity }
    }
}

/// A file that is finished and verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Which file.
    pub key: FileKey,
    /// Its name below the export's folder.
    pub name: String,
    /// Its type, as the manifest has it.
    #[serde(default)]
    pub type_: Option<String>,
    /// Where it came from, redacted.
    pub url: String,
    /// Length in bytes.
    pub byte_count: u64,
    /// Lines that are not empty.
    pub line_count: u64,
    /// SHA-256 of the bytes.
    pub sha256: String,
    /// How many resources the manifest said.
    #[serde(default)]
    pub manifest_count: Option<u64>,
    /// How often something of it was asked for again.
    pub retries: u32,
    /// What its lines are.
    pub contents: Contents,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// How far its first lines contradict what was asked; with zero lines where they do not.
    #[serde(default)]
    pub contradictions: Vec<Contradiction>,
    /// How long it took.
    pub elapsed: Duration,
}

impl FileRecord {
    /// The record of a file that was downloaded.
    pub fn new(key: FileKey, name: String, file: &OutputFile, summary: DownloadSummary) -> Self {
        let url = file.url.parse().map_or_else(|_| "relative".to_owned(), |url| redact(&url));
        Self {
            key,
            name,
            type_: file.type_.clone(),
            url,
            byte_count: summary.byte_count,
            line_count: summary.line_count,
            sha256: summary.sha256,
            manifest_count: file.count,
            retries: summary.retries,
            contents: summary.contents,
            warnings: summary.warnings,
            contradictions: Vec::new(),
            elapsed: summary.elapsed,
        }
    }
}
