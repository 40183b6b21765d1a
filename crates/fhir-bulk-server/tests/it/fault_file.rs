//! Faults of the files.

use std::io::Read;
use std::time::{Duration, Instant};

use fhir_bulk_server::{BulkServer, Fault, Rule, ServerOptions, Step};
use flate2::read::GzDecoder;
use reqwest::Response;
use serde_json::Value;

use crate::client::{client, folder, header, issue_code, kick_off, options, raw, start, status_url};

/// A server with one file, and the file's URL.
async fn with(fault: impl Into<Rule>) -> (BulkServer, String) {
    let server = start(ServerOptions { poll_rounds: 0, ..options() }.with_fault(fault)).await;
    let status = status_url(&kick_off(&server, "$export?_type=Observation").await);
    let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
    (server, manifest["output"][0]["url"].as_str().unwrap().to_owned())
}

async fn get(url: &str, accept_encoding: &str) -> Response {
    raw().get(url).header("Accept-Encoding", accept_encoding).send().await.unwrap()
}

async fn text(fault: Fault) -> String {
    let (_server, url) = with(fault).await;
    let response = get(&url, "identity").await;
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

fn original() -> String {
    std::fs::read_to_string(folder("base/Observation.ndjson")).unwrap()
}

fn unpacked(packed: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).map(|_| text)
}

#[tokio::test]
async fn a_file_is_refused_on_demand_and_given_after() {
    for (fault, status, code) in [
        (Fault::File429, 429, Some("throttled")),
        (Fault::File503, 503, Some("transient")),
        (Fault::File502, 502, None),
        (Fault::File401, 401, Some("login")),
        (Fault::File403, 403, Some("forbidden")),
        (Fault::File404, 404, Some("not-found")),
        (Fault::File410, 410, Some("deleted")),
        (Fault::FileHtml, 200, None),
        (Fault::FileOutcome, 200, Some("exception")),
    ] {
        let (server, url) = with(Rule::new(fault).times(1)).await;
        let refused = get(&url, "identity").await;
        assert_eq!(refused.status(), status, "{fault}");
        match code {
            Some(code) => assert_eq!(issue_code(refused).await, code),
            None => assert!(refused.text().await.unwrap().contains("<html>")),
        }
        assert_eq!(get(&url, "identity").await.text().await.unwrap(), original());
        assert_eq!(server.requests_of(Step::File).len(), 2);
    }
}

#[tokio::test]
async fn a_rule_strikes_only_the_files_it_names() {
    let (_server, url) = with(Rule::new(Fault::File404).only("Patient")).await;
    assert_eq!(get(&url, "identity").await.status(), 200);
}

