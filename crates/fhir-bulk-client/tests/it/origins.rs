//! The token goes to the origin of the FHIR base and nowhere else. Two ports of one host are two origins.

use fhir_bulk_client::{BulkClient, ErrorKind, ExportRequest, OutputFile, Secret};

use crate::server::{Reply, Server, stable};

fn file(url: impl ToString) -> OutputFile {
    OutputFile { url: url.to_string(), ..Default::default() }
}

fn with_token(server: &Server) -> BulkClient {
    server.client().bearer_token(Secret::new("t0ken")).build().unwrap()
}

fn tokens(server: &Server) -> Vec<Option<String>> {
    server.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect()
}

#[tokio::test]
async fn every_step_at_the_base_origin_sends_the_token() {
    let server = Server::start().await;
    server
        .on("GET /fhir/$export", [Reply::status(202).header("content-location", "/poll")])
        .on("GET /poll", [Reply::status(200).json(r#"{"transactionTime":"2026-11-23T17:12:54Z"}"#)])
        .on("GET /file", [Reply::status(200)])
        .on("DELETE /poll", [Reply::status(202)]);
    let client = with_token(&server);
    let job = client.kick_off(&ExportRequest::default()).await.unwrap();
    client.wait(&job.status_url, |_| ()).await.unwrap();
    client.download(&file(server.url("/file")), true).await.unwrap();
    client.delete_job(&job.status_url).await.unwrap();
    assert_eq!(tokens(&server), vec![Some("Bearer t0ken".to_owned()); 4]);
}

#[tokio::test]
async fn a_file_that_wants_no_token_gets_none() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200)]);
    with_token(&server).download(&file(server.url("/file")), false).await.unwrap();
    assert_eq!(tokens(&server), [None]);
}

#[tokio::test]
async fn a_file_that_wants_a_token_is_asked_for_without_one_if_there_is_none() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(200)]);
    server.client().build().unwrap().download(&file(server.url("/file")), true).await.unwrap();
    assert_eq!(tokens(&server), [None]);
}

#[tokio::test]
async fn a_file_of_another_origin_gets_no_token() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    elsewhere.on("GET /file", [Reply::status(401)]);
    let error = with_token(&server).download(&file(elsewhere.url("/file?sig=abc")), true).await.unwrap_err();
    assert_eq!(tokens(&elsewhere), [None]);
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_redirect_to_another_origin_loses_the_token() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    for status in [301, 302, 303, 307, 308] {
        let path = format!("/file/{status}");
        let redirect = Reply::status(status).header("location", elsewhere.url("/signed?sig=abc"));
        server.on(&format!("GET {path}"), [redirect]);
        elsewhere.on("GET /signed", [Reply::status(200).ndjson("{}\n")]);
        let mut download = with_token(&server).download(&file(server.url(&path)), true).await.unwrap();
        assert_eq!(download.chunk().await.unwrap().unwrap(), "{}\n");
    }
    assert_eq!(tokens(&server), vec![Some("Bearer t0ken".to_owned()); 5]);
    assert_eq!(tokens(&elsewhere), vec![None; 5]);
}

#[tokio::test]
async fn a_redirect_within_the_origin_keeps_the_token() {
    let server = Server::start().await;
    server
        .on("GET /old", [Reply::status(307).header("location", "/new")])
        .on("GET /new", [Reply::status(200)]);
    with_token(&server).download(&file(server.url("/old")), true).await.unwrap();
    assert_eq!(tokens(&server), vec![Some("Bearer t0ken".to_owned()); 2]);
}

#[tokio::test]
async fn redirects_without_an_end_are_an_error() {
    let server = Server::start().await;
    server.on("GET /file", [Reply::status(302).header("location", "/file")]);
    let error = with_token(&server).download(&file(server.url("/file")), true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_status_url_of_another_origin_is_polled_without_the_token_and_warned_of() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let location = elsewhere.url("/poll?job=1");
    server.on("GET /fhir/$export", [Reply::status(202).header("content-location", location)]);
    elsewhere.on("GET /poll", [Reply::status(200).json(r#"{"transactionTime":"2026-11-23T17:12:54Z"}"#)]);
    let client = with_token(&server);
    let job = client.kick_off(&ExportRequest::default()).await.unwrap();
    client.wait(&job.status_url, |_| ()).await.unwrap();
    assert_eq!(tokens(&elsewhere), [None]);
    insta::assert_snapshot!(stable(job.warnings.join("\n")));
}

#[tokio::test]
async fn an_attachment_gets_the_token_only_where_the_user_lets_it() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let pdf = || Reply::status(200).header("content-type", "application/pdf").body("%PDF");
    server.on("GET /fhir/Binary/1", [pdf()]);
    elsewhere.on("GET /scan", [pdf()]);
    let url = elsewhere.url("/scan");
    let get = async |client: BulkClient, url: fhir_bulk_client::Url| {
        let pdf = Some("application/pdf");
        client.attachment(&url, pdf, true, 1_000).await.unwrap()
    };
    let attachment = get(with_token(&server), server.url("/fhir/Binary/1")).await;
    assert_eq!(
        (attachment.content_type.as_deref(), &attachment.bytes[..]),
        (Some("application/pdf"), &b"%PDF"[..])
    );
    assert_eq!(tokens(&server), [Some("Bearer t0ken".to_owned())]);
    get(with_token(&server), url.clone()).await;
    let client =
        server.client().bearer_token(Secret::new("t0ken")).token_origin(url.clone()).build().unwrap();
    get(client, url).await;
    assert_eq!(tokens(&elsewhere), [None, Some("Bearer t0ken".to_owned())]);
}

#[tokio::test]
async fn an_attachment_that_is_wrapped_or_compressed_comes_as_it_is() {
    let server = Server::start().await;
    let binary = r#"{"resourceType":"Binary","contentType":"text/plain","data":"aGVs\nbG8="}"#;
    let gzip = [0x1f, 0x8b, 8, 0, 1, 2, 3];
    server
        .on("GET /a", [Reply::status(200).header("content-type", "application/fhir+json").body(binary)])
        .on("GET /b", [Reply::status(200).header("content-type", "application/gzip").body(gzip.to_vec())]);
    let client = server.client().build().unwrap();
    let attachment = client.attachment(&server.url("/a"), None, false, 1_000).await.unwrap();
    assert_eq!(
        (attachment.content_type.as_deref(), &attachment.bytes[..]),
        (Some("text/plain"), &b"hello"[..])
    );
    let attachment = client.attachment(&server.url("/b"), None, false, 1_000).await.unwrap();
    assert_eq!(attachment.bytes[..], gzip);
    assert!(client.attachment(&server.url("/b"), None, false, 3).await.is_err());
}

#[tokio::test]
async fn a_redirect_that_comes_back_to_the_base_has_lost_the_token() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let there = elsewhere.url("/hop").to_string();
    server
        .on("GET /file", [Reply::status(307).header("location", there)])
        .on("GET /back", [Reply::status(200)]);
    elsewhere.on("GET /hop", [Reply::status(307).header("location", server.url("/back").to_string())]);
    with_token(&server).download(&file(server.url("/file")), true).await.unwrap();
    assert_eq!(tokens(&server), [Some("Bearer t0ken".to_owned()), None]);
    assert_eq!(tokens(&elsewhere), [None]);
}
