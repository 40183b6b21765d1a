//! An export, a file for each step of the
//! [specification](https://hl7.org/fhir/uv/bulkdata/export.html): request, kick-off, status, manifest, download, and
//! cancelling or deleting the job.

mod cancel;
mod download;
mod kickoff;
mod manifest;
mod request;
mod status;

pub use download::{Download, DownloadSummary};
pub use kickoff::KickOff;
pub use manifest::{Link, Manifest, OutputFile};
pub use request::{ExportRequest, Level};
pub use status::{ManifestPages, Page, Progress};