#[tokio::test]
async fn lines_are_added_or_broken_on_demand() {
    let original = original();
    let added = text(Fault::FileOutcomeLine).await;
    assert!(
        added.starts_with(&original) && added.trim_end().lines().last().unwrap().contains("OperationOutcome")
    );
    assert!(text(Fault::FileWrongType).await.lines().last().unwrap().contains(r#""resourceType":"Basic""#));
    let twice = text(Fault::DuplicateLine).await;
    assert_eq!(twice.lines().last(), original.lines().next());
    let broken = text(Fault::BrokenLastLine).await;
    assert!(serde_json::from_str::<Value>(broken.lines().last().unwrap()).is_err());
    assert!(serde_json::from_str::<Value>(broken.lines().next().unwrap()).is_ok());
}

#[tokio::test]
async fn lines_are_separated_otherwise_on_demand() {
    let original = original();
    assert_eq!(text(Fault::NoFinalNewline).await, original.trim_end());
    assert_eq!(text(Fault::Crlf).await, original.replace('\n', "\r\n"));
    assert_eq!(text(Fault::BlankLines).await, original.replace('\n', "\n \n\n"));
    let (_server, url) = with(Fault::Bom).await;
    let bytes = get(&url, "identity").await.bytes().await.unwrap();
    assert_eq!(bytes, ["\u{FEFF}", &original].concat().as_bytes());
    let separator = text(Fault::LineSeparator).await;
    assert_eq!(separator.matches('\u{2028}').count(), 1);
    assert_eq!(separator.lines().count(), original.lines().count() + 1);
    assert!(text(Fault::LongLine).await.lines().last().unwrap().len() > 2_000_000);
    let (_server, url) = with(Fault::InvalidUtf8).await;
    assert!(std::str::from_utf8(&get(&url, "identity").await.bytes().await.unwrap()).is_err());
}

#[tokio::test]
async fn a_resource_is_in_two_files_on_demand() {
    let server =
        start(ServerOptions { poll_rounds: 0, ..options() }.with_fault(Fault::DuplicateAcrossFiles)).await;
    let export = crate::client::export(&server, "$export?_type=Patient").await;
    assert_eq!(export.output, ["Patient/p1", "Patient/p2", "Patient/p1"]);
}

#[tokio::test]
async fn a_file_is_a_binary_resource_on_demand() {
    let text = text(Fault::FileBinaryJson).await;
    let binary: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&binary["resourceType"], &binary["contentType"]),
        (&"Binary".into(), &"application/fhir+ndjson".into())
    );
    let (_server, url) = with(Fault::FileBinaryXml).await;
    let xml = get(&url, "identity").await;
    assert_eq!(header(&xml, "content-type"), "application/fhir+xml");
    assert!(xml.text().await.unwrap().starts_with("<Binary "));

    let (_server, url) = with(Fault::FileBinaryByAccept).await;
    let accept = async |of: &str| raw().get(&url).header("Accept", of).send().await.unwrap();
    assert!(accept("application/fhir+json").await.text().await.unwrap().starts_with("{\"contentType\""));
    assert_eq!(accept("application/fhir+ndjson").await.text().await.unwrap(), original());
}

#[tokio::test]
async fn a_file_breaks_off_on_demand() {
    let (_server, url) = with(Fault::FileCut).await;
    let cut = get(&url, "identity").await;
    assert_eq!(header(&cut, "content-length"), original().len().to_string());
    assert!(cut.bytes().await.is_err());

    let (_server, url) = with(Fault::FileCutChunked).await;
    let cut = get(&url, "identity").await;
    assert!(!cut.headers().contains_key("content-length"));
    assert!(cut.bytes().await.is_err());

    // Half of the bytes arrive before the connection breaks, so that a client has something to resume from.
    let (_server, url) = with(Rule::new(Fault::FileCut).times(1)).await;
    let mut cut = get(&url, "identity").await;
    let mut arrived = Vec::new();
    while let Ok(Some(chunk)) = cut.chunk().await {
        arrived.extend_from_slice(&chunk);
    }
    let range = format!("bytes={}-", arrived.len());
    let rest =
        raw().get(&url).header("Accept-Encoding", "identity").header("Range", range).send().await.unwrap();
    arrived.extend_from_slice(&rest.bytes().await.unwrap());
    assert_eq!(arrived, original().as_bytes());
}

#[tokio::test]
async fn a_file_stalls_on_demand() {
    let (_server, url) = with(Fault::FileStall).await;
    let mut stalled = get(&url, "identity").await;
    assert!(!stalled.chunk().await.unwrap().unwrap().is_empty());
    let next = tokio::time::timeout(Duration::from_millis(300), stalled.chunk()).await;
    assert!(next.is_err());
}

#[tokio::test]
async fn a_file_comes_in_tiny_chunks_on_demand() {
    let (_server, url) = with(Fault::FileTinyChunks).await;
    let mut response = get(&url, "identity").await;
    let mut chunks: Vec<bytes::Bytes> = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        chunks.push(chunk);
    }
    assert!(chunks.len() > 1);
    assert_eq!(chunks.concat(), original().as_bytes());
}

