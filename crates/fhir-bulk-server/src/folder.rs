//! Reading `*.ndjson` of a folder, line by line, without copying the lines.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::{DatasetError, Place};

/// The `*.ndjson` files of a folder by name; those of folders inside are not read.
pub(crate) fn ndjson_files(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let unreadable = |source| DatasetError::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "ndjson") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Calls `each` with every line that is not blank. Lines end at `\n` alone: U+2028 may be inside one. The
/// lines share the memory of the file.
pub(crate) fn each_line(
    path: &Path,
    mut each: impl FnMut(Bytes, Place) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let content =
        std::fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    let content = Bytes::from(content);
    let ends = memchr::memchr_iter(b'\n', &content).chain(std::iter::once(content.len()));
    let mut start = 0;
    for (index, end) in ends.enumerate() {
        let mut line = content.slice(start..end);
        start = end + 1;
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        if !line.trim_ascii().is_empty() {
            each(line, Place { path: path.to_owned(), line: index + 1 })?;
        }
    }
    Ok(())
}
