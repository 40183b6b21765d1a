//! Going on with a download that another process began: what that process has kept, compared with what is there.
//!
//! Invariant: bytes that are not those of the record are not gone on with.

use serde::{Deserialize, Serialize};

use super::continuation::{Parts, changed};
use super::download::not_data;
use super::inspect::Inspector;
use super::manifest::{OutputFile, Section};
use crate::error::Error;
use crate::http::Call;
use crate::ndjson::Tally;

/// What to keep of a file that is being received, beside its bytes: [`Download::part_record`](crate::Download::part_record).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// How many bytes of the file were there, after content decoding.
    pub byte_count: u64,
    /// SHA-256 of them, as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The file's strong `ETag`, if the server sends parts of it. Without one the whole is asked for and compared.
    #[serde(default)]
    pub etag: Option<String>,
    /// The length of the whole file, if the server has told it and sends parts of it.
    #[serde(default)]
    pub length: Option<u64>,
}

/// Where a download goes on that another process began: the bytes that are there, and what was kept of them.
///
/// It is given the first [`PartRecord::byte_count`] bytes of the file, read again from where they are kept. Other bytes
/// than those of the record, or more or fewer of them, are refused.
#[derive(Default)]
pub struct ResumePoint {
    tally: Tally,
    inspector: Option<Inspector>,
    no_data: Option<String>,
    record: Option<PartRecord>,
}

/// What has been received of a file already.
pub(super) struct Begun {
    pub tally: Tally,
    pub inspector: Inspector,
    pub parts: Parts,
}

/// Why a download cannot go on from a point.
pub(super) enum Unsound {
    NoData(String),
    NotTheRecords,
}

impl ResumePoint {
    /// Before the first byte. Without a record the bytes that are there are compared with the whole file.
    pub fn new(section: Section, file: &OutputFile, record: Option<PartRecord>) -> Self {
        let inspector = Some(Inspector::new(section, file));
        Self { tally: Tally::new(), inspector, no_data: None, record }
    }

    /// Takes the next of the bytes that are there.
    pub fn update(&mut self, bytes: &[u8]) {
        self.tally.update(bytes);
        if let Some(inspector) = &mut self.inspector
            && let Err(why) = inspector.update(bytes)
        {
            self.inspector = None;
            self.no_data = Some(why);
        }
    }

    /// How many bytes it was given.
    pub fn byte_count(&self) -> u64 {
        self.tally.byte_count()
    }

    /// Whether the bytes are those of the record, if there is one.
    pub fn is_as_recorded(&self) -> bool {
        self.record.as_ref().is_none_or(|record| {
            record.byte_count == self.tally.byte_count() && record.sha256 == self.tally.sha256()
        })
    }

    pub(super) fn begun(self, section: Section, file: &OutputFile) -> Result<Begun, Unsound> {
        if !self.is_as_recorded() {
            return Err(Unsound::NotTheRecords);
        }
        if let Some(why) = self.no_data {
            return Err(Unsound::NoData(why));
        }
        let record = self.record.unwrap_or_default();
        let etag = record.etag.filter(|etag| !etag.starts_with("W/")).and_then(|etag| etag.parse().ok());
        let parts = Parts { allowed: etag.is_some(), etag, length: record.length };
        let inspector = self.inspector.unwrap_or_else(|| Inspector::new(section, file));
        Ok(Begun { tally: self.tally, inspector, parts })
    }
}

impl Unsound {
    pub(super) fn error(self, call: &Call) -> Error {
        match self {
            Self::NoData(why) => not_data(&call.url, &why),
            Self::NotTheRecords => changed(call, "what was kept of the file is not what was received of it"),
        }
    }
}
