//! Kick-off and status in each version of the specification.

use std::time::Duration;

use fhir_bulk_client::{Dialect, ErrorKind, ExportRequest, KickOffMethod, Level, ManifestPages, Quirks};
use serde_json::Value;

use crate::server::{Reply, Server};

const MANIFEST: &str =
    r#"{"transactionTime":"2026-11-23T17:12:54Z","requiresAccessToken":false,"output":[]}"#;

fn accepted() -> Reply {
    Reply::status(202).header("content-location", "/poll")
}

fn patients() -> ExportRequest {
    ExportRequest { level: Level::Patient, patients: vec!["a".into()], ..Default::default() }
}

#[tokio::test]
async fn version_4_is_kicked_off_by_post() {
    let server = Server::start().await;
    server.on("POST /fhir/$export", [accepted()]);
    let client = server.client().dialect(Dialect::Stu4).build().unwrap();
    let request = ExportRequest { types: vec!["Patient".into(), "Group".into()], ..Default::default() };
    let job = client.kick_off(&request).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("content-type"), Some("application/fhir+json"));
    assert_eq!(seen.header("prefer"), Some("respond-async"));
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["resourceType"], "Parameters");
    assert_eq!(body["parameter"].as_array().unwrap().len(), 3);
    assert_eq!(job.request_body.as_deref().map(str::as_bytes), Some(&seen.body[..]));
}

#[tokio::test]
async fn single_patients_are_asked_for_by_post_in_every_version() {
    let server = Server::start().await;
    server.on("POST /fhir/Patient/$export", [accepted()]);
    server.client().build().unwrap().kick_off(&patients()).await.unwrap();
    assert_eq!(server.seen().len(), 1);
    let client = server.client().kick_off_method(KickOffMethod::Get).build().unwrap();
    assert_eq!(client.kick_off(&patients()).await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn what_is_too_long_for_a_url_is_sent_by_post() {
    let server = Server::start().await;
    server.on("POST /fhir/$export", [accepted()]);
    let codes = (0..2_000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let request =
        ExportRequest { type_filters: vec![format!("Observation?code={codes}")], ..Default::default() };
    server.client().build().unwrap().kick_off(&request).await.unwrap();
    assert_eq!(server.seen()[0].method, "POST");
}

#[tokio::test]
async fn a_server_that_does_not_know_one_method_is_asked_by_the_other() {
    for status in [405, 404, 501] {
        let server = Server::start().await;
        server.on("GET /fhir/$export", [Reply::status(status)]).on("POST /fhir/$export", [accepted()]);
        server.client().build().unwrap().kick_off(&ExportRequest::default()).await.unwrap();
    }
    let server = Server::start().await;
    server.on("POST /fhir/$export", [Reply::status(405)]).on("GET /fhir/$export", [accepted()]);
    let client = server.client().dialect(Dialect::Stu4).build().unwrap();
    client.kick_off(&ExportRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_of_what_was_asked_is_not_asked_again_by_the_other_method() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [Reply::status(400).outcome("invalid", "Unknown type")]);
    let error = server.client().build().unwrap().kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!((error.kind(), server.seen().len()), (ErrorKind::Refused, 1));
}

#[tokio::test]
async fn leniency_is_asked_for_only_where_the_caller_wants_it() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted()]);
    let request = ExportRequest { lenient: true, ..Default::default() };
    server.client().build().unwrap().kick_off(&request).await.unwrap();
    assert_eq!(server.seen()[0].header("prefer"), Some("respond-async, handling=lenient"));
}

async fn wait(server: &Server) -> Result<(ManifestPages, Vec<usize>), fhir_bulk_client::Error> {
    let client = server.client().dialect(Dialect::Stu3).build().unwrap();
    let mut partial = Vec::new();
    let pages = client
        .wait(&server.url("/poll"), |progress| {
            partial.extend(progress.partial.iter().map(|page| page.manifest.output.len()));
        })
        .await?;
    Ok((pages, partial))
}

fn separate(state: &str) -> Reply {
    Reply::status(200)
        .header("preference-applied", "respond-async, separate-export-status")
        .header("x-export-status", state)
}

