//! Ways into what is private, for `fuzz/`, and for the tests below, which try each of them with fewer and simpler inputs. A
//! broken promise is a panic here.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::{Algorithm, SigningKey};

    const CAPABILITY: &str = r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","software":{"name":"s"},
        "instantiates":["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data|3.0.0"],
        "rest":[{"operation":[{"name":"export"}],"resource":[{"type":"Group","operation":[{"name":"$export"}]}]}]}"#;
    const SMART: &str =
        r#"{"token_endpoint":"/token","scopes_supported":["system/*.rs"],"capabilities":["permission-v2"]}"#;
    const TOKEN: &str = r#"{"access_token":"0123456789abcdef0123","token_type":"bearer","expires_in":"300.5","scope":"system/*.rs"}"#;
    const OUTCOME: &str = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient","details":{"text":"é"}}]}"#;
    const JOB: &str = r#"{"status_url":"https://ehr.example/poll/1?key=é","request":"","request_sha256":"","warnings":[],"kicked_off_at":1}"#;
    const PART: &str = r#"{"key":{"section":"output","index":0,"identity":"x"},"part":{"byte_count":3,
        "sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","etag":"\"1\""}}"#;

    /// A text some bytes of which are other ones, and which may be cut.
    fn damaged(text: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
        let (text, length) = (text.as_bytes().to_vec(), text.len());
        let edits = proptest::collection::vec((0..length, any::<u8>()), 0..3);
        (edits, 0..2 * length).prop_map(move |(edits, end)| {
            let mut text = text.clone();
            edits.into_iter().for_each(|(at, byte)| text[at] = byte);
            text.truncate(end);
            text
        })
    }

    fn any_of(texts: &[&str]) -> impl Strategy<Value = Vec<u8>> + use<> {
        proptest::sample::select(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
            .prop_flat_map(|text| damaged(&text))
    }

    proptest! {
        #[test]
        fn parts_are_believed_as_far_as_their_bytes_bear_them_out(
            record in damaged(PART),
            there in "(abc)?[a-c\\n]{0,4}",
            kept in 0_usize..8,
            damaged in proptest::option::of(0_usize..8),
            etag in proptest::option::of("(W/)?\"[0-9é]\"?"),
        ) {
            let folder = tempfile::tempdir().unwrap();
            part(folder.path(), &record, there.as_bytes());
            own_part(folder.path(), kept, damaged, etag.as_deref(), there.as_bytes());
        }

        #[test]
        fn records_that_were_cut_do_not_hide_others(bytes in any_of(&[JOB, PART])) {
            records(&bytes);
        }

        #[test]
        fn answers_are_read_or_refused(bytes in any_of(&[CAPABILITY, SMART, TOKEN, OUTCOME])) {
            answers(&bytes);
        }

        #[test]
        fn lines_are_judged_or_passed_over(filter in "Patient\\?(_id|gender|code|_lastUpdated)=[a-z|,2026]{0,8}", line in any_of(&[OUTCOME, JOB])) {
            lines(&filter, &line);
        }

        #[test]
        fn headers_and_framing_hold(size: u8, bytes: Vec<u8>, seconds in "[0-9]{0,20}") {
            headers(&bytes);
            headers(seconds.as_bytes());
            framing(size, &bytes);
        }

        #[test]
        fn urls_are_shown_without_secrets(text in "(https?|data)?:?//(u:p@)?[a-z.:0-9]{0,9}/[a-z?&=#é@]{0,9}") {
            urls(&text);
        }
    }

    #[test]
    fn what_is_damaged_is_sound_before() {
        assert!(capability::parse(CAPABILITY.as_bytes()).is_ok());
        assert!(OperationOutcome::parse(OUTCOME.as_bytes()).is_some());
        assert!(serde_json::from_str::<crate::JobRecord>(JOB).is_ok());
        let part = serde_json::from_str::<serde_json::Value>(PART).unwrap();
        assert!(serde_json::from_value::<crate::PartRecord>(part["part"].clone()).is_ok());
        assert!(serde_json::from_value::<crate::FileKey>(part["key"].clone()).is_ok());
        assert!(serde_json::from_str::<crate::SmartConfiguration>(SMART).is_ok());
    }

    #[test]
    fn keys_are_read_or_refused_without_being_shown() {
        let key = SigningKey::generate(Algorithm::Es384).unwrap();
        let text = key.to_pem().expose();
        for end in 0..text.len() {
            keys(&text[..end]);
            keys(&text[end..]);
        }
        keys(text);
    }
}
