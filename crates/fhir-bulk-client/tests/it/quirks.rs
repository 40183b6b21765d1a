//! Each flag of a server: what the client does with it, and that it does otherwise without it.

use std::time::Duration;

use fhir_bulk_client::{
    BulkClient, ClientSecret, Credentials, ErrorKind, ExportRequest, Level, Quirks, Secret,
};

use crate::server::{Reply, Server};

const MANIFEST: &str =
    r#"{"transactionTime":"2026-11-23T17:12:54Z","requiresAccessToken":false,"output":[]}"#;

fn accepted() -> Reply {
    Reply::status(202).header("content-location", "/poll")
}

async fn exporting() -> Server {
    let server = Server::start().await;
    let endpoints = ["GET /fhir/$export", "GET /fhir/Group/g/$export", "GET /fhir/Patient/$export"];
    for endpoint in endpoints {
        server.on(endpoint, [accepted()]);
    }
    server.on("POST /fhir/Group/g/$export", [accepted()]);
    server
}

fn client(server: &Server, quirks: Quirks) -> BulkClient {
    server.client().quirks(quirks).build().unwrap()
}

fn of_group() -> ExportRequest {
    ExportRequest { level: Level::Group("g".into()), ..Default::default() }
}

fn filters(filters: &[&str]) -> ExportRequest {
    let type_filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    ExportRequest { type_filters, ..of_group() }
}

/// The error's kind with the flags, and without them.
async fn outcomes(request: &ExportRequest, quirks: Quirks) -> (Option<ErrorKind>, Option<ErrorKind>) {
    let server = exporting().await;
    let kind = async |quirks| client(&server, quirks).kick_off(request).await.err().map(|error| error.kind());
    (kind(quirks).await, kind(Quirks::NONE).await)
}

#[tokio::test]
async fn first_of_repeated_only_joins_values_in_every_dialect() {
    let query = async |quirks| {
        let server = exporting().await;
        let builder = server.client().dialect(fhir_bulk_client::Dialect::Stu3).quirks(quirks);
        let request = filters(&["Observation?code=1", "Condition?code=2"]);
        builder.build().unwrap().kick_off(&request).await.unwrap();
        server.seen()[0].path_and_query.matches("_typeFilter=").count()
    };
    assert_eq!((query(Quirks::HAPI).await, query(Quirks::NONE).await), (1, 2));
}

#[tokio::test]
async fn type_filters_are_repeated_where_joined_ones_are_refused() {
    let query = async |quirks| {
        let server = exporting().await;
        let request = filters(&["Observation?code=1", "Condition?code=2"]);
        client(&server, quirks).kick_off(&request).await.unwrap();
        server.seen()[0].path_and_query.matches("_typeFilter=").count()
    };
    assert_eq!((query(Quirks::HELIOS).await, query(Quirks::NONE).await), (2, 1));
}

#[tokio::test]
async fn one_type_filter_per_type_refuses_a_second_before_it_is_sent() {
    let request = filters(&["Observation?code=1", "Observation?code=2"]);
    for quirks in [Quirks::ORACLE_HEALTH, Quirks::HELIOS] {
        assert_eq!(outcomes(&request, quirks).await, (Some(ErrorKind::Config), None));
    }
}

#[tokio::test]
async fn groups_only_refuses_other_levels_before_they_are_sent() {
    for quirks in [Quirks::EPIC, Quirks::ORACLE_HEALTH] {
        assert_eq!(outcomes(&ExportRequest::default(), quirks).await, (Some(ErrorKind::Config), None));
    }
}

#[tokio::test]
async fn refused_parameters_are_refused_before_they_are_sent() {
    let elements = ExportRequest { elements: vec!["id".into()], ..of_group() };
    let patient = ExportRequest { patients: vec!["a".into()], ..of_group() };
    for request in [elements, patient] {
        assert_eq!(outcomes(&request, Quirks::ORACLE_HEALTH).await, (Some(ErrorKind::Config), None));
    }
}

#[tokio::test]
async fn ignored_parameters_are_warned_of() {
    let warnings = async |request: ExportRequest, quirks| {
        let server = exporting().await;
        client(&server, quirks).kick_off(&request).await.unwrap().warnings
    };
    let since = ExportRequest { since: Some("2026-01-01T00:00:00Z".into()), ..of_group() };
    let told = warnings(since.clone(), Quirks::EPIC).await;
    assert!(told.contains(&"this server is known to ignore _since".to_owned()), "{told:?}");
    assert!(warnings(since, Quirks::NONE).await.is_empty());
    let patient = ExportRequest { patients: vec!["a".into()], ..of_group() };
    for quirks in [Quirks::HAPI, Quirks::HELIOS] {
        assert_eq!(warnings(patient.clone(), quirks).await, ["this server is known to ignore patient"]);
    }
    assert!(warnings(patient, Quirks::NONE).await.is_empty());
    let associated =
        ExportRequest { include_associated_data: vec!["LatestProvenanceResources".into()], ..of_group() };
    for quirks in [Quirks::HAPI, Quirks::HELIOS] {
        let told = warnings(associated.clone(), quirks).await;
        assert_eq!(told, ["this server is known to ignore includeAssociatedData"]);
    }
    assert!(warnings(associated, Quirks::NONE).await.is_empty());
}