#[tokio::test]
async fn a_file_ends_early_but_properly_on_demand() {
    let (_server, url) = with(Fault::FileEndsEarly).await;
    let response = get(&url, "identity").await;
    assert!(!response.headers().contains_key("content-length"));
    let text = response.text().await.unwrap();
    assert!(text.ends_with('\n') && original().starts_with(&text));
    assert_eq!(text.lines().count(), 2);
}

#[tokio::test]
async fn gzip_is_cut_undeclared_or_not_done_on_demand() {
    let (_server, url) = with(Fault::FileCutGzip).await;
    let cut = get(&url, "gzip").await;
    assert_eq!(header(&cut, "content-encoding"), "gzip");
    assert!(unpacked(&cut.bytes().await.unwrap()).is_err());

    let (_server, url) = with(Fault::FileUndeclaredGzip).await;
    let undeclared = get(&url, "gzip").await;
    assert!(!undeclared.headers().contains_key("content-encoding"));
    assert_eq!(unpacked(&undeclared.bytes().await.unwrap()).unwrap(), original());

    let (_server, url) = with(Fault::NoGzip).await;
    let plain = get(&url, "gzip").await;
    assert!(!plain.headers().contains_key("content-encoding"));
    assert_eq!(plain.text().await.unwrap(), original());
}

#[tokio::test]
async fn a_resumed_download_finds_no_range_or_another_version_on_demand() {
    let resume = async |fault| {
        let (_server, url) = with(fault).await;
        let whole = get(&url, "identity").await;
        let etag =
            whole.headers().get("etag").map_or("\"none\"".into(), |etag| etag.to_str().unwrap().to_owned());
        let request = raw().get(&url).header("Accept-Encoding", "identity").header("Range", "bytes=5-");
        (whole, request.header("If-Range", etag).send().await.unwrap().status().as_u16())
    };
    let (whole, status) = resume(Fault::NoRange).await;
    assert_eq!((whole.headers().contains_key("accept-ranges"), status), (false, 200));
    assert_eq!(resume(Fault::EtagChanges).await.1, 200);
    let (bare, status) = resume(Fault::FileBare).await;
    assert!(!bare.headers().contains_key("content-length") && !bare.headers().contains_key("etag"));
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_token_where_none_belongs_is_refused_on_demand() {
    let (_server, url) = with(Fault::RefuseFileToken).await;
    assert_eq!(get(&url, "identity").await.status(), 200);
    assert_eq!(raw().get(&url).bearer_auth("abc").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_file_is_redirected_on_demand() {
    for (fault, status) in [(Fault::Redirect307, 307), (Fault::Redirect302, 302)] {
        let (server, url) = with(fault).await;
        let redirect = get(&url, "identity").await;
        assert_eq!(redirect.status(), status);
        assert!(header(&redirect, "location").starts_with(&server.other_origin()));
        let followed = client().get(&url).bearer_auth("abc").send().await.unwrap();
        assert_eq!(followed.text().await.unwrap(), original());
        let last = server.requests_of(Step::File).pop().unwrap();
        assert!(last.other_origin && last.header("authorization").is_none());
    }
    let (_server, url) = with(Fault::RedirectLoop).await;
    assert!(client().get(&url).send().await.unwrap_err().is_redirect());
}

#[tokio::test]
async fn a_file_trickles_or_is_mislabelled_on_demand() {
    let (_server, url) = with(Fault::FileSlow).await;
    let start = Instant::now();
    assert_eq!(get(&url, "identity").await.text().await.unwrap(), original());
    assert!(start.elapsed() >= Duration::from_millis(200));
    for (fault, label) in
        [(Fault::FileOctetStream, "application/octet-stream"), (Fault::FileJsonLabel, "application/json")]
    {
        let (_server, url) = with(fault).await;
        assert_eq!(header(&get(&url, "identity").await, "content-type"), label);
    }
}
