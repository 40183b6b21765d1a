//! A raw file on its way into the lake: counted and hashed as it passes, and there only when it is whole.

use bytes::{Bytes, BytesMut};
use fhir_bulk_client::{FileFacts, Tally};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use memchr::{memchr, memchr_iter, memrchr};
use serde::{Deserialize, Serialize};
use zeekstd::SeekTable;

use super::encoding::{self, Encoding, FRAME};
use crate::error::{Error, Result};
use crate::storage::{Root, Upload};

/// The bytes between two checkpoints, about.
const BETWEEN_CHECKPOINTS: u64 = 16 << 20;

/// Frames that are compressed while others are written.
const COMPRESSED_AHEAD: usize = 3;

/// A place in a file from which it can be read: the beginning of a line, and of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Bytes before it, uncompressed.
    pub offset: u64,
    /// The number of the line that begins there, from 1.
    pub line: u64,
}

impl Checkpoint {
    /// The beginning of a file.
    pub const START: Self = Self { offset: 0, line: 1 };
}

/// What is known of a file that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFacts {
    /// Its length, lines and hash.
    pub file: FileFacts,
    /// Places in it from which it can be read, besides its beginning.
    pub checkpoints: Vec<Checkpoint>,
}

/// Counts and hashes bytes as they pass, and cuts them into segments of whole lines.
#[derive(Default)]
pub struct Passing {
    tally: Tally,
    waiting: BytesMut,
    /// Where the segment that is waiting begins.
    offset: u64,
    lines_before: u64,
    checkpoints: Vec<Checkpoint>,
    last_checkpoint: u64,
}

impl Passing {
    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.tally.update(bytes);
        self.waiting.extend_from_slice(bytes);
    }

    /// The next segment, about [`FRAME`] bytes, once its last line has ended.
    pub fn segment(&mut self) -> Option<Bytes> {
        if self.waiting.len() < FRAME {
            return None;
        }
        let within = memrchr(b'\n', &self.waiting[..FRAME]);
        let end = within.or_else(|| memchr(b'\n', &self.waiting[FRAME..]).map(|at| FRAME + at))?;
        Some(self.take(end + 1))
    }

    /// What is left, when no more bytes come.
    pub fn last_segment(&mut self) -> Option<Bytes> {
        (!self.waiting.is_empty()).then(|| self.take(self.waiting.len()))
    }

    fn take(&mut self, length: usize) -> Bytes {
        if self.offset - self.last_checkpoint >= BETWEEN_CHECKPOINTS {
            self.last_checkpoint = self.offset;
            self.checkpoints.push(Checkpoint { offset: self.offset, line: self.lines_before + 1 });
        }
        let segment = self.waiting.split_to(length).freeze();
        self.offset += length as u64;
        self.lines_before += memchr_iter(b'\n', &segment).count() as u64;
        segment
    }

    /// What is known of all of them.
    pub fn finish(self) -> RawFacts {
        RawFacts { file: self.tally.finish(), checkpoints: self.checkpoints }
    }
}

/// A frame, and how many bytes it was before compression.
type Frame = Result<(Vec<u8>, usize)>;

/// A file that is being received.
pub struct RawFile {
    path: String,
    upload: Upload,
    encoding: Encoding,
    passing: Passing,
    frames: FuturesOrdered<BoxFuture<'static, Frame>>,
    table: SeekTable,
}

impl RawFile {
    /// Begins a file at a path of the lake, which says its encoding.
    pub async fn create(root: &Root, path: &str) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            upload: root.upload(path).await?,
            encoding: Encoding::of(path),
            passing: Passing::default(),
            frames: FuturesOrdered::new(),
            table: SeekTable::new(),
        })
    }

    /// Appends bytes as they were received.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.passing.push(bytes);
        while let Some(segment) = self.passing.segment() {
            self.keep(segment).await?;
        }
        Ok(())
    }

    async fn keep(&mut self, segment: Bytes) -> Result<()> {
        if self.encoding == Encoding::Plain {
            return self.upload.write(&segment).await;
        }
        let compressed = crate::busy(move || Ok((encoding::compress(&segment)?, segment.len())));
        self.frames.push_back(Box::pin(compressed));
        while self.frames.len() > COMPRESSED_AHEAD {
            self.write_frame().await?;
        }
        Ok(())
    }

    async fn write_frame(&mut self) -> Result<()> {
        let Some(frame) = self.frames.next().await else { return Ok(()) };
        let (frame, length) = frame?;
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        self.table.log_frame(size(frame.len()), size(length)).map_err(|e| Error::Damaged {
            path: self.path.clone(),
            reason: format!("it has more frames than a file can have: {e}"),
        })?;
        self.upload.write(&frame).await
    }

    /// Gives the file its name if `wanted` says so after its facts; else it leaves no trace. Returns the facts.
    pub async fn finish_if(mut self, wanted: impl FnOnce(&FileFacts) -> bool) -> Result<RawFacts> {
        if let Some(segment) = self.passing.last_segment() {
            self.keep(segment).await?;
        }
        let facts = self.passing.finish();
        if !wanted(&facts.file) {
            self.upload.abort().await;
            return Ok(facts);
        }
        self.passing = Passing::default();
        while !self.frames.is_empty() {
            self.write_frame().await?;
        }
        if self.encoding == Encoding::Zstd {
            self.upload.write(&encoding::encode_table(self.table)).await?;
        }
        self.upload.complete().await?;
        Ok(facts)
    }

    /// Gives the file up.
    pub async fn abort(self) {
        self.upload.abort().await;
    }
}
