//! A client for [FHIR Bulk Data](https://hl7.org/fhir/uv/bulkdata/): kick-off, status, manifest, download.
//!
//! ```no_run
//! use fhir_bulk_client::{BulkClient, ExportRequest, Level, Secret, Url};
//! use std::io::Write;
//!
//! # async fn export() -> Result<(), Box<dyn std::error::Error>> {
//! let client = BulkClient::builder(Url::parse("https://ehr.example/fhir")?)
//!     .bearer_token(Secret::new(std::env::var("TOKEN")?))
//!     .build()?;
//! let request = ExportRequest {
//!     level: Level::Group("diabetes".into()),
//!     types: vec!["Patient".into(), "Observation".into()],
//!     since: Some("2026-11-01T00:00:00Z".into()),
//!     ..Default::default()
//! };
//! let job = client.kick_off(&request).await?; // save job.status_url: it is the way back to the export
//! let manifest = client.wait(&job.status_url, |state| eprintln!("{state:?}")).await?;
//! for (number, (file, requires_access_token)) in manifest.output().enumerate() {
//!     let mut out = std::fs::File::create(format!("{number}.ndjson"))?;
//!     let mut download = client.download(file, requires_access_token).await?;
//!     while let Some(bytes) = download.chunk().await? {
//!         out.write_all(&bytes)?;
//!     }
//!     println!("{} {:?}", file.url, download.finish());
//! }
//! client.delete_job(&job.status_url).await?; // only now: until here everything could be fetched again
//! # Ok(())
//! # }
//! ```
//!
//! An export is only complete with what the manifest has beside `output`: see [`ManifestPages::deleted`], and
//! [`ManifestPages::outcomes`], where a server tells of what it could not export. A success of the request says
//! nothing about either.
//!
//! # What holds
//! * Bytes are passed on as the server wrote them, decompressed and otherwise untouched, in constant memory.
//! * A body that ends early is an error, as far as HTTP or gzip can tell; [`OutputFile::count`] tells the rest.
//! * The token goes to the origin of the FHIR base and to no other, on redirects too.
//! * One [`BulkClient::kick_off`] begins at most one export. Everything else may be repeated, and is, where a failure
//!   may pass.
//! * Errors say what, where and what to do ([`Error`]) and show no credentials ([`redact`]).
//!
//! # Where to find what
//! `export/` has a file for each step, with a link to its section of the specification; `http/` has retries,
//! redirects and bodies; `auth/` has the token and who may see it.

mod attachment;
mod auth;
mod capability;
mod check;
mod client;
mod dialect;
mod error;
mod export;
#[cfg(fuzzing)]
pub mod fuzzing;
mod group;
mod http;
mod lenient;
mod log;
mod ndjson;
mod outcome;
mod server;

pub use attachment::Attachment;
pub use auth::{
    Algorithm, BackendServices, ClientSecret, Credentials, Grant, KeySet, Scopes, Secret, SigningKey,
    SmartConfiguration,
};
pub use capability::Capability;
pub use check::ServerCheck;
pub use client::{Builder, BulkClient, checked_base};
pub use dialect::Dialect;
pub use error::{Error, ErrorKind};
pub use export::{
    AppliedCheck, Contents, Contradiction, Download, DownloadSummary, ExportReport, ExportRequest, FileKey,
    FileRecord, FolderOptions, JobRecord, KickOff, KickOffMethod, Level, Link, Manifest, ManifestPages,
    OutputFile, Page, Progress, ResumePoint, Section,
};
pub use group::{Group, GroupMember};
pub use http::redact;
pub use log::ExportLog;
pub use ndjson::{FileFacts, Tally};
pub use server::Quirks;
/// The type of all URLs here.
pub use url::Url;
