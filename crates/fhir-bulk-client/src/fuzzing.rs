//! Ways into what is private, for `fuzz/` alone. A broken promise is a panic here.
#![allow(clippy::panic, reason = "a fuzz target fails by a panic")]

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

use crate::export::{OutputFile, ResumePoint, Section};
use crate::http::{Gunzip, Pauses, date, retry_after};
use crate::ndjson::Tally;

/// `Retry-After` and `Date`, separated by a line end.
pub fn headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    for name in [RETRY_AFTER, DATE] {
        if let Some(value) = parts.next().and_then(|part| HeaderValue::from_bytes(part).ok()) {
            headers.insert(name, value);
        }
    }
    let pauses = Pauses { min: Duration::from_secs(1), max: Duration::from_secs(60) };
    let pause = pauses.begin().next(retry_after(&headers));
    assert!(pause >= pauses.min && pause <= pauses.max, "{pause:?}");
    let _ = date(&headers);
}

/// Lines in pieces of `size` bytes, and the same bytes taken for gzip.
pub fn framing(size: u8, bytes: &[u8]) {
    let size = usize::from(size).max(1);
    let (mut whole, mut pieces) = (Tally::new(), Tally::new());
    whole.update(bytes);
    bytes.chunks(size).for_each(|piece| pieces.update(piece));
    assert_eq!(whole.finish(), pieces.finish());
    let mut point = ResumePoint::new(Section::Output, &OutputFile::default(), None);
    bytes.chunks(size).for_each(|piece| point.update(piece));
    assert_eq!(gunzip(bytes, size), gunzip(bytes, usize::MAX));
}

/// What comes out; none if it is no sound gzip.
fn gunzip(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let (mut stage, mut out) = (Gunzip::sniffing(), Vec::new());
    for piece in bytes.chunks(size) {
        let mut input = Bytes::copy_from_slice(piece);
        while !input.is_empty() {
            out.extend_from_slice(&stage.push(&mut input).ok()?);
        }
    }
    out.extend_from_slice(&stage.finish().ok()?);
    Some(out)
}
