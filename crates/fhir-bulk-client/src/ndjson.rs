//! Counting and hashing NDJSON as it passes by, byte for byte as it was sent.
//!
//! Lines end with `\n` alone: FHIR servers write U+2028 and other Unicode line ends inside of lines.

use memchr::memchr;
use sha2::{Digest, Sha256};

/// What is known of a file of NDJSON after reading it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Length in bytes, after content decoding.
    pub byte_count: u64,
    /// Number of lines that are not empty, which is the number of resources. A line of spaces, tabs and `\r` alone
    /// is empty; the last line need not end with `\n`.
    pub line_count: u64,
    /// SHA-256 of the bytes, as 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// Computes [`FileFacts`] of bytes that come in pieces, in constant memory.
///
/// ```
/// let mut tally = fhir_bulk_client::Tally::new();
/// tally.update(b"{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resource");
/// tally.update(b"Type\":\"Patient\",\"id\":\"b\"}");
/// assert_eq!(tally.finish().line_count, 2);
/// ```
#[derive(Clone, Default)]
pub struct Tally {
    hash: Sha256,
    byte_count: u64,
    line_count: u64,
    /// Whether the line that is not ended yet has been counted.
    line_counted: bool,
}

impl Tally {
    /// A tally of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes. Where they are cut does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.byte_count += bytes.len() as u64;
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            self.line_piece(&rest[..end]);
            self.line_counted = false;
            rest = &rest[end + 1..];
        }
        self.line_piece(rest);
    }

    /// A piece of one line, without its `\n`. Looks no further than the first byte that is not a space.
    fn line_piece(&mut self, piece: &[u8]) {
        if !self.line_counted && piece.iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) {
            self.line_counted = true;
            self.line_count += 1;
        }
    }

    /// Bytes seen so far.
    pub fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// Lines seen so far that are not empty, with the one that is not ended yet.
    pub fn line_count(&self) -> u64 {
        self.line_count
    }

    /// Whether both have seen the same bytes.
    pub(crate) fn same_bytes(&self, other: &Self) -> bool {
        self.byte_count == other.byte_count && self.hash.clone().finalize() == other.hash.clone().finalize()
    }

    /// SHA-256 of the bytes seen so far, as 64 lower-case hexadecimal digits.
    pub fn sha256(&self) -> String {
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.clone().finalize() {
            for digit in [byte >> 4, byte & 15] {
                sha256.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        sha256
    }

    /// Ends the count.
    pub fn finish(self) -> FileFacts {
        FileFacts { byte_count: self.byte_count, line_count: self.line_count, sha256: self.sha256() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts(pieces: &[&[u8]]) -> FileFacts {
        let mut tally = Tally::new();
        pieces.iter().for_each(|piece| tally.update(piece));
        tally.finish()
    }

    #[test]
    fn lines_that_are_not_empty_are_counted() {
        let count = |text: &str| facts(&[text.as_bytes()]).line_count;
        assert_eq!(count(""), 0);
        assert_eq!(count("\n\n"), 0);
        assert_eq!(count("{}\n{}\n"), 2);
        assert_eq!(count("{}\n{}"), 2, "the last line may lack its end");
        assert_eq!(count("{}\r\n\r\n \t\n{}\r\n"), 2, "a line of spaces is empty");
        assert_eq!(count("{\"a\":\"x\u{2028}y\"}\n"), 1, "U+2028 ends no line");
    }

    #[test]
    fn the_hash_is_sha256_of_the_bytes() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            facts(&[b"a", b"", b"bc"]),
            FileFacts { byte_count: 3, line_count: 1, sha256: abc.into() }
        );
        assert_eq!(facts(&[]).sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_does_not_matter(text in "[ab \r\n]{0,40}", size in 1_usize..41) {
            let bytes = text.as_bytes();
            let whole = facts(&[bytes]);
            prop_assert_eq!(&facts(&bytes.chunks(size).collect::<Vec<_>>()), &whole);
            let expected = text.split('\n').filter(|line| !line.trim().is_empty()).count() as u64;
            prop_assert_eq!(whole.line_count, expected);
        }
    }
}
