//! `input.json`: the files of a run, in their order. From its creation on, the run is a function of it.

use std::collections::BTreeMap;

use fhir_bulk_client::Contradiction;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::raw::layout::Section;
use crate::raw::{Checkpoint, RawFacts};

/// The frozen input of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The oldest `transactionTime` of the run's manifests, literally.
    pub transaction_time: String,
    /// The kick-off requests, redacted.
    pub request: Option<String>,
    /// `_since` as it was sent.
    pub since: Option<String>,
    /// The files.
    pub files: Vec<InputFile>,
    /// Whether `transaction_time` is a manifest's, not the run's own start.
    pub has_manifest: bool,
    /// What a manifest beside ingested files promises: resource type → resources, where it counts them.
    pub promised: BTreeMap<String, Option<u64>>,
    /// The watermarks that the run moves if the server reported no error.
    pub watermarks: BTreeMap<String, String>,
    /// Whether the run brought everything of its scope, not only what changed.
    pub complete: bool,
    /// The types of which the run brought everything there is, all of them where the list is empty; none where it did not.
    #[serde(default)]
    pub snapshot: Option<Vec<String>>,
    /// What the user should know, found before the files were read.
    pub warnings: Vec<String>,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// What it holds.
    pub section: Section,
    /// The type that every line must have, as a manifest says; none where each line says its own.
    pub resource_type: Option<String>,
    /// The type in its name.
    pub name: String,
    /// Where it came from, redacted.
    pub url: String,
    /// The SHA-256 of the whole URL that it was downloaded from, in hexadecimal: it tells two URLs apart that differ in
    /// what is redacted.
    #[serde(default)]
    pub url_sha256: Option<String>,
    /// Its path in the lake.
    pub path: String,
    /// Bytes, uncompressed.
    pub byte_count: u64,
    /// Lines that are not blank.
    pub line_count: u64,
    /// The manifest's `count`.
    pub manifest_count: Option<u64>,
    /// Of the uncompressed bytes, in hexadecimal.
    pub sha256: String,
    /// How often the download was started again.
    pub retries: u32,
    /// `_since` of its kick-off.
    pub since: Option<String>,
    /// Places in it from which it can be read, besides its beginning.
    #[serde(default)]
    pub checkpoints: Vec<Checkpoint>,
    /// How a file that was left where it is was found there.
    #[serde(default)]
    pub left: Option<LeftAt>,
    /// Whether it was asked for by `_elements`: its resources are parts, whether or not they say so.
    #[serde(default)]
    pub parts: bool,
    /// How far its first lines contradict what was asked.
    #[serde(default)]
    pub contradictions: Vec<Contradiction>,
    /// Whether its end was seen, as far as HTTP, gzip and its last line can tell.
    #[serde(default)]
    pub verified: bool,
    /// Whether an earlier run has loaded the same bytes: then it changes nothing, and is not kept again.
    #[serde(default)]
    pub loaded_before: bool,
}

/// What a file outside of the lake was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAt {
    /// Its bytes as they are stored.
    pub size: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub modified: u128,
}

impl LeftAt {
    /// What a file is now.
    pub fn now(path: &str) -> Result<Self> {
        let found = std::fs::metadata(path).map_err(Error::io("open", path))?;
        let modified = found.modified().map_err(Error::io("open", path))?;
        let since_1970 = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Self { size: found.len(), modified: since_1970.as_nanos() })
    }

    /// Whether the file is still what it was.
    ///
    /// # Errors
    /// [`Error::Damaged`] where it is not.
    pub fn check(&self, path: &str) -> Result<()> {
        if Self::now(path).is_ok_and(|now| now == *self) {
            return Ok(());
        }
        let reason = "it has changed since it was read: the lake refers to it and keeps no copy".to_owned();
        Err(Error::Damaged { path: path.to_owned(), reason })
    }
}

impl InputFile {
    /// An empty file.
    pub fn of(section: Section, path: &str) -> Self {
        Self {
            section,
            resource_type: None,
            name: String::new(),
            url: String::new(),
            url_sha256: None,
            path: path.to_owned(),
            byte_count: 0,
            line_count: 0,
            manifest_count: None,
            sha256: String::new(),
            retries: 0,
            since: None,
            checkpoints: Vec::new(),
            left: None,
            parts: false,
            contradictions: Vec::new(),
            verified: false,
            loaded_before: false,
        }
    }

    /// The same with what is known of its bytes.
    pub fn with(self, facts: RawFacts) -> Self {
        let RawFacts { file, checkpoints } = facts;
        Self {
            byte_count: file.byte_count,
            line_count: file.line_count,
            sha256: file.sha256,
            checkpoints,
            ..self
        }
    }
}
