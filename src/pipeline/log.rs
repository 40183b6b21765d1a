//! `raw/<export-id>/log.ndjson`: what happened between client and server, in the format that Bulk Data clients share.
//!
//! One invariant: it is written whole after each step of an export, behind what the process before has left there.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use fhir_bulk_client::ExportLog;

use super::run::Run;
use crate::error::Result;
use crate::raw::layout;
use crate::storage::Root;

/// The log of a run.
pub struct Log {
    root: Root,
    path: String,
    before: Bytes,
    written: Buffer,
    log: Mutex<ExportLog<Buffer>>,
}

/// What is written, until it is saved.
#[derive(Clone, Default)]
pub struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The log of a run, behind what it has already.
    pub async fn open(root: &Root, run: &Run) -> Result<Self> {
        let path = layout::log(&run.plan.export_id);
        let before = root.get(&path).await?.unwrap_or_default();
        let written = Buffer::default();
        let log = Mutex::new(ExportLog::new(written.clone(), run.plan.export_id.clone()));
        Ok(Self { root: root.clone(), path, before, written, log })
    }

    /// Adds events.
    pub fn event(&self, event: impl FnOnce(&mut ExportLog<Buffer>) -> std::io::Result<()>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        event(&mut log).expect("memory takes what is written to it");
    }

    /// Writes down what happened so far.
    pub async fn save(&self) -> Result<()> {
        let mut whole = self.before.to_vec();
        whole.extend_from_slice(&self.written.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.root.put(&self.path, whole).await
    }
}
