//! Files on the wire: compressed, in part, behind links that expire, on another origin.

use std::time::Duration;

use fhir_bulk_server::{BulkServer, ServerOptions, Step};
use reqwest::Response;
use serde_json::Value;

use crate::client::{client, header, issue_code, kick_off, lines, manifest, options, raw, start, status_url};

async fn observations(server: &BulkServer) -> Value {
    manifest(&status_url(&kick_off(server, "$export?_type=Observation").await)).await
}

fn url(manifest: &Value) -> &str {
    manifest["output"][0]["url"].as_str().unwrap()
}

async fn fetch(url: &str, headers: &[(&str, &str)]) -> Response {
    let identity = ("Accept-Encoding", "identity");
    let given = headers.iter().any(|(name, _)| *name == "Accept-Encoding");
    let headers = headers.iter().chain((!given).then_some(&identity));
    headers.fold(raw().get(url), |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

#[tokio::test]
async fn a_file_is_compressed_where_the_client_accepts_it() {
    let server = start(options()).await;
    let manifest = observations(&server).await;
    let plain = fetch(url(&manifest), &[]).await;
    let etag = header(&plain, "etag").to_owned();
    let plain = plain.bytes().await.unwrap();

    let packed = fetch(url(&manifest), &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert_ne!(header(&packed, "etag"), etag);
    let packed = packed.bytes().await.unwrap();
    assert!(packed.len() < plain.len());
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
}

#[tokio::test]
async fn a_range_is_that_part_of_the_file() {
    let server = start(options()).await;
    let manifest = observations(&server).await;
    let whole = fetch(url(&manifest), &[]).await;
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    let etag = header(&whole, "etag").to_owned();
    let whole = whole.bytes().await.unwrap();
    for (range, from, to) in
        [("bytes=10-", 10, whole.len()), ("bytes=0-0", 0, 1), ("bytes=-5", whole.len() - 5, whole.len())]
    {
        let part = fetch(url(&manifest), &[("Range", range), ("If-Range", &etag)]).await;
        assert_eq!(part.status(), 206);
        assert_eq!(header(&part, "content-range"), format!("bytes {from}-{}/{}", to - 1, whole.len()));
        assert_eq!(part.bytes().await.unwrap(), whole[from..to]);
    }
    let beyond = fetch(url(&manifest), &[("Range", "bytes=999999-")]).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, "content-range"), format!("bytes */{}", whole.len()));
}

#[tokio::test]
async fn a_range_of_another_version_is_answered_with_the_whole() {
    let server = start(options()).await;
    let manifest = observations(&server).await;
    let other = fetch(url(&manifest), &[("Range", "bytes=10-"), ("If-Range", "\"other\"")]).await;
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn signed_links_need_no_token_and_expire() {
    let server = start(ServerOptions {
        bearer_token: Some("abc".to_owned()),
        link_lifetime: Some(Duration::from_secs(60)),
        poll_rounds: 0,
        ..options()
    })
    .await;
    let http = client();
    let kick_off = http.get(format!("{}/$export", server.base_url())).header("Prefer", "respond-async");
    let status = status_url(&kick_off.bearer_auth("abc").send().await.unwrap());
    let manifest = async || -> Value {
        http.get(&status).bearer_auth("abc").send().await.unwrap().json().await.unwrap()
    };
    let first = manifest().await;
    assert_eq!(first["requiresAccessToken"], false);
    assert_eq!(lines(&first, "output").await["Observation"].len(), 5);
    let unsigned = url(&first).split('?').next().unwrap();
    assert_eq!(fetch(unsigned, &[]).await.status(), 403);

    server.expire_links();
    let expired = fetch(url(&first), &[]).await;
    assert_eq!(expired.status(), 403);
    assert_eq!(issue_code(expired).await, "expired");
    // The manifest that is retrieved again has new links to the same files.
    assert_eq!(lines(&manifest().await, "output").await["Observation"].len(), 5);
}

#[tokio::test]
async fn a_link_ends_with_its_lifetime() {
    let server = start(ServerOptions { link_lifetime: Some(Duration::from_secs(1)), ..options() }).await;
    let manifest = observations(&server).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(fetch(url(&manifest), &[]).await.status(), 403);
}

#[tokio::test]
async fn files_can_be_on_another_origin() {
    let server = start(ServerOptions { files_on_other_origin: true, ..options() }).await;
    let manifest = observations(&server).await;
    assert!(url(&manifest).starts_with(&server.other_origin()));
    assert!(!server.base_url().as_str().starts_with(&server.other_origin()));
    assert_eq!(lines(&manifest, "output").await["Observation"].len(), 5);
    assert!(server.requests_of(Step::File).iter().all(|request| request.other_origin));
}

#[tokio::test]
async fn ten_thousand_files_are_one_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let line = |n: usize| format!("{{\"resourceType\":\"Basic\",\"id\":\"{n}\"}}\n");
    std::fs::write(folder.path().join("Basic.ndjson"), (0..10_000).map(line).collect::<String>()).unwrap();
    let dataset = fhir_bulk_server::Dataset::open(folder.path()).unwrap();
    let server = BulkServer::start(dataset, ServerOptions { rows_per_file: 1, ..options() }).await.unwrap();
    let manifest = manifest(&status_url(&kick_off(&server, "$export").await)).await;
    let output = manifest["output"].as_array().unwrap();
    assert_eq!(output.len(), 10_000);
    let last =
        client().get(output[9_999]["url"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
    assert_eq!(last, line(9_999));
}

#[tokio::test]
async fn a_restarted_server_keeps_its_jobs_unless_it_forgets_them() {
    let mut server = start(options()).await;
    let status = status_url(&kick_off(&server, "$export").await);
    server.restart().await.unwrap();
    manifest(&status).await;
    server.forget_jobs();
    assert_eq!(fetch(&status, &[]).await.status(), 404);
}