#[tokio::test]
async fn the_jobs_status_is_read_from_its_own_header_where_the_server_separates_it() {
    let server = Server::start().await;
    server.on("GET /poll", [separate("202 Accepted"), separate("200 OK").json(MANIFEST)]);
    assert_eq!(wait(&server).await.unwrap().0.pages.len(), 1);
    assert_eq!(server.seen()[0].header("prefer"), Some("respond-async, separate-export-status"));

    let server = Server::start().await;
    server.on("GET /poll", [separate("500").outcome("processing", "it broke")]);
    let error = wait(&server).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.diagnostics()),
        (ErrorKind::JobFailed, Some("error processing: it broke"))
    );

    let server = Server::start().await;
    server.on("GET /poll", [separate("404 Not Found")]);
    assert_eq!(wait(&server).await.unwrap_err().kind(), ErrorKind::JobGone);
}

#[tokio::test]
async fn pages_that_come_while_the_export_goes_on_are_passed_on() {
    let server = Server::start().await;
    let first = r#"{"transactionTime":"2026-11-23T17:12:54Z","output":[{"type":"Patient","url":"a"}]}"#;
    let running = Reply::status(202).json(r#"{"resourceType":"Parameters"}"#);
    server.on("GET /poll", [running, Reply::status(202).json(first), Reply::status(200).json(MANIFEST)]);
    assert_eq!(wait(&server).await.unwrap().1, [1], "what is no manifest is none");
}

#[tokio::test]
async fn a_transient_outcome_with_any_status_is_no_end_of_the_job() {
    let server = Server::start().await;
    let transient = Reply::status(400).outcome("lock-error", "try again");
    server.on("GET /poll", [transient, Reply::status(200).json(MANIFEST)]);
    assert!(wait(&server).await.is_ok());
}

#[tokio::test]
async fn exports_of_others_are_waited_for_however_the_server_says_so() {
    let refusals = [
        Reply::status(429).header("retry-after", "1"),
        Reply::status(409),
        Reply::status(400).outcome("processing", "Too many concurrent export jobs (4)"),
        Reply::status(503).outcome("throttled", "later"),
    ];
    for refusal in refusals {
        let server = Server::start().await;
        let mut replies = vec![refusal; 6];
        replies.push(accepted());
        server.on("GET /fhir/$export", replies);
        let client = server.client().build().unwrap();
        let mut waits = 0;
        client.kick_off_observed(&ExportRequest::default(), |_| waits += 1).await.unwrap();
        assert_eq!(waits, 6, "more than the client has retries");
    }
}

#[tokio::test]
async fn waiting_for_exports_of_others_has_an_end() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [Reply::status(429)]);
    let client = server.client().max_busy_wait(Duration::from_millis(10)).build().unwrap();
    let error = client.kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Busy, Some(429)));
}

#[tokio::test]
async fn two_kick_offs_of_our_own_do_not_wait_for_each_other() {
    let server = Server::start().await;
    server
        .on("GET /fhir/$export", [accepted(), Reply::status(429), accepted()])
        .on("GET /poll", [Reply::status(200).json(MANIFEST)]);
    let client = server.client().build().unwrap();
    let request = ExportRequest::default();
    let first = client.kick_off(&request).await.unwrap();
    let error = client.kick_off(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.hint().unwrap().contains("an export of this client is running"), "{error}");
    client.wait(&first.status_url, |_| ()).await.unwrap();
    client.kick_off(&request).await.unwrap();
}

#[tokio::test]
async fn a_job_that_two_kick_offs_share_is_deleted_once_and_last() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted()]).on("DELETE /poll", [Reply::status(202)]);
    let client = server.client().build().unwrap();
    let request = ExportRequest::default();
    let (one, two) = (client.kick_off(&request).await.unwrap(), client.kick_off(&request).await.unwrap());
    assert_eq!(one.status_url, two.status_url);
    client.delete_job(&one.status_url).await.unwrap();
    assert_eq!(server.seen().len(), 2);
    client.delete_job(&two.status_url).await.unwrap();
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn what_the_version_does_not_have_is_a_warning() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted()]);
    let request = ExportRequest { until: Some("2026-01-01T00:00:00Z".into()), ..Default::default() };
    let warnings = |dialect| {
        let client = server.client().dialect(dialect).quirks(Quirks::NONE).build().unwrap();
        let request = request.clone();
        async move { client.kick_off(&request).await.unwrap().warnings.len() }
    };
    assert_eq!((warnings(Dialect::Stu2).await, warnings(Dialect::Stu3).await), (1, 0));
}
