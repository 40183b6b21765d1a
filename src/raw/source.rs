//! A raw file, wherever it lies and however it is kept: ranges of the bytes as they came.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use zeekstd::SeekTable;

use super::encoding::{self, Encoding};
use crate::error::{Error, Result};
use crate::storage::{Root, storage};

/// What is read of the end of a file, in the hope that it holds the table of frames: one of 8,000 frames.
const TAIL: u64 = 64 << 10;

/// A raw file that can be read.
#[derive(Debug, Clone)]
pub struct RawSource {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// As `__raw_file` names it.
    name: Arc<str>,
    length: u64,
    frames: Option<Arc<SeekTable>>,
}

impl RawSource {
    /// Opens a file by the name that `__raw_file` has of it: a path in the lake, or an absolute one of a file that was
    /// left where it is.
    ///
    /// # Errors
    /// [`Error::Damaged`] where there is no such file, or none that can be read by ranges.
    pub async fn open(root: &Root, name: &str) -> Result<Self> {
        let (store, path) = if name.starts_with('/') {
            let path = Path::from_absolute_path(name)
                .map_err(|e| Error::Damaged { path: name.to_owned(), reason: e.to_string() })?;
            (Arc::new(LocalFileSystem::new()) as Arc<dyn ObjectStore>, path)
        } else {
            (Arc::clone(root.store()), Path::from(name))
        };
        let length = match store.head(&path).await {
            Ok(found) => found.size,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(Error::Damaged { path: name.to_owned(), reason: "it is not there".to_owned() });
            }
            Err(source) => return Err(storage("read", name)(source)),
        };
        let mut source = Self { store, path, name: name.into(), length, frames: None };
        if Encoding::of(name) == Encoding::Zstd {
            let frames = source.table(length).await?;
            source.length = frames.size_decomp();
            source.frames = Some(Arc::new(frames));
        }
        Ok(source)
    }

    async fn table(&self, stored: u64) -> Result<SeekTable> {
        let tail = self.stored(stored.saturating_sub(TAIL)..stored).await?;
        let size =
            encoding::table_size(&tail).filter(|size| *size <= stored).ok_or_else(|| Error::Damaged {
                path: self.name.to_string(),
                reason: "it is no zstd in seekable frames: it has no table of them at its end".to_owned(),
            })?;
        let tail = if size > tail.len() as u64 { self.stored(stored - size..stored).await? } else { tail };
        encoding::decode_table(&self.name, &tail)
    }

    async fn stored(&self, range: Range<u64>) -> Result<Bytes> {
        self.store.get_range(&self.path, range).await.map_err(storage("read", &self.name))
    }

    /// The file's name, as `__raw_file` has it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The number of its bytes, as they came.
    pub fn byte_count(&self) -> u64 {
        self.length
    }

    /// Bytes as they came. What lies around them in their frames is decoded too.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the file ends before them, or a frame cannot be decoded.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.end > self.length || range.start > range.end {
            return Err(Error::Damaged {
                path: self.name.to_string(),
                reason: format!(
                    "it has {} bytes, and bytes {} to {} are needed",
                    self.length, range.start, range.end
                ),
            });
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let Some(frames) = self.frames.clone() else { return self.stored(range).await };
        let (first, last) =
            (frames.frame_index_decomp(range.start), frames.frame_index_decomp(range.end - 1));
        let damaged =
            |e: zeekstd::Error| Error::Damaged { path: self.name.to_string(), reason: e.to_string() };
        let compressed =
            frames.frame_start_comp(first).map_err(damaged)?..frames.frame_end_comp(last).map_err(damaged)?;
        let begins = frames.frame_start_decomp(first).map_err(damaged)?;
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut sizes = Vec::new();
        for frame in first..=last {
            let compressed = frames.frame_size_comp(frame).map_err(damaged)?;
            sizes.push((size(compressed), size(frames.frame_size_decomp(frame).map_err(damaged)?)));
        }
        let stored = self.stored(compressed).await?;
        let name = Arc::clone(&self.name);
        let decoded = crate::busy(move || encoding::decompress(&name, &stored, &sizes)).await?;
        Ok(decoded.slice(size(range.start - begins)..size(range.end - begins)))
    }

    /// Where to stop reading that began at `start`, to read about `wanted` bytes and no frame twice.
    pub fn stop(&self, start: u64, wanted: u64) -> u64 {
        let stop = self.length.min(start + wanted);
        match &self.frames {
            Some(frames) if stop < self.length => {
                // The frame that holds the last of the wanted bytes is not begun, unless it is the only one.
                let frame = frames.frame_index_decomp(stop);
                let ends = |frame| frames.frame_end_decomp(frame).unwrap_or(self.length);
                match frame.checked_sub(1).map(ends) {
                    Some(before) if before > start => before,
                    _ => ends(frame),
                }
            }
            _ => stop,
        }
    }
}
