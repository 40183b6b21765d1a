//! Raw files, read in blocks of whole lines.
//!
//! One invariant: the blocks of a file, one after the other, are its bytes; each begins at a line, and its offset and
//! line number say which. Memory is bounded by the block size, a longer line aside.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::{memchr_iter, memrchr};

use super::passing::Checkpoint;
use super::source::RawSource;
use crate::error::Result;

/// Bytes that are read at a time, where the caller has no reason for another number.
pub const BLOCK: u64 = 4 << 20;

/// Some whole lines of a file.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where the block begins in the file.
    pub offset: u64,
    /// The number of its first line, from 1.
    pub first_line: u64,
    /// The lines, with their ends.
    pub bytes: Bytes,
}

/// A line of a block.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its number in the file, from 1, blank lines counted.
    pub number: u64,
    /// Its bytes, without the end of the line (`\n` or `\r\n`).
    pub bytes: &'a [u8],
}

/// Reads a file from its beginning, or from a checkpoint on.
#[derive(Debug)]
pub struct Blocks {
    source: RawSource,
    size: u64,
    read: u64,
    end: u64,
    given: u64,
    line: u64,
    /// The beginning of a line whose end has not been read.
    rest: BytesMut,
}

impl Blocks {
    /// Reads the bytes from a checkpoint to the end of a line, about `size` at a time.
    pub fn new(source: RawSource, from: Checkpoint, end: u64, size: u64) -> Self {
        let Checkpoint { offset, line } = from;
        Self { source, size, read: offset, end, given: offset, line, rest: BytesMut::new() }
    }

    /// Reads all of a file.
    pub fn whole(source: RawSource) -> Self {
        let end = source.byte_count();
        Self::new(source, Checkpoint::START, end, BLOCK)
    }

    /// The next block, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Block>> {
        while self.read < self.end {
            let range: Range<u64> = self.read..self.source.stop(self.read, self.size).min(self.end);
            self.read = range.end;
            let bytes = self.source.read(range).await?;
            let whole = if self.read == self.end {
                bytes.len()
            } else {
                memrchr(b'\n', &bytes).map_or(0, |at| at + 1)
            };
            if self.rest.is_empty() && whole == bytes.len() {
                return Ok(Some(self.give(bytes)));
            }
            if whole == 0 {
                self.rest.extend_from_slice(&bytes);
                continue;
            }
            let mut lines = std::mem::take(&mut self.rest);
            lines.extend_from_slice(&bytes[..whole]);
            self.rest.extend_from_slice(&bytes[whole..]);
            return Ok(Some(self.give(lines.freeze())));
        }
        let rest = std::mem::take(&mut self.rest).freeze();
        Ok((!rest.is_empty()).then(|| self.give(rest)))
    }

    fn give(&mut self, bytes: Bytes) -> Block {
        let length = bytes.len();
        let block = Block { offset: self.given, first_line: self.line, bytes };
        self.given += length as u64;
        self.line += memchr_iter(b'\n', &block.bytes).count() as u64;
        block
    }
}

impl Block {
    /// The lines that are not blank.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut at = 0_usize;
        let mut number = self.first_line;
        std::iter::from_fn(move || {
            while at < self.bytes.len() {
                let begin = at;
                let end =
                    memchr::memchr(b'\n', &self.bytes[begin..]).map_or(self.bytes.len(), |end| begin + end);
                at = end + 1;
                number += 1;
                let bytes = self.bytes[begin..end].strip_suffix(b"\r").unwrap_or(&self.bytes[begin..end]);
                if !is_blank(bytes) {
                    return Some(Line { offset: self.offset + begin as u64, number: number - 1, bytes });
                }
            }
            None
        })
    }
}

/// A line without content, as [`fhir_bulk_client::Tally`] counts: spaces, tabs and carriage returns at most.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::RawFile;
    use crate::storage::Root;

    #[tokio::test]
    async fn the_blocks_of_a_file_are_its_bytes_and_know_their_lines_from_every_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().to_str().unwrap()).unwrap();
        // Lines that straddle every block, one longer than a block, blank ones, and a last one without an end.
        let mut content = Vec::new();
        for n in 0..3_000_u32 {
            let width = if n == 1_500 { 9 << 20 } else { 5_000 };
            content.extend_from_slice(n.to_string().as_bytes());
            content.resize(content.len() + width, b'x');
            content.extend_from_slice(if n % 7 == 0 { b"\r\n\n" } else { b"\n" });
        }
        content.extend_from_slice(b"last");
        for path in ["raw/x", "raw/x.zst"] {
            let mut file = RawFile::create(&root, path).await.unwrap();
            for bytes in content.chunks(100_003) {
                file.write(bytes).await.unwrap();
            }
            let facts = file.finish_if(|_| true).await.unwrap();
            assert_eq!((facts.file.byte_count, facts.file.line_count), (content.len() as u64, 3_001));
            assert!(!facts.checkpoints.is_empty());
            let source = RawSource::open(&root, path).await.unwrap();
            assert_eq!(source.byte_count(), content.len() as u64);
            for from in [Checkpoint::START].into_iter().chain(facts.checkpoints) {
                for size in [300_000, BLOCK, 64 << 20] {
                    read(&source, from, size, &content).await;
                }
            }
        }
    }

    async fn read(source: &RawSource, from: Checkpoint, size: u64, content: &[u8]) {
        let start = usize::try_from(from.offset).unwrap();
        let mut blocks = Blocks::new(source.clone(), from, source.byte_count(), size);
        let (mut together, mut last) = (Vec::new(), None);
        let (mut number, mut counted) = (1, 0);
        while let Some(block) = blocks.next().await.unwrap() {
            assert_eq!(block.offset, (start + together.len()) as u64);
            for line in block.lines() {
                let at = usize::try_from(line.offset).unwrap();
                assert_eq!(&content[at..at + line.bytes.len()], line.bytes);
                number += memchr_iter(b'\n', &content[counted..at]).count() as u64;
                counted = at;
                assert_eq!(line.number, number);
                last = Some(line.bytes.to_vec());
            }
            together.extend_from_slice(&block.bytes);
        }
        assert!(together == content[start..]);
        assert_eq!(last.as_deref(), Some(&b"last"[..]));
    }

    #[tokio::test]
    async fn any_zstd_decoder_gives_the_bytes_as_they_came() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().to_str().unwrap()).unwrap();
        let content = b"{\"resourceType\":\"Patient\"}\n".repeat(200_000);
        let mut file = RawFile::create(&root, "raw/x.zst").await.unwrap();
        file.write(&content).await.unwrap();
        file.finish_if(|_| true).await.unwrap();
        let stored = std::fs::read(folder.path().join("raw/x.zst")).unwrap();
        assert!(stored.len() < content.len() / 20);
        assert!(zstd::decode_all(&stored[..]).unwrap() == content);
    }
}
