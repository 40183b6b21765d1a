//! Maintenance of a table: small files become larger ones, and files with many masked rows are written without them.
//!
//! One invariant: not a row comes or goes, so the commit says that no data changed, and whoever follows the table's
//! changes sees none. A commit that another one precedes is given up: an upsert never waits for maintenance.

use std::sync::Arc;

use crate::caller::Context;
use crate::copy::{Source, copy};
use crate::data_file::NewFile;
use crate::table::{DataFile, Table};
use crate::{Error, Result, RoaringBitmap, vector};

/// What is worth being written again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Bytes of a file that is large enough. Files below half of it are put together up to it.
    pub target: u64,
    /// The share of masked rows above which a file is written again; 0 for every file that has one.
    pub masked: f64,
    /// Rows that a file has at most.
    pub rows: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { target: 128 << 20, masked: 0.1, rows: 1 << 20 }
    }
}

/// What was done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were written again.
    pub before: u64,
    /// Files that have their rows now.
    pub after: u64,
    /// Rows of vectors that are no longer in any file of the table's version.
    pub folded: u64,
    /// The bytes that were written.
    pub bytes: u64,
    /// The table's version with it; none where nothing was worth it, or another commit came first.
    pub version: Option<u64>,
    /// Whether another commit came first.
    pub lost: bool,
}

/// Compacts a table as it is open.
///
/// # Errors
/// What reading and writing files and the table's log does.
pub async fn compact(
    context: &Context<'_>,
    indexed: &Arc<Vec<String>>,
    table: &mut Table,
    policy: Policy,
) -> Result<Compacted> {
    let (files, columns) = (table.files()?, table.columns()?);
    let mut done = Compacted::default();
    let (mut actions, mut copies): (Vec<_>, Vec<NewFile>) = (Vec::new(), Vec::new());
    for group in groups(&files, policy) {
        let mut removed: Vec<RoaringBitmap> = Vec::with_capacity(group.len());
        for file in &group {
            removed.push(vector::removed(table, file).await?);
        }
        let sources: Vec<Source<'_>> = group.iter().copied().zip(&removed).collect();
        let copied = copy(context, indexed, table, &columns, &sources).await?;
        let (live, kept) =
            (group.iter().map(|file| file.live()).sum::<u64>(), copied.as_ref().map_or(0, |copy| copy.rows));
        if live != kept {
            table.discard(&copies).await;
            return Err(Error::Unreconciled(format!(
                "table {}: files with {live} rows would become one with {kept}; nothing was committed",
                table.name()
            )));
        }
        done.before += group.len() as u64;
        done.folded += removed.iter().map(RoaringBitmap::len).sum::<u64>();
        actions.extend(group.iter().filter_map(|file| file.moved_away()));
        if let Some(copied) = copied {
            done.after += 1;
            done.bytes += copied.size();
            actions.push(copied.moved_here());
            copies.push(copied);
        }
    }
    if actions.is_empty() {
        return Ok(done);
    }
    done.version = table.commit_moves(actions, &copies).await?;
    if done.version.is_none() {
        done.lost = true;
        table.discard(&copies).await;
    }
    Ok(done)
}

/// Takes masked rows out of the files, before all of these are replaced: of a file with a vector that is taken out, Python
/// deltalake 1.6 tells the rows of the vector as deleted, and not those that the file had. `false` where another commit came first.
///
/// # Errors
/// Those of [`compact`].
pub(crate) async fn fold(context: &Context<'_>, table: &mut Table) -> Result<bool> {
    let indexed = Arc::new(table.indexed());
    let policy = Policy { target: 0, masked: 0.0, rows: u64::MAX };
    Ok(!compact(context, &indexed, table, policy).await?.lost)
}

/// The files that are written again, those together that become one.
fn groups(files: &[DataFile], policy: Policy) -> Vec<Vec<&DataFile>> {
    let size = |file: &DataFile| file.size * file.live() / file.rows.max(1);
    let masked = |file: &DataFile| file.removed > 0 && file.removed as f64 > policy.masked * file.rows as f64;
    let small = |file: &DataFile| size(file) < policy.target / 2;
    // In the order of their names, so that what a run has written together stays together.
    // Of a file whose log entry has no count nobody knows what must be kept.
    let counted = files.iter().filter(|file| file.rows > 0);
    let mut candidates: Vec<&DataFile> = counted.filter(|file| masked(file) || small(file)).collect();
    candidates.sort_by(|a, b| a.path.cmp(&b.path));
    let mut groups: Vec<Vec<&DataFile>> = Vec::new();
    let (mut open, mut bytes, mut rows) = (Vec::new(), 0, 0);
    for file in candidates {
        if bytes + size(file) > policy.target || rows + file.live() > policy.rows {
            groups.push(std::mem::take(&mut open));
            (bytes, rows) = (0, 0);
        }
        open.push(file);
        bytes += size(file);
        rows += file.live();
    }
    groups.push(open);
    groups.retain(|group| group.len() > 1 || group.iter().any(|file| masked(file)));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64, rows: u64, removed: u64) -> DataFile {
        let mut file = DataFile::unnamed(name.into(), size, rows);
        file.removed = removed;
        file
    }

    fn names(files: &[DataFile], policy: Policy) -> Vec<Vec<String>> {
        let name = |file: &&DataFile| file.path.to_string();
        groups(files, policy).iter().map(|group| group.iter().map(name).collect()).collect()
    }

    const POLICY: Policy = Policy { target: 100, masked: 0.1, rows: 1000 };

    #[test]
    fn small_files_come_together_and_large_ones_stay() {
        let files = [file("a", 10, 5, 0), file("b", 90, 5, 0), file("c", 20, 5, 0)];
        assert_eq!(names(&files, POLICY), [["a", "c"]]);
    }

    #[test]
    fn one_small_file_is_left_alone_until_rows_of_it_are_masked() {
        assert!(names(&[file("a", 10, 100, 10)], POLICY).is_empty());
        assert_eq!(names(&[file("a", 10, 100, 11)], POLICY), [["a"]]);
        assert_eq!(names(&[file("a", 10, 100, 1)], Policy { masked: 0.0, ..POLICY }), [["a"]]);
    }

    #[test]
    fn a_file_grows_neither_beyond_the_size_nor_beyond_the_rows() {
        let files = ["a", "b", "c"].map(|name| file(name, 40, 5, 0));
        assert_eq!(names(&files, POLICY), [["a", "b"]]);
        let files = ["a", "b", "c"].map(|name| file(name, 10, 500, 0));
        assert_eq!(names(&files, POLICY), [["a", "b"]]);
    }
}
