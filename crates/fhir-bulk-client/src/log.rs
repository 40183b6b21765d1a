//! The export log that Bulk Data clients share: a file of events in NDJSON, usually `log.ndjson`, with the events and
//! names of version 2 of the
//! [log items](https://github.com/smart-on-fhir/bulk-data-client/wiki/Bulk-Data-Export-Log-Items).
//!
//! No secrets and no patients stand in it: URLs are [redacted](crate::redact), and the parameter `patient` is left out.

use std::io::Write;
use std::time::Instant;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use url::Url;

use crate::capability::Capability;
use crate::error::Error;
use crate::export::{DownloadSummary, KickOff, ManifestPages, OutputFile, Progress, Section};
use crate::http::redact;

/// Writes the log of one export.
pub struct ExportLog<W> {
    out: W,
    export_id: String,
    started: Instant,
    files: u64,
    resources: u64,
    bytes: u64,
}

impl<W: Write> ExportLog<W> {
    /// A log that is written to `out`, each event at once. `export_id` is the same for all runs that continue one
    /// export.
    pub fn new(out: W, export_id: impl Into<String>) -> Self {
        Self { out, export_id: export_id.into(), started: Instant::now(), files: 0, resources: 0, bytes: 0 }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Writes an event.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn event(&mut self, id: &str, detail: Value) -> std::io::Result<()> {
        let mut row = json!({
            "exportId": self.export_id,
            "timestamp": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            "eventId": id,
            "eventDetail": detail,
        });
        if id == "kickoff" {
            row["_client"] = json!(env!("CARGO_PKG_NAME"));
            row["_clientVersion"] = json!(env!("CARGO_PKG_VERSION"));
        }
        let mut line = row.to_string();
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }

    /// `kickoff`: the export has begun, or was refused.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn kick_off(
        &mut self,
        url: &Url,
        capability: Option<&Capability>,
        outcome: Result<&KickOff, &Error>,
    ) -> std::io::Result<()> {
        let parameters: Map<String, Value> =
            shown_parameters(url).into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let mut bare = url.clone();
        bare.set_query(None);
        let error = outcome.err();
        let detail = json!({
            "exportUrl": redact(&bare),
            "softwareName": capability.and_then(|said| said.software.as_deref()),
            "softwareVersion": null,
            "softwareReleaseDate": null,
            "fhirVersion": capability.map(|said| said.fhir_version.as_str()),
            "requestParameters": parameters,
            "errorCode": error.and_then(Error::status),
            "errorBody": error.map(Error::to_string),
            "responseHeaders": headers(error),
        });
        self.event("kickoff", detail)
    }

    /// `status_progress`: the export goes on.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn progress(&mut self, progress: &Progress) -> std::io::Result<()> {
        let detail = json!({
            "body": null,
            "xProgress": progress.progress,
            "retryAfter": progress.next_poll.as_secs(),
        });
        self.event("status_progress", detail)
    }

    /// `status_error`: the export failed, or could not be asked for.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn status_error(&mut self, error: &Error) -> std::io::Result<()> {
        self.event("status_error", error_detail(error))
    }

    /// `status_complete`, `status_page_complete` for each page, and `manifest_complete`: the manifest is there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn manifest(&mut self, manifest: &ManifestPages) -> std::io::Result<()> {
        let time = manifest.transaction_time();
        self.event("status_complete", json!({"transactionTime": time}))?;
        for page in &manifest.pages {
            let detail = json!({
                "transactionTime": page.manifest.transaction_time,
                "outputFileCount": page.manifest.output.len(),
                "deletedFileCount": page.manifest.deleted.len(),
                "errorFileCount": page.manifest.outcomes().count(),
            });
            self.event("status_page_complete", detail)?;
        }
        let detail = json!({
            "transactionTime": time,
            "totalOutputFileCount": manifest.output().count(),
            "totalDeletedFileCount": manifest.deleted().count(),
            "totalErrorFileCount": manifest.outcomes().count(),
            "totalManifests": manifest.pages.len(),
        });
        self.event("manifest_complete", detail)
    }

    /// `download_request`: a file is asked for.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn download_request(&mut self, section: Section, file: &OutputFile) -> std::io::Result<()> {
        let item_type = match section {
            Section::Output => "output",
            Section::Deleted => "deleted",
            Section::Outcome => "error",
        };
        let detail = json!({"fileUrl": shown(&file.url), "itemType": item_type, "resourceType": file.type_});
        self.event("download_request", detail)
    }

    /// `download_complete`: a file is there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn download_complete(&mut self, file: &OutputFile, summary: &DownloadSummary) -> std::io::Result<()> {
        self.files += 1;
        self.resources += summary.line_count;
        self.bytes += summary.byte_count;
        let detail = json!({
            "fileUrl": shown(&file.url),
            "resourceCount": summary.line_count,
            "fileSize": summary.byte_count,
        });
        self.event("download_complete", detail)
    }

    /// `download_error`: a file could not be got.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn download_error(&mut self, file: &OutputFile, error: &Error) -> std::io::Result<()> {
        let mut detail = error_detail(error);
        detail["fileUrl"] = json!(shown(&file.url));
        self.event("download_error", detail)
    }

    /// `export_complete`: all files are there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn export_complete(&mut self) -> std::io::Result<()> {
        let detail = json!({
            "files": self.files,
            "resources": self.resources,
            "bytes": self.bytes,
            "attachments": null,
            "duration": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        self.event("export_complete", detail)
    }
}

/// The parameters of a kick-off as they may be shown: those whose values say nothing of a patient, and hold no key, as they
/// are; of searches the names of their parameters; of all others their own names.
pub fn shown_parameters(url: &Url) -> Vec<(String, String)> {
    const PLAIN: [&str; 8] = [
        "_type",
        "_since",
        "_until",
        "_elements",
        "_outputFormat",
        "includeAssociatedData",
        "organizeOutputBy",
        "allowPartialManifests",
    ];
    let shown = |name: &str, value: &str| match name {
        name if PLAIN.contains(&name) => value.to_owned(),
        "_typeFilter" => names_of_searches(value),
        _ => "…".to_owned(),
    };
    url.query_pairs().map(|(name, value)| (name.clone().into_owned(), shown(&name, &value))).collect()
}

/// `Patient?identifier=…&family=…` of a search, or of several.
fn names_of_searches(searches: &str) -> String {
    let names = |search: &str| {
        let (of, query) = search.split_once('?').unwrap_or((search, ""));
        let names: Vec<String> = query
            .split('&')
            .map(|pair| format!("{}=…", pair.split('=').next().unwrap_or_default()))
            .collect();
        format!("{of}?{}", names.join("&"))
    };
    // A comma may part searches, or values of one.
    let (first, more) = searches.split_once(",").map_or((searches, false), |(first, _)| (first, true));
    names(first) + if more { ",…" } else { "" }
}

fn shown(url: &str) -> String {
    url.parse().map_or_else(|_| "relative".to_owned(), |url| redact(&url))
}

fn error_detail(error: &Error) -> Value {
    json!({
        "body": error.diagnostics(),
        "code": error.status(),
        "message": error.to_string(),
        "responseHeaders": headers(Some(error)),
    })
}

fn headers(error: Option<&Error>) -> Value {
    let shown = error.map(Error::response_headers).unwrap_or_default();
    let named: Map<String, Value> =
        shown.iter().map(|(name, value)| ((*name).to_owned(), Value::String(value.clone()))).collect();
    if named.is_empty() { Value::Null } else { Value::Object(named) }
}
