//! Deletion vectors as selections of rows
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#deletion-vectors>).
//!
//! One invariant: a selection covers all rows of its file, and leaves out as many as the log says.

use buoyant_kernel::actions::deletion_vector::DeletionVectorDescriptor as KernelDescriptor;
use datafusion::parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use deltalake::kernel::DeletionVectorDescriptor;

use crate::snapshot::{DataFile, Snapshot};
use crate::{Error, Result};

/// The rows of a file that are in the table; `None` where all are.
pub(crate) async fn selection<'f>(
    snapshot: &Snapshot,
    file: &'f DataFile,
) -> Result<Option<&'f RowSelection>> {
    let Some(vector) = &file.vector else { return Ok(None) };
    file.selection.get_or_try_init(|| read(snapshot, file, vector.clone())).await.map(Some)
}

async fn read(
    snapshot: &Snapshot,
    file: &DataFile,
    vector: DeletionVectorDescriptor,
) -> Result<RowSelection> {
    let damaged = |reason: String| Error::Damaged {
        table: snapshot.table.clone(),
        path: file.object.location.to_string(),
        reason,
    };
    let rows = file.statistics.rows.ok_or_else(|| {
        damaged("it has a deletion vector, and the log does not say how many rows it has".to_owned())
    })?;
    let mut root = snapshot.log.root_url().clone();
    if !root.path().ends_with('/') {
        root.set_path(&format!("{}/", root.path()));
    }
    let (engine, cardinality) = (snapshot.log.engine(None), file.removed());
    // The kernel blocks while it reads.
    let read = tokio::task::spawn_blocking(move || {
        let descriptor: KernelDescriptor = vector.try_into()?;
        descriptor.row_indexes(engine.storage_handler(), &root)
    });
    let removed = read
        .await
        .map_err(|e| damaged(format!("its deletion vector was not read: {e}")))?
        .map_err(|e| damaged(format!("its deletion vector cannot be read: {e}")))?;
    if removed.len() as u64 != cardinality {
        return Err(damaged(format!(
            "its deletion vector removes {} rows, and the log says {cardinality}",
            removed.len()
        )));
    }
    without(&removed, rows)
        .ok_or_else(|| damaged(format!("its deletion vector removes rows beyond its {rows}")))
}

/// All of so many rows but these, which are in order; `None` where one of these is beyond.
fn without(removed: &[u64], rows: u64) -> Option<RowSelection> {
    let mut selectors = Vec::with_capacity(removed.len() * 2 + 1);
    let mut next = 0;
    for &row in removed {
        if row < next || row >= rows {
            return None;
        }
        selectors.push(RowSelector::select(usize::try_from(row - next).ok()?));
        selectors.push(RowSelector::skip(1));
        next = row + 1;
    }
    selectors.push(RowSelector::select(usize::try_from(rows - next).ok()?));
    // Runs of one kind are put together, and empty ones dropped.
    Some(RowSelection::from(selectors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_what_a_vector_leaves() {
        let selected = |removed: &[u64], rows| {
            without(removed, rows).map(|selection| {
                selection
                    .iter()
                    .map(|s| if s.skip { -(s.row_count as i64) } else { s.row_count as i64 })
                    .collect()
            })
        };
        assert_eq!(selected(&[], 3), Some(vec![3]));
        assert_eq!(selected(&[0, 1, 4], 6), Some(vec![-2, 2, -1, 1]));
        assert_eq!(selected(&[5], 6), Some(vec![5, -1]));
        assert_eq!(selected(&[0, 1], 2), Some(vec![-2]));
    }

    #[test]
    fn a_vector_beyond_its_file_is_refused() {
        assert_eq!(without(&[3], 3), None);
        assert_eq!(without(&[1, 1], 3), None);
    }
}
