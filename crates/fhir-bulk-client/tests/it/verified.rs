//! Downloads that break off and go on, and files that are no data.

use fhir_bulk_client::{
    DownloadSummary, Error, ErrorKind, OutputFile, PartRecord, Quirks, ResumePoint, Section, Tally,
};

use crate::server::{Reply, Server, stable};

fn lines(count: usize) -> String {
    (0..count).map(|number| format!("{{\"resourceType\":\"Patient\",\"id\":\"é{number}\"}}\n")).collect()
}

/// Downloads `/file` as a file of `type_` of which the manifest says that it has `count` resources.
async fn fetch_as(
    server: &Server,
    section: Section,
    type_: &str,
    count: Option<u64>,
    point: ResumePoint,
) -> Result<(String, DownloadSummary), Error> {
    let client = server.client().build().unwrap();
    let file = OutputFile {
        type_: Some(type_.to_owned()),
        url: server.url("/file?sig=abc").into(),
        count,
        ..Default::default()
    };
    let mut download = client.download_from(section, &file, false, point).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = download.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok((String::from_utf8(bytes).unwrap(), download.verify()?))
}

async fn fetch(server: &Server, count: Option<u64>) -> Result<(String, DownloadSummary), Error> {
    fetch_as(server, Section::Output, "Patient", count, ResumePoint::default()).await
}

