use std::io::Write;

use fhir_bulk_client::{DownloadSummary, Error, ErrorKind, OutputFile, Tally};
use flate2::{Compression, write::GzEncoder};

use crate::server::{Reply, Server, stable};

/// Lines with characters of several bytes, a line end of Unicode within a line, and no end of the last line.
fn patients() -> Vec<u8> {
    let mut text = String::new();
    for number in 0..3_000 {
        text.push_str(&format!(
            "{{\"resourceType\":\"Patient\",\"id\":\"{number}\",\"x\":\"é\u{2028}𝄞 7.40\"}}\n"
        ));
    }
    text.pop();
    text.into_bytes()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Downloads `/file`: its bytes and summary, or the error and how many bytes came before it.
async fn download(server: &Server) -> Result<(Vec<u8>, DownloadSummary), (Error, usize)> {
    let client = server.client().build().unwrap();
    let file = OutputFile { url: server.url("/file?sig=abc").into(), ..Default::default() };
    let mut download = client.download(&file, false).await.map_err(|error| (error, 0))?;
    let mut bytes = Vec::new();
    loop {
        match download.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok((bytes, download.finish())),
            Err(error) => {
                assert!(!download.finish().complete);
                return Err((error, bytes.len()));
            }
        }
    }
}

/// What holds of a download of `bytes` that was whole.
#[track_caller]
fn assert_whole(summary: &DownloadSummary, bytes: &[u8], retries: u32) {
    let mut tally = Tally::new();
    tally.update(bytes);
    let facts = tally.finish();
    assert!(summary.complete);
    assert_eq!((summary.byte_count, summary.line_count), (facts.byte_count, facts.line_count));
    assert_eq!((&summary.sha256, summary.retries), (&facts.sha256, retries));
}

#[tokio::test]
async fn bytes_arrive_as_they_were_sent() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200).ndjson(patients())]);
    let (bytes, summary) = download(&server).await.unwrap();
    assert!(bytes == patients());
    assert_eq!(summary.line_count, 3_000);
    assert_whole(&summary, &patients(), 0);
    assert_eq!(server.seen()[0].header("accept"), Some("application/fhir+ndjson"));
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn gzip_is_decoded_declared_or_not_and_with_every_member() {
    let (first, second) = (&patients()[..50_000], &patients()[50_000..]);
    let members = [gzip(first), gzip(second)].concat();
    let replies = [
        Reply::status(200).header("content-encoding", "gzip").ndjson(gzip(&patients())),
        Reply::status(200).header("content-encoding", "gzip").ndjson(members.clone()),
        Reply::status(200).header("content-encoding", "gzip").ndjson(gzip(&members)),
        Reply::status(200).header("content-type", "binary/octet-stream").body(members),
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        let server = Server::start().await;
        server.on("GET /file", [reply]);
        let (bytes, summary) = download(&server).await.unwrap();
        assert!(bytes == patients(), "reply {number}");
        assert_whole(&summary, &patients(), 0);
    }
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    for reply in [Reply::status(200), Reply::status(200).header("content-encoding", "gzip")] {
        let server = Server::start().await;
        server.on("GET /file", [reply]);
        assert_whole(&download(&server).await.unwrap().1, b"", 0);
    }
}

#[tokio::test]
async fn a_body_that_is_shorter_than_its_length_is_an_error() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200).ndjson("{\"id\":1}\n").cut(10)]);
    let (error, received) = download(&server).await.unwrap_err();
    assert_eq!((error.kind(), received), (ErrorKind::Truncated, 9));
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_chunked_body_without_its_end_is_an_error() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200).ndjson("{\"id\":1}\n").cut_chunked()]);
    let (error, received) = download(&server).await.unwrap_err();
    assert_eq!((error.kind(), received), (ErrorKind::Truncated, 9));
}

#[tokio::test]
async fn gzip_that_is_cut_off_is_an_error() {
    let mut cut = gzip(&patients());
    cut.truncate(cut.len() - 3);
    for reply in [Reply::status(200).header("content-encoding", "gzip"), Reply::status(200)] {
        let server = Server::start().await;
        server.on("GET /file", [reply.ndjson(cut.clone())]);
        assert_eq!(download(&server).await.unwrap_err().0.kind(), ErrorKind::Truncated);
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_gzip_it_is_said_to_be_is_an_error() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200).header("content-encoding", "gzip").ndjson(patients())]);
    assert_eq!(download(&server).await.unwrap_err().0.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_an_error() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200).header("content-encoding", "br").ndjson("x")]);
    let error = download(&server).await.unwrap_err().0;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn failures_before_the_first_byte_are_retried_and_counted() {
    let server = Server::start().await;
    let throttled = Reply::status(429).header("retry-after", "1");
    server.on("GET /file", [throttled, Reply::status(500), Reply::status(200).ndjson("{}\n")]);
    assert_whole(&download(&server).await.unwrap().1, b"{}\n", 2);
}

#[tokio::test]
async fn a_failure_that_stays_is_told_with_its_attempts() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(500)]);
    let error = download(&server).await.unwrap_err().0;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 3));
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_link_that_has_expired_is_told() {
    for status in [403, 404] {
        let server = Server::start().await;
        server.on("GET /file", [Reply::status(status)]);
        let error = download(&server).await.unwrap_err().0;
        assert_eq!(error.status(), Some(status));
        insta::assert_snapshot!(format!("expired_link_{status}"), stable(error));
    }
}

#[tokio::test]
async fn a_login_page_is_no_file() {
    let server = Server::start().await;
    server.on(
        "GET /file",
        [Reply::status(200).header("content-type", "text/html; charset=utf-8").body("<html>")],
    );
    let error = download(&server).await.unwrap_err().0;
    assert_eq!(error.kind(), ErrorKind::NotData);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_server_that_stops_sending_is_a_timeout() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200).ndjson("{}\n").then_silence()]);
    let client = server.client().read_timeout(std::time::Duration::from_millis(100)).build().unwrap();
    let file = OutputFile { url: server.url("/file").into(), ..Default::default() };
    let mut download = client.download(&file, false).await.unwrap();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "{}\n");
    assert_eq!(download.chunk().await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_relative_url_is_resolved_below_the_base() {
    let server = Server::start().await;
    server.on("GET /fhir/files/1", [Reply::status(200).ndjson("{}\n")]);
    let file = OutputFile { url: "files/1".into(), ..Default::default() };
    assert!(server.client().build().unwrap().download(&file, false).await.is_ok());
}
