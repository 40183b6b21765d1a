//! The tables that a session may open: those of the lake, each at the version that the session is pinned to.

use std::collections::BTreeMap;

use delta_scan::DeltaScan;
use tokio::sync::Semaphore;

use crate::error::Result;
use crate::lake::Lake;
use crate::lake::exports::ExportRow;
use crate::lake::own::OwnRow;
use crate::lake::table::{self, missing};

/// The stored tables of a session.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// The lake.
    pub(super) lake: Lake,
    /// Table → version; none: the newest of each.
    pub(super) versions: Option<BTreeMap<String, i64>>,
}

/// Tables that are opened at the same time, by all plans of the process together. Opening one takes a thread that may block, and waits
/// for what others read: if all such threads opened tables, none would be left to read.
static OPENING: Semaphore = Semaphore::const_new(OPENED_AT_ONCE);

/// Half of the threads that may block where there are fewest (`cli::runtime`).
pub(super) const OPENED_AT_ONCE: usize = 8;

impl Stored {
    /// A table; `None` where there is none, or none yet at the session's versions.
    pub(super) async fn open(&self, name: &str) -> Result<Option<DeltaScan>> {
        // `_exports` is written last and says what is pinned: it is read as it is.
        let pinned = self.versions.as_ref().filter(|_| name != ExportRow::TABLE);
        let version = match pinned.map(|versions| versions.get(name)) {
            None => None,
            // The table was made by a run that is not finished.
            Some(None) => return Ok(None),
            Some(Some(version)) => u64::try_from(*version).ok(),
        };
        let _turn = OPENING.acquire().await.expect("nobody closes it");
        let Some(table) = table::open_at(&self.lake.root, name, version).await? else {
            return pinned.map_or(Ok(None), |_| Err(missing(name)));
        };
        table::scan(&table).map(Some)
    }

    /// The resource types that there are tables of, in the order of the alphabet.
    pub(super) async fn resource_types(&self) -> Result<Vec<String>> {
        let mut names = match &self.versions {
            Some(versions) => versions.keys().cloned().collect(),
            None => self.lake.root.folders("tables").await?,
        };
        names.retain(|name| self.lake.definitions().is_resource(name));
        names.sort();
        Ok(names)
    }
}