fn ranged(body: &str) -> Reply {
    Reply::status(200).header("etag", "\"v1\"").header("accept-ranges", "bytes").ndjson(body.to_owned())
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_broke_off() {
    let (text, at) = (lines(50), 777);
    let server = Server::start().await;
    let rest = Reply::status(206)
        .header("etag", "\"v1\"")
        .header("content-range", format!("bytes {at}-{}/{}", text.len() - 1, text.len()))
        .ndjson(text.as_bytes()[at..].to_vec());
    let mut head = text.as_bytes().to_vec();
    head.truncate(at);
    let head = Reply::status(200).header("etag", "\"v1\"").header("accept-ranges", "bytes").ndjson(head);
    server.on("GET /file", [head.cut(text.len() - at), rest]);
    let (received, summary) = fetch(&server, Some(50)).await.unwrap();
    assert_eq!(received, text);
    assert_eq!((summary.line_count, summary.retries), (50, 1));
    let seen = server.seen();
    assert_eq!(seen[1].header("range"), Some(format!("bytes={at}-").as_str()));
    assert_eq!(seen[1].header("if-range"), Some("\"v1\""));
    assert_eq!(seen[1].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn without_ranges_what_is_known_is_passed_over_and_given_once() {
    let text = lines(50);
    let server = Server::start().await;
    let whole = Reply::status(200).ndjson(text.clone());
    server.on("GET /file", [Reply::status(200).ndjson(text[..300].to_owned()).cut(9), whole]);
    let (received, summary) = fetch(&server, Some(50)).await.unwrap();
    assert_eq!((received, summary.retries), (text, 1));
    assert_eq!(server.seen()[1].header("range"), None);
}

#[tokio::test]
async fn a_link_that_expires_in_the_middle_of_a_file_is_told() {
    let server = Server::start().await;
    server.on("GET /file", [ranged(&lines(50)[..900]).cut(9), Reply::status(403)]);
    assert_eq!(fetch(&server, None).await.unwrap_err().kind(), ErrorKind::LinkExpired);
}

#[tokio::test]
async fn a_file_that_is_another_one_now_is_not_gone_on_with() {
    let server = Server::start().await;
    let other = lines(50).replace("é7", "ü7");
    server.on("GET /file", [ranged(&lines(50)[..900]).cut(9), ranged(&other)]);
    let error = fetch(&server, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

fn record_of(bytes: &[u8]) -> PartRecord {
    let mut tally = Tally::new();
    tally.update(bytes);
    PartRecord { byte_count: tally.byte_count(), sha256: tally.sha256(), ..Default::default() }
}

/// The point behind the first 333 bytes of `text`, of a file with this ETag and length.
fn point_in(text: &str, etag: &str, length: Option<u64>) -> ResumePoint {
    let head = &text.as_bytes()[..333];
    let record = PartRecord { etag: Some(etag.to_owned()), length, ..record_of(head) };
    let mut point = ResumePoint::new(Section::Output, &OutputFile::default(), Some(record));
    point.update(head);
    point
}

#[tokio::test]
async fn a_part_of_another_file_is_refused_though_the_server_overlooks_the_condition() {
    let text = lines(20);
    let part = |etag: &str, length: usize| {
        Reply::status(206)
            .header("content-range", format!("bytes 333-{}/{length}", text.len() - 1))
            .header("etag", etag)
            .ndjson(text.as_bytes()[333..].to_vec())
    };
    let length = Some(text.len() as u64);
    for reply in [part("\"v2\"", text.len()), part("\"v1\"", text.len() + 1)] {
        let server = Server::start().await;
        server.on("GET /file", [reply]);
        let point = point_in(&text, "\"v1\"", length);
        let error = fetch_as(&server, Section::Output, "Patient", None, point).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    }
    let server = Server::start().await;
    server.on("GET /file", [part("\"v1\"", text.len())]);
    let point = point_in(&text, "\"v1\"", length);
    assert!(fetch_as(&server, Section::Output, "Patient", Some(20), point).await.is_ok());
}

#[tokio::test]
async fn where_nothing_follows_the_whole_file_is_compared() {
    let text = lines(20)[..333].to_owned();
    let text = format!("{}\n", &text[..text.rfind('\n').unwrap()]);
    let padded = format!("{text}{}", " ".repeat(333 - text.len()));
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(416), Reply::status(200).ndjson(padded.clone())]);
    let point = point_in(&padded, "\"v1\"", None);
    let (received, summary) = fetch_as(&server, Section::Output, "Patient", None, point).await.unwrap();
    assert_eq!((received.as_str(), summary.byte_count), ("", 333));
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_record_are_not_gone_on_with() {
    let text = lines(20);
    let server = Server::start().await;
    for given in [&text.as_bytes()[..300], &text.as_bytes()[..340], &[0; 333]] {
        let mut point = ResumePoint::new(
            Section::Output,
            &OutputFile::default(),
            Some(record_of(&text.as_bytes()[..333])),
        );
        point.update(given);
        assert!(!point.is_as_recorded());
        let error = fetch_as(&server, Section::Output, "Patient", None, point).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
    }
    assert!(server.seen().is_empty(), "nothing is asked for");
}

#[tokio::test]
async fn a_record_has_a_tag_only_where_parts_of_the_file_can_be_asked_for() {
    let of = async |reply: Reply| {
        let server = Server::start().await;
        server.on("GET /file", [reply]);
        let file = OutputFile { url: server.url("/file").into(), ..Default::default() };
        let client = server.client().build().unwrap();
        let mut download = client.download(&file, false).await.unwrap();
        while download.chunk().await.unwrap().is_some() {}
        download.part_record()
    };
    let text = lines(3);
    let record = PartRecord {
        etag: Some("\"v1\"".into()),
        length: Some(text.len() as u64),
        ..record_of(text.as_bytes())
    };
    assert_eq!(of(ranged(&text)).await, record);
    let weak = Reply::status(200).header("etag", "W/\"v1\"").header("accept-ranges", "bytes");
    assert_eq!(of(weak.ndjson(text.clone())).await.etag, None);
    let silent = Reply::status(200).header("etag", "\"v1\"").ndjson(text.clone());
    assert_eq!(of(silent).await, record_of(text.as_bytes()));
    let zipped = Reply::status(200).header("etag", "\"v1\"").header("accept-ranges", "bytes");
    let zipped = zipped.header("content-encoding", "gzip").ndjson(crate::download::gzip(text.as_bytes()));
    assert_eq!(of(zipped).await, record_of(text.as_bytes()));
}

#[tokio::test]
async fn another_process_goes_on_from_what_is_there() {
    let (text, at) = (lines(20), 333);
    let server = Server::start().await;
    let rest = Reply::status(206)
        .header("content-range", format!("bytes {at}-{}/{}", text.len() - 1, text.len()))
        .ndjson(text.as_bytes()[at..].to_vec());
    server.on("GET /file", [rest]);
    let file = OutputFile { type_: Some("Patient".into()), ..Default::default() };
    let point = |etag: Option<&str>| {
        let record = PartRecord { etag: etag.map(str::to_owned), ..record_of(&text.as_bytes()[..at]) };
        let mut point = ResumePoint::new(Section::Output, &file, Some(record));
        point.update(&text.as_bytes()[..at]);
        point
    };
    let (received, summary) =
        fetch_as(&server, Section::Output, "Patient", Some(20), point(Some("\"v1\""))).await.unwrap();
    assert_eq!(summary.contents.types["Patient"], 20);
    assert_eq!(received.as_bytes(), &text.as_bytes()[at..]);
    assert_eq!((summary.byte_count, summary.line_count), (text.len() as u64, 20));

    // Without an ETag the whole file comes again, and is compared.
    server.on("GET /file", [Reply::status(200).ndjson(text.clone())]);
    let (received, _) = fetch_as(&server, Section::Output, "Patient", Some(20), point(None)).await.unwrap();
    assert_eq!(received.as_bytes(), &text.as_bytes()[at..]);
    assert_eq!(server.seen()[1].header("range"), None);
}

#[tokio::test]
async fn what_is_no_data_never_becomes_data() {
    let binary =
        "{\"resourceType\":\"Binary\",\"contentType\":\"application/fhir+ndjson\",\"data\":\"e30K\"}";
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}"#;
    let bodies = [
        "<!DOCTYPE html><html>log in</html>",
        "<Binary xmlns=\"http://hl7.org/fhir\"/>",
        binary,
        outcome,
        "{\"resourceType\":\"Observation\"}\n",
        "{\n\"resourceType\":\"Bundle\"\n}\n",
        "null\n",
    ];
    for body in bodies {
        let server = Server::start().await;
        server.on("GET /file", [Reply::status(200).ndjson(body)]);
        assert_eq!(fetch(&server, None).await.unwrap_err().kind(), ErrorKind::NotData, "{body}");
    }
    let server = Server::start().await;
    let text = format!("{}{outcome}\n", lines(1));
    server.on("GET /file", [Reply::status(200).ndjson(text)]);
    insta::assert_snapshot!(stable(fetch(&server, None).await.unwrap_err()), @"what the server sent is no file of resources: line 2 is an OperationOutcome (GET http://127.0.0.1:PORT/file?sig=…)");
}

#[tokio::test]
async fn a_file_whose_last_line_is_cut_is_short_however_its_body_ends() {
    let server = Server::start().await;
    let text = lines(3);
    server.on("GET /file", [Reply::status(200).ndjson(text[..text.len() - 4].to_owned())]);
    assert_eq!(fetch(&server, None).await.unwrap_err().kind(), ErrorKind::Truncated);
    server.on("GET /file", [Reply::status(200).ndjson(text[..text.len() - 1].to_owned())]);
    assert!(fetch(&server, None).await.unwrap().1.warnings.is_empty(), "the last line end may lack");
}

#[tokio::test]
async fn a_count_that_contradicts_a_file_known_to_be_whole_is_a_warning_with_both() {
    for count in [1, 5] {
        let server = Server::start().await;
        server.on("GET /file", [Reply::status(200).ndjson(lines(3))]);
        let (_, summary) = fetch(&server, Some(count)).await.unwrap();
        assert_eq!(summary.warnings, [format!("the manifest says {count} resources, the file has 3")]);
    }
}

/// A server whose body ends with the connection, so that nobody knows whether it has come to its end.
async fn unframed(body: String) -> fhir_bulk_client::Url {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/fhir", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+ndjson\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn a_count_above_a_file_that_may_be_short_is_an_error_unless_counts_are_wrong() {
    let base = unframed(lines(3)).await;
    let verify = async |count, quirks| {
        let client = crate::server::client(base.clone()).quirks(quirks).build().unwrap();
        let file = OutputFile { url: base.to_string(), count: Some(count), ..Default::default() };
        let mut download = client.download(&file, false).await.unwrap();
        while download.chunk().await.unwrap().is_some() {}
        download.verify().map(|summary| summary.warnings.len()).map_err(|error| error.kind())
    };
    assert_eq!(verify(3, Quirks::NONE).await, Ok(0));
    assert_eq!(verify(2, Quirks::NONE).await, Ok(1));
    assert_eq!(verify(4, Quirks::NONE).await, Err(ErrorKind::Truncated));
    assert_eq!(verify(4, Quirks::LINUX_FOR_HEALTH).await, Ok(1));
}

#[tokio::test]
async fn outcomes_are_counted_by_severity_and_deleted_are_bundles() {
    let server = Server::start().await;
    let outcomes = "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\"},{\"severity\":\"warning\"}]}\n";
    server.on("GET /file", [Reply::status(200).ndjson(outcomes.repeat(2))]);
    let point = ResumePoint::default;
    let (_, summary) = fetch_as(&server, Section::Outcome, "OperationOutcome", None, point()).await.unwrap();
    let severities: Vec<_> = summary.contents.severities.into_iter().collect();
    assert_eq!(severities, [("error".to_owned(), 2), ("warning".to_owned(), 2)]);
    server.on("GET /file", [Reply::status(200).ndjson(lines(1))]);
    let error = fetch_as(&server, Section::Deleted, "Bundle", None, point()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotData);
}

#[tokio::test]
async fn a_link_that_is_no_longer_good_is_told_apart() {
    for status in [403, 404, 410] {
        let server = Server::start().await;
        server.on("GET /file", [Reply::status(status)]);
        assert_eq!(fetch(&server, None).await.unwrap_err().kind(), ErrorKind::LinkExpired);
    }
}
