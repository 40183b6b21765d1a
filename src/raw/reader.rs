//! Raw files, read in blocks of whole lines.
//!
//! One invariant: the blocks of a file, one after the other, are its bytes; each begins at a line, and its offset and
//! line number say which. Memory is bounded by the block size, a longer line aside.

use bytes::{Bytes, BytesMut};
use memchr::{memchr_iter, memrchr};

use crate::error::{Error, Result};
use crate::storage::Root;

/// Bytes that are read at a time.
const BLOCK: u64 = 4 << 20;

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

/// Reads a file of the lake from its beginning, or from a line on.
#[derive(Debug)]
pub struct Blocks {
    root: Root,
    path: String,
    length: u64,
    read: u64,
    given: u64,
    line: u64,
    rest: BytesMut,
}

impl Blocks {
    /// Reads the bytes from `start` (the beginning of a line) to `length`.
    pub fn new(root: &Root, path: &str, start: u64, length: u64) -> Self {
        Self {
            root: root.clone(),
            path: path.to_owned(),
            length,
            read: start,
            given: start,
            line: 1,
            rest: BytesMut::new(),
        }
    }

    /// The next block, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Block>> {
        while self.read < self.length {
            let end = self.length.min(self.read + BLOCK);
            let bytes = self.root.get_range(&self.path, self.read..end).await?;
            if bytes.len() as u64 != end - self.read {
                let reason =
                    format!("it ends before byte {end}, and had {} when it was received", self.length);
                return Err(Error::Damaged { path: self.path.clone(), reason });
            }
            self.read = end;
            self.rest.extend_from_slice(&bytes);
            let whole = if end == self.length {
                Some(self.rest.len())
            } else {
                memrchr(b'\n', &self.rest).map(|at| at + 1)
            };
            if let Some(whole) = whole {
                return Ok(Some(self.give(whole)));
            }
        }
        Ok((!self.rest.is_empty()).then(|| self.give(self.rest.len())))
    }

    fn give(&mut self, length: usize) -> Block {
        let bytes = self.rest.split_to(length).freeze();
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

    #[tokio::test]
    async fn the_blocks_of_a_file_are_its_bytes_and_know_their_lines() {
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
        root.put("raw/x", content.clone()).await.unwrap();

        let mut blocks = Blocks::new(&root, "raw/x", 0, content.len() as u64);
        let (mut together, mut lines, mut last) = (Vec::new(), 0, None);
        let (mut number, mut counted) = (1, 0);
        while let Some(block) = blocks.next().await.unwrap() {
            assert_eq!(block.offset, together.len() as u64);
            for line in block.lines() {
                let at = usize::try_from(line.offset).unwrap();
                assert_eq!(&content[at..at + line.bytes.len()], line.bytes);
                number += memchr_iter(b'\n', &content[counted..at]).count() as u64;
                counted = at;
                assert_eq!(line.number, number);
                lines += 1;
                last = Some(line.bytes.to_vec());
            }
            together.extend_from_slice(&block.bytes);
        }
        assert!(together == content);
        assert_eq!((lines, last.as_deref()), (3_001, Some(&b"last"[..])));
    }
}
