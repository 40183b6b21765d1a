//! A client for [FHIR Bulk Data](https://hl7.org/fhir/uv/bulkdata/): kick-off, status, manifest, download.
//!
//! The whole of an export into a folder, which goes on where it ended when it is called again:
//!
//! ```no_run
//! use fhir_bulk_client::{BulkClient, ExportRequest, FolderOptions, Level, Secret, Url};
//!
//! # async fn export() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = BulkClient::builder(Url::parse("https://ehr.example/fhir")?)
//!     .bearer_token(Secret::new(std::env::var("TOKEN")?))
//!     .build()?;
//! let check = client.check().await?; // what the server is, and where it deviates
//! client.adopt(&check);
//! let request = ExportRequest {
//!     level: Level::Group("diabetes".into()),
//!     types: vec!["Patient".into(), "Observation".into()],
//!     since: Some("2026-11-01T00:00:00Z".into()),
//!     ..Default::default()
//! };
//! let folder = std::path::Path::new("diabetes");
//! let report = client.export_to(&request, folder, FolderOptions::default(), |state| eprintln!("{state:?}")).await?;
//! println!("{:?} as of {}; {:?}", report.resources, report.transaction_time, report.warnings);
//! # Ok(())
//! # }
//! ```
//!
//! The same in steps, for callers that keep the bytes elsewhere. [`JobRecord`] and [`FileRecord`] are what to keep of
//! them:
//!
//! ```no_run
//! # use fhir_bulk_client::{BulkClient, ExportRequest, ResumePoint};
//! # use std::io::Write;
//! # async fn steps(client: BulkClient, request: ExportRequest) -> Result<(), Box<dyn std::error::Error>> {
//! let job = client.kick_off(&request).await?; // make job.status_url durable: it is the way back to the export
//! let manifest = client.wait(&job.status_url, |state| eprintln!("{state:?}")).await?;
//! for (key, file, requires_access_token) in manifest.files() {
//!     let mut out = std::fs::File::create("file.part")?;
//!     let point = ResumePoint::default(); // or what is there already
//!     let mut download = client.download_from(key.section, file, requires_access_token, point).await?;
//!     while let Some(bytes) = download.chunk().await? {
//!         out.write_all(&bytes)?;
//!     }
//!     println!("{:?}", download.verify()?); // only now may the file get its final name
//! }
//! client.delete_job(&job.status_url).await?; // only now: until here everything could be fetched again
//! # Ok(())
//! # }
//! ```
//!
//! A success of the request says nothing about what the server could not export: that is in the OperationOutcomes of
//! [`Section::Outcome`].
//!
//! # What holds
//! * Bytes are passed on as the server wrote them, decompressed and otherwise untouched, in constant memory.
//! * What [`Download::verify`] vouches for is whole, as far as HTTP, gzip, its last line and its count can tell, and has
//!   resources of its type.
//! * The token goes to the origin of the FHIR base and to those that the user has named, and never along a redirect to
//!   another origin. Nothing travels unencrypted but to this machine.
//! * One [`BulkClient::kick_off`] begins at most one export. Everything else may be repeated, and is, where a failure
//!   may pass.
//! * A kick-off that is refused because of an export of this client is an error at once ([`ErrorKind::Busy`]): whoever
//!   began that one can end it. Exports of others are waited for.
//! * Errors say what, where and what to do ([`Error`]) and show no credentials ([`redact`]).
//!
//! # Where to find what
//! `export/` has a file for each step, with a link to its section of the specification; `http/` has retries,
//! redirects and bodies; `auth/` has the token and who may see it; `server/` has the deviations of known servers. The
//! README has each requirement with its module and its test.

mod attachment;
mod auth;
mod capability;
mod check;
mod client;
mod dialect;
mod error;
mod export;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod group;
mod http;
mod lenient;
mod log;
mod ndjson;
mod outcome;
mod resource;
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
    AppliedCheck, Contents, Contradiction, Download, DownloadSummary, Expiry, ExportReport, ExportRequest,
    FileKey, FileRecord, FolderOptions, JobRecord, KickOff, KickOffMethod, Level, Link, Manifest,
    ManifestPages, OutputFile, Page, PartRecord, Progress, ResumePoint, Section,
};
pub use group::{Group, GroupMember};
pub use http::redact;
pub use log::{ExportLog, shown_parameters};
pub use ndjson::{FileFacts, Tally};
pub use server::Quirks;
/// The type of all URLs here.
pub use url::Url;
