use fhir_bulk_client::{ErrorKind, ExportRequest, Level, Secret};

use crate::server::{Reply, Server, stable};

fn accepted(location: &str) -> Reply {
    Reply::status(202).header("content-location", location)
}

#[tokio::test]
async fn a_kick_off_asks_as_the_specification_says() {
    let server = Server::start().await;
    server.on("GET /fhir/Group/g1/$export", [accepted("https://elsewhere.example/poll?job=1")]);
    let request = ExportRequest {
        level: Level::Group("g1".into()),
        types: vec!["Patient".into(), "Observation".into()],
        since: Some("2024-01-01T00:00:00+02:00".into()),
        ..Default::default()
    };
    let client = server.client().user_agent("fhirlake/1").build().unwrap();
    let job = client.kick_off(&request).await.unwrap();
    assert_eq!(job.status_url.as_str(), "https://elsewhere.example/poll?job=1");
    assert_eq!(job.warnings, Vec::<String>::new());

    let seen = &server.seen()[0];
    assert_eq!(
        seen.path_and_query,
        "/fhir/Group/g1/$export?_outputFormat=application%2Ffhir%2Bndjson&_type=Patient,Observation\
         &_since=2024-01-01T00%3A00%3A00%2B02%3A00"
    );
    assert_eq!(job.request_url, server.url(&seen.path_and_query));
    assert_eq!(seen.header("accept"), Some("application/fhir+json"));
    assert_eq!(seen.header("prefer"), Some("respond-async"));
    assert_eq!(seen.header("user-agent"), Some("fhirlake/1"));
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test]
async fn a_relative_content_location_is_resolved_against_the_request() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted("/fhir/$export-poll-status?_jobId=7"), accepted("poll/8")]);
    let client = server.client().build().unwrap();
    let job = client.kick_off(&ExportRequest::default()).await.unwrap();
    assert_eq!(job.status_url, server.url("/fhir/$export-poll-status?_jobId=7"));
    let job = client.kick_off(&ExportRequest::default()).await.unwrap();
    assert_eq!(job.status_url, server.url("/fhir/poll/8"));
}

#[tokio::test]
async fn too_many_exports_at_once_are_waited_for() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [Reply::status(429).header("retry-after", "120"), accepted("/poll")]);
    assert!(server.client().build().unwrap().kick_off(&ExportRequest::default()).await.is_ok());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_kick_off_that_the_server_may_have_acted_on_is_not_repeated() {
    for reply in [Reply::status(500), Reply::status(502), Reply::status(504)] {
        let server = Server::start().await;
        server.on("GET /fhir/$export", [reply]);
        let error = server.client().build().unwrap().kick_off(&ExportRequest::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_unknown_group_is_told_with_the_servers_words() {
    let server = Server::start().await;
    let reply = Reply::status(404).outcome("not-found", "Resource Group/g9 is not known");
    server.on("GET /fhir/Group/g9/$export", [reply]);
    let request = ExportRequest { level: Level::Group("g9".into()), ..Default::default() };
    let error = server.client().build().unwrap().kick_off(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)));
    assert_eq!(error.diagnostics(), Some("error not-found: Resource Group/g9 is not known"));
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_refused_token_is_told_without_showing_it() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [Reply::status(401).outcome("login", "Token s3cr3t has expired")]);
    let client = server.client().bearer_token(Secret::new("s3cr3t")).build().unwrap();
    let error = client.kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_refused_request_is_told_with_the_servers_words() {
    let server = Server::start().await;
    server
        .on("GET /fhir/$export", [Reply::status(400).outcome("processing", "Invalid resource type: Bogus")]);
    let request = ExportRequest { types: vec!["Bogus".into()], ..Default::default() };
    let error = server.client().build().unwrap().kick_off(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_page_instead_of_an_outcome_does_no_harm() {
    let server = Server::start().await;
    let page = Reply::status(403).header("content-type", "text/html").body("<html>\u{0}secret page</html>");
    server.on("GET /fhir/$export", [page]);
    let error = server.client().build().unwrap().kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.diagnostics()), (ErrorKind::Forbidden, None));
}

#[tokio::test]
async fn an_acceptance_without_a_status_url_is_an_error() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [Reply::status(200).json("{}")]);
    let error = server.client().build().unwrap().kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn what_the_server_ignores_is_a_warning() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted("/poll").outcome("not-supported", "_since is ignored")]);
    let job = server.client().build().unwrap().kick_off(&ExportRequest::default()).await.unwrap();
    assert_eq!(job.warnings, ["the server says: error not-supported: _since is ignored"]);
}

#[tokio::test]
async fn types_and_since_arrive_as_they_were_meant() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted("/poll")]);
    let since = "2024-01-01T00:00:00.123456789+02:00";
    let types = vec!["Patient".to_owned(), "Observation".to_owned()];
    let request = ExportRequest { types, since: Some(since.into()), ..Default::default() };
    let job = server.client().build().unwrap().kick_off(&request).await.unwrap();
    let arrived = server.url(&server.seen()[0].path_and_query);
    let pairs: Vec<_> = arrived.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("_outputFormat", "application/fhir+ndjson"),
        pair("_type", "Patient,Observation"),
        pair("_since", since),
    ];
    assert_eq!(pairs, expected);
    assert!(job.warnings.is_empty());
}
