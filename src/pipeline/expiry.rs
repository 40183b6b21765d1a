//! Quarantined lines whose time is over: their bytes leave the lake's tables, and where they were stays known.
//!
//! One invariant: a line that was refused becomes a row by a replay alone. A rebuild, which reads the raw files again, must
//! not make one of it because its record has gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{TimeDelta, Utc};

use crate::error::{Error, Result};
use crate::lake::exports::{ExportRow, Exports};
use crate::lake::own;
use crate::lake::quarantine::{Leaving, QuarantinedLine};
use crate::storage::Root;

/// A line: its raw file and its number.
pub type Place = (String, i64);

/// The lines whose time in quarantine is over. Their places are noted first.
pub async fn expired(root: &Root, exports: &Exports, retention: Option<Duration>) -> Result<Leaving> {
    let since =
        retention.and_then(|retention| Utc::now().checked_sub_signed(TimeDelta::from_std(retention).ok()?));
    let is_over = |row: &&ExportRow| since.is_some_and(|since| row.finished_at < since);
    let runs: BTreeMap<&String, &ExportRow> =
        exports.0.iter().filter(is_over).map(|row| (&row.export_id, row)).collect();
    if runs.is_empty() {
        return Ok(Leaving::default());
    }
    let mut places: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
    for line in own::rows::<QuarantinedLine>(root).await? {
        if let Some(row) = runs.get(&line.export_id) {
            places.entry(path(row)).or_default().insert((line.raw_file, line.line_number));
        }
    }
    for (path, mut new) in places {
        new.extend(read(root, &path).await?);
        let content = serde_json::to_vec(&new)
            .map_err(|e| Error::Damaged { path: path.clone(), reason: e.to_string() })?;
        root.put(&path, content).await?;
    }
    let runs = runs.into_keys().cloned().collect();
    Ok(Leaving { runs, ..Leaving::default() })
}

/// The lines of a run that have left the quarantine because their time was over.
pub async fn of_run(root: &Root, row: &ExportRow) -> Result<BTreeSet<Place>> {
    read(root, &path(row)).await
}

fn path(row: &ExportRow) -> String {
    format!("_runs/{}/{}/expired.json", row.pipeline, row.seq)
}

async fn read(root: &Root, path: &str) -> Result<BTreeSet<Place>> {
    let Some(content) = root.get(path).await? else { return Ok(BTreeSet::new()) };
    serde_json::from_slice(&content)
        .map_err(|e| Error::Damaged { path: path.to_owned(), reason: e.to_string() })
}
