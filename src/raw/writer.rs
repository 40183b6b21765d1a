//! A raw file on its way into the lake: counted and hashed as it passes, and there only when it is whole.

use fhir_bulk_client::{FileFacts, Tally};

use crate::error::Result;
use crate::storage::{Root, Upload};

/// A file that is being received.
pub struct RawFile {
    upload: Upload,
    tally: Tally,
}

impl RawFile {
    /// Begins a file at a path of the lake.
    pub async fn create(root: &Root, path: &str) -> Result<Self> {
        Ok(Self { upload: root.upload(path).await?, tally: Tally::default() })
    }

    /// Appends bytes as they were received.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.tally.update(bytes);
        self.upload.write(bytes).await
    }

    /// Gives the file its name if `wanted` says so after its facts; else it leaves no trace. Returns the facts.
    pub async fn finish_if(self, wanted: impl FnOnce(&FileFacts) -> bool) -> Result<FileFacts> {
        let facts = self.tally.finish();
        if wanted(&facts) {
            self.upload.complete().await?
        } else {
            self.upload.abort().await
        }
        Ok(facts)
    }

    /// Gives the file up.
    pub async fn abort(self) {
        self.upload.abort().await;
    }
}
