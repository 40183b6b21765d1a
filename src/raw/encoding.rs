//! How raw files are kept: as zstd in frames that can be read one by one, or plain.
//!
//! One invariant: what is decoded is what came, byte for byte. The form is the seekable format of zstd
//! (<https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md>): independent
//! frames and a table of them at the end, which any other zstd decoder skips, so `zstd -d` gives the NDJSON.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeekstd::{BytesWrapper, SeekTable};

use crate::error::{Error, Result};

/// How a raw file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Frames of zstd, each of whole lines.
    #[default]
    Zstd,
    /// As it came.
    Plain,
}

/// Bytes of a frame, before compression: what is read to get one line. A longer line has a frame of its own.
pub const FRAME: usize = 1 << 20;

/// NDJSON has much to gain at any level; this one compresses over a gigabyte a second, a tenth faster than it is parsed.
const LEVEL: i32 = 2;

/// The end of the table of frames: their number, a descriptor, a magic number.
const TABLE_END: u64 = 9;

impl Encoding {
    /// The encoding of a file of this name.
    pub fn of(path: &str) -> Self {
        if path.ends_with(".zst") { Self::Zstd } else { Self::Plain }
    }

    /// What a file's name ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Plain => "",
        }
    }
}

/// Compresses the lines of a frame.
pub fn compress(lines: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(lines, LEVEL).map_err(Error::io("compress", "a frame of a raw file"))
}

/// Decompresses frames that lie one behind the other. `sizes` are theirs: compressed, decompressed.
pub fn decompress(path: &str, frames: &[u8], sizes: &[(usize, usize)]) -> Result<Bytes> {
    let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
    let mut decoder = zstd::bulk::Decompressor::new().map_err(|e| damaged(e.to_string()))?;
    let mut lines = vec![0; sizes.iter().map(|(_, decompressed)| decompressed).sum()];
    let (mut from, mut to) = (frames, lines.as_mut_slice());
    for (compressed, decompressed) in sizes {
        let (frame, later) =
            from.split_at_checked(*compressed).ok_or_else(|| damaged("a frame is cut".into()))?;
        let (here, after) = to.split_at_mut(*decompressed);
        let written = decoder.decompress_to_buffer(frame, here).map_err(|e| damaged(e.to_string()))?;
        if written != *decompressed {
            return Err(damaged(format!("a frame of {decompressed} bytes gives {written}")));
        }
        (from, to) = (later, after);
    }
    Ok(lines.into())
}

/// The frames that `bytes` begin with, each with its size and what is in it, at most `limit` bytes; then come bytes of a
/// frame that is not whole.
pub fn whole_frames(path: &str, mut bytes: &[u8], limit: u64) -> Result<Vec<(usize, Bytes)>> {
    let damaged = |reason: &str| Error::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let mut frames = Vec::new();
    while let Ok(size) = zstd::zstd_safe::find_frame_compressed_size(bytes) {
        let (frame, later) = bytes.split_at_checked(size).ok_or_else(|| damaged("a frame is cut"))?;
        let length = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
        let length = length.filter(|length| *length <= limit).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| damaged("a frame does not say how long it is"))?;
        let lines = zstd::bulk::decompress(frame, length).map_err(|e| damaged(&e.to_string()))?;
        frames.push((size, lines.into()));
        bytes = later;
    }
    Ok(frames)
}

/// The bytes of a table of frames.
pub fn encode_table(table: SeekTable) -> Vec<u8> {
    let mut serializer = table.into_serializer();
    let mut bytes = vec![0; serializer.encoded_len()];
    let mut at = 0;
    while at < bytes.len() {
        match serializer.write_into(&mut bytes[at..]) {
            0 => break,
            written => at += written,
        }
    }
    bytes
}

/// The size of the table of frames at the end of a file, if the file's last bytes say that there is one.
pub fn table_size(tail: &[u8]) -> Option<u64> {
    let end = tail.last_chunk::<{ TABLE_END as usize }>()?;
    let (count, rest) = end.split_first_chunk::<4>()?;
    let (descriptor, magic) = rest.split_first()?;
    if magic != 0x8F92_EAB1_u32.to_le_bytes() {
        return None;
    }
    let entry = if descriptor & 0x80 == 0 { 8 } else { 12 };
    Some(8 + entry * u64::from(u32::from_le_bytes(*count)) + TABLE_END)
}

/// Reads the table of frames out of the last bytes of a file.
pub fn decode_table(path: &str, tail: &[u8]) -> Result<SeekTable> {
    SeekTable::from_seekable(&mut BytesWrapper::new(tail)).map_err(|e| Error::Damaged {
        path: path.to_owned(),
        reason: format!("its table of frames cannot be read: {e}"),
    })
}
