//! Bytes of a raw file as they pass: counted, hashed, and cut into segments of whole lines.
//!
//! One invariant: the segments, one after another, are the bytes.

use bytes::{Bytes, BytesMut};
use fhir_bulk_client::{FileFacts, Tally};
use memchr::{memchr, memchr_iter, memrchr};
use serde::{Deserialize, Serialize};

use super::encoding::FRAME;

/// The bytes between two checkpoints, about.
const BETWEEN_CHECKPOINTS: u64 = 16 << 20;

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
    /// Of the segments that were taken.
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
        self.tally.update(&segment);
        self.offset += length as u64;
        self.lines_before += memchr_iter(b'\n', &segment).count() as u64;
        segment
    }

    /// How many bytes the segments have that were taken.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The hash of those bytes.
    pub fn sha256(&self) -> String {
        self.tally.sha256()
    }

    /// What is known of all of them, once [`Passing::last_segment`] has given the rest.
    pub fn finish(self) -> RawFacts {
        RawFacts { file: self.tally.finish(), checkpoints: self.checkpoints }
    }
}
