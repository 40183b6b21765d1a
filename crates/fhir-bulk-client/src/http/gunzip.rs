//! gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)) in pieces, with every member of a file and a check that
//! the last one is whole.
//!
//! The decoder that comes with the HTTP library ends at the first member and drops the others without a word; files
//! that were compressed in parallel or appended to have many.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

/// How much compressed input is given to the decoder at a time. gzip expands it at most a thousandfold, which bounds
/// the memory that one call takes.
const STEP: usize = 4 * 1024;

/// The first two bytes of a gzip file. No JSON begins with them.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A stage that passes bytes on, decompressed if they are gzip.
pub(crate) enum Gunzip {
    /// The first bytes decide.
    Undecided(Vec<u8>),
    Plain,
    Compressed {
        decoder: Box<MultiGzDecoder<Vec<u8>>>,
        any: bool,
    },
}

impl Gunzip {
    /// For bytes that are said to be gzip.
    pub(crate) fn declared() -> Self {
        Self::Compressed { decoder: Box::new(MultiGzDecoder::new(Vec::new())), any: false }
    }

    /// For bytes that are gzip if they begin like it: object stores send files as they lie there.
    pub(crate) fn sniffing() -> Self {
        Self::Undecided(Vec::new())
    }

    /// Whether the bytes are decompressed. A file that has ended is not looked at any more.
    pub(crate) fn is_compressed(&self) -> bool {
        matches!(self, Self::Compressed { .. })
    }

    /// Passes on some of `input`: takes what it uses off the front, and returns what comes out, which may be empty.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] and the like if the bytes are no sound gzip.
    pub(crate) fn push(&mut self, input: &mut Bytes) -> io::Result<Bytes> {
        match self {
            Self::Plain => Ok(std::mem::take(input)),
            Self::Undecided(first) => {
                if !first.is_empty() {
                    *input = [&first[..], &input[..]].concat().into();
                    first.clear();
                }
                if input.len() < MAGIC.len() {
                    first.extend_from_slice(&std::mem::take(input));
                    return Ok(Bytes::new());
                }
                *self = if input.starts_with(&MAGIC) { Self::declared() } else { Self::Plain };
                self.push(input)
            }
            Self::Compressed { decoder, any } => {
                let step = input.split_to(STEP.min(input.len()));
                *any |= !step.is_empty();
                decoder.write_all(&step)?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
        }
    }

    /// Ends the stage: the bytes that it still held.
    ///
    /// # Errors
    /// If the input ended within a gzip member. An input without a single byte is an empty file.
    pub(crate) fn finish(&mut self) -> io::Result<Bytes> {
        match std::mem::replace(self, Self::Plain) {
            Self::Plain => Ok(Bytes::new()),
            Self::Undecided(first) => Ok(first.into()),
            Self::Compressed { any: false, .. } => Ok(Bytes::new()),
            Self::Compressed { decoder, .. } => decoder.finish().map(Bytes::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(mut stage: Gunzip, bytes: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut input = Bytes::copy_from_slice(piece);
            while !input.is_empty() {
                out.extend_from_slice(&stage.push(&mut input)?);
            }
        }
        out.extend_from_slice(&stage.finish()?);
        Ok(out)
    }

    #[test]
    fn every_member_is_decoded_however_the_bytes_are_cut() {
        let line = b"{\"resourceType\":\"Patient\"}\n".repeat(2_000);
        let members = [gzip(&line), gzip(b""), gzip(b"last\n")].concat();
        let whole = [&line[..], b"last\n"].concat();
        for piece in [1, 7, 1_000, usize::MAX] {
            assert!(decode(Gunzip::declared(), &members, piece).unwrap() == whole, "pieces of {piece}");
            assert!(
                decode(Gunzip::sniffing(), &members, piece).unwrap() == whole,
                "sniffed, pieces of {piece}"
            );
        }
    }

    #[test]
    fn what_is_not_gzip_passes_unchanged() {
        for text in ["", "{", "{}", "{}\n{}\n", "\u{1f}x"] {
            assert_eq!(decode(Gunzip::sniffing(), text.as_bytes(), 1).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_member_that_is_cut_anywhere_is_an_error() {
        let whole = gzip(b"{\"resourceType\":\"Patient\"}\n");
        for end in 2..whole.len() {
            assert!(decode(Gunzip::sniffing(), &whole[..end], 5).is_err(), "cut after {end} bytes");
        }
        let two = [gzip(b"a\n"), gzip(b"b\n")].concat();
        assert!(decode(Gunzip::declared(), &two[..two.len() - 1], 5).is_err());
    }

    #[test]
    fn an_empty_body_is_an_empty_file() {
        assert!(decode(Gunzip::declared(), b"", 1).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut bytes = gzip(b"{}\n");
        let at = bytes.len() - 6;
        bytes[at] ^= 1;
        assert!(decode(Gunzip::declared(), &bytes, 100).is_err());
    }
}
