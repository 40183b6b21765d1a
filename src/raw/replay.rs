//! What is kept of a raw file, passed again by the process that goes on with it.
//!
//! One invariant: afterwards all is as it was in the process that kept the file.

use bytes::{Buf, BytesMut};
use zeekstd::SeekTable;

use super::encoding::{self, Encoding};
use super::kept::Kept;
use super::passing::Passing;
use crate::error::{Error, Result};

/// What has passed already of a file that is gone on with.
pub(super) struct Passed {
    encoding: Encoding,
    /// Its bytes.
    pub(super) passing: Passing,
    /// Its frames.
    pub(super) table: SeekTable,
}

impl Passed {
    /// Nothing yet of the file at a path, which says its encoding.
    pub(super) fn of(path: &str) -> Self {
        Self { encoding: Encoding::of(path), passing: Passing::default(), table: SeekTable::new() }
    }

    /// Reads what is kept, whose lines are at most `limit` bytes.
    pub(super) async fn replay(
        &mut self,
        kept: &mut Kept,
        limit: u64,
        each: &mut (impl FnMut(&[u8]) + Send),
    ) -> Result<()> {
        let mut waiting = BytesMut::new();
        while let Some(bytes) = kept.read().await? {
            if self.encoding == Encoding::Plain {
                self.pass(&bytes, each);
                continue;
            }
            waiting.extend_from_slice(&bytes);
            let (path, compressed) = (kept.path().to_owned(), waiting.split().freeze());
            let (frames, rest) = crate::busy(move || {
                let frames = encoding::whole_frames(&path, &compressed, limit)?;
                let whole: usize = frames.iter().map(|(size, _)| size).sum();
                let mut rest = compressed;
                rest.advance(whole);
                Ok((frames, rest))
            })
            .await?;
            waiting.extend_from_slice(&rest);
            for (size, lines) in frames {
                log_frame(&mut self.table, kept.path(), size, lines.len())?;
                self.pass(&lines, each);
            }
        }
        // What was kept are whole segments: the last one too, though its successor has not come.
        self.passing.last_segment();
        if waiting.is_empty() { Ok(()) } else { Err(other_bytes(kept.path())) }
    }

    fn pass(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        self.passing.push(bytes);
        while self.passing.segment().is_some() {}
        each(bytes);
    }
}

/// Notes a frame in a file's seek table.
pub(super) fn log_frame(table: &mut SeekTable, path: &str, compressed: usize, length: usize) -> Result<()> {
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    table.log_frame(size(compressed), size(length)).map_err(|e| Error::Damaged {
        path: path.to_owned(),
        reason: format!("it has more frames than a file can have: {e}"),
    })
}

/// What is kept is not what was noted.
pub(super) fn other_bytes(path: &str) -> Error {
    Error::Damaged { path: format!("{path}.part"), reason: "it is not what its record says".to_owned() }
}