#[tokio::test]
async fn client_id_header_goes_with_kick_off_status_and_delete() {
    let sent = async |quirks| {
        let server = exporting().await;
        server
            .on("POST /token", [Reply::status(200).json(r#"{"access_token":"t","token_type":"bearer"}"#)])
            .on("GET /poll", [Reply::status(200).json(MANIFEST)])
            .on("DELETE /poll", [Reply::status(202)]);
        let credentials = Credentials::ClientSecret(ClientSecret {
            client_id: "our-client".into(),
            secret: Secret::new("s"),
            scopes: None,
            token_url: Some(server.url("/token")),
        });
        let client = server.client().credentials(credentials).quirks(quirks).build().unwrap();
        let job = client.kick_off(&of_group()).await.unwrap();
        client.wait(&job.status_url, |_| ()).await.unwrap();
        client.delete_job(&job.status_url).await.unwrap();
        server.seen().iter().filter(|seen| seen.header("epic-client-id") == Some("our-client")).count()
    };
    assert_eq!((sent(Quirks::EPIC).await, sent(Quirks::NONE).await), (3, 0));
}

#[tokio::test]
async fn job_blocks_until_deleted_tells_the_caller_to_delete_its_own() {
    let second = async |quirks: Quirks| {
        let server = exporting().await;
        server
            .on("GET /fhir/Group/g/$export", [accepted(), Reply::status(429)])
            .on("GET /poll", [Reply::status(200).json(MANIFEST)]);
        let wait = Duration::from_millis(10);
        let client = server.client().max_busy_wait(wait).quirks(quirks).build().unwrap();
        let job = client.kick_off(&of_group()).await.unwrap();
        client.wait(&job.status_url, |_| ()).await.unwrap();
        let error = client.kick_off(&of_group()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        (server.seen().len(), error.hint().unwrap().contains("delete it"))
    };
    assert_eq!(second(Quirks::EPIC).await, (3, true), "told at once");
    let (requests, told) = second(Quirks::NONE).await;
    assert!(requests > 3 && !told, "waited for as for others'");
}

#[tokio::test]
async fn asks_for_a_new_job_where_identical_kick_offs_share_one() {
    let header = async |quirks| {
        let server = exporting().await;
        client(&server, quirks).kick_off(&of_group()).await.unwrap();
        server.seen()[0].header("cache-control").map(str::to_owned)
    };
    assert_eq!(header(Quirks::HAPI).await.as_deref(), Some("no-cache"));
    assert_eq!(header(Quirks::NONE).await, None);
}

#[tokio::test]
async fn status_500_may_pass_is_borne_with_any_outcome() {
    let wait = async |quirks| {
        let server = Server::start().await;
        let failed = Reply::status(500).outcome("processing", "Internal error");
        server.on("GET /poll", [failed, Reply::status(200).json(MANIFEST)]);
        client(&server, quirks).wait(&server.url("/poll"), |_| ()).await.err().map(|error| error.kind())
    };
    assert_eq!(
        (wait(Quirks::ORACLE_HEALTH).await, wait(Quirks::NONE).await),
        (None, Some(ErrorKind::JobFailed))
    );
}

#[tokio::test]
async fn empty_group_exports_everyone_refuses_an_empty_group() {
    for (members, kind) in [
        ("", Some(ErrorKind::Config)),
        (r#","member":[{"entity":{"reference":"Patient/1"},"inactive":true}]"#, Some(ErrorKind::Config)),
        (r#","member":[{"entity":{"reference":"Patient/1"}}]"#, None),
    ] {
        let server = exporting().await;
        let group = format!(r#"{{"resourceType":"Group","id":"g"{members}}}"#);
        server.on("GET /fhir/Group/g", [Reply::status(200).json(group)]);
        let kick_off =
            async |quirks| client(&server, quirks).kick_off(&of_group()).await.err().map(|e| e.kind());
        assert_eq!((kick_off(Quirks::MICROSOFT).await, kick_off(Quirks::NONE).await), (kind, None));
    }
}

#[tokio::test]
async fn never_reports_deletions_is_told_where_changes_are_asked_for() {
    let since = ExportRequest { since: Some("2026-01-01T00:00:00Z".into()), ..of_group() };
    for quirks in [Quirks::HAPI, Quirks::HELIOS, Quirks::EPIC, Quirks::MEDPLUM] {
        let told = async |request: &ExportRequest, quirks: Quirks| {
            let server = exporting().await;
            let warnings = client(&server, quirks).kick_off(request).await.unwrap().warnings;
            warnings.iter().any(|warning| warning.contains("never reports what was deleted"))
        };
        assert!(told(&since, quirks.clone()).await);
        assert!(!told(&since, Quirks::NONE).await && !told(&of_group(), quirks).await);
    }
}
