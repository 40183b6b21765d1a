//! Ways into what is private, for `fuzz/` alone. A broken promise is a panic here.
#![allow(clippy::panic, reason = "a fuzz target fails by a panic")]

use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use url::Url;

pub use crate::auth::fuzzing::keys;
use crate::capability;
pub use crate::export::fuzzing::{own_part, part, records};
use crate::export::{AppliedCheck, ExportRequest, OutputFile, ResumePoint, Section};
use crate::http::{Call, Gunzip, Pauses, date, redact, redirected, retry_after};
use crate::log::shown_parameters;
use crate::ndjson::Tally;
use crate::outcome::OperationOutcome;

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

/// What a server answers beside manifests and files: its CapabilityStatement, its SMART configuration, a token response, an
/// OperationOutcome.
pub fn answers(bytes: &[u8]) {
    if let Ok(capability) = capability::parse(bytes) {
        assert_eq!(capability.dialect().is_some(), !capability.dialects.is_empty());
    }
    if let Some(outcome) = OperationOutcome::parse(bytes) {
        let text = outcome.text();
        assert!(text.chars().count() <= 501 && !text.chars().any(char::is_control));
        let _ = (outcome.is_transient(), outcome.severities().count());
    }
    crate::auth::fuzzing::answers(&base(), bytes);
}

/// A line of a data file, compared with a type filter that anybody may have written.
pub fn lines(filter: &str, line: &[u8]) {
    let request = ExportRequest {
        types: vec!["Patient".to_owned()],
        since: Some("2026-01-01T00:00:00Z".to_owned()),
        type_filters: vec![filter.to_owned()],
        elements: vec!["Patient.id".to_owned()],
        patients: vec!["a".to_owned()],
        ..Default::default()
    };
    let mut check = AppliedCheck::new(&request);
    check.line(line);
    assert!(check.finish().iter().all(|one| one.lines <= one.of && one.of == 1));
}

/// URLs as they are shown, and where a redirect to them leads.
pub fn urls(text: &str) {
    if let Ok(url) = Url::parse(text) {
        if let Ok(shown) = Url::parse(&redact(&url)) {
            assert!(shown.username().is_empty() && shown.password().is_none() && shown.fragment().is_none());
        }
        let _ = shown_parameters(&url);
    }
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::from_str(text).ok().map(|location| (LOCATION, location)));
    let call = Call::get(base(), "application/json");
    if let Ok(Some(next)) = redirected(&call, StatusCode::FOUND, &headers) {
        assert_eq!(next.url.scheme(), "https");
        assert!(!next.authorize || next.url.origin() == call.url.origin());
    }
}

#[allow(clippy::expect_used, reason = "the text is a URL")]
fn base() -> Url {
    Url::parse("https://ehr.example/fhir/").expect("it is a URL")
}
