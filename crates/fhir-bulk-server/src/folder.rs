//! Reading `*.ndjson` of a folder, line by line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

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

/// Calls `each` with every line that is not blank. Lines end at `\n` alone: U+2028 may be inside one.
pub(crate) fn each_line(
    path: &Path,
    mut each: impl FnMut(&[u8], Place) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let unreadable = |source| DatasetError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut read, mut number) = (Vec::new(), 0);
    loop {
        read.clear();
        if reader.read_until(b'\n', &mut read).map_err(unreadable)? == 0 {
            return Ok(());
        }
        number += 1;
        let line = read.strip_suffix(b"\n").unwrap_or(&read);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.trim_ascii().is_empty() {
            each(line, Place { path: path.to_owned(), line: number })?;
        }
    }
}
