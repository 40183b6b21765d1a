//! An export, a file for each step of the
//! [specification](https://hl7.org/fhir/uv/bulkdata/export.html): request, kick-off, status, manifest, download, and
//! cancelling or deleting the job.

mod applied;
mod busy;
mod cancel;
mod continuation;
mod download;
mod durable;
mod expiry;
mod folder;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod inspect;
mod kickoff;
mod local_filter;
mod manifest;
mod own_jobs;
mod parameters;
mod part;
mod record;
mod report;
mod request;
mod resume;
mod status;
mod type_filter;

pub use applied::{AppliedCheck, Contradiction};
pub use download::{Download, DownloadSummary};
pub use expiry::Expiry;
pub use folder::FolderOptions;
pub use inspect::Contents;
pub use kickoff::{KickOff, KickOffMethod};
pub use manifest::{Link, Manifest, OutputFile, Section};
pub(crate) use own_jobs::OwnJobs;
pub use record::{FileKey, FileRecord, JobRecord};
pub use report::ExportReport;
pub(crate) use request::group_id;
pub use request::{ExportRequest, Level};
pub use resume::{PartRecord, ResumePoint};
pub use status::{ManifestPages, Page, Progress};
