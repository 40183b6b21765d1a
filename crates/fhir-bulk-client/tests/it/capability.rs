use fhir_bulk_client::ErrorKind;

use crate::server::{Reply, Server, client, stable};

#[tokio::test]
async fn the_capability_statement_is_read_below_the_base() {
    let server = Server::start().await;
    let statement =
        r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"mode":"server"}]}"#;
    server.on("GET /fhir/metadata", [Reply::status(200).json(statement)]);
    let capability = server.client().build().unwrap().capability().await.unwrap();
    assert_eq!(capability.fhir_version, "4.0.1");
    assert_eq!(server.seen()[0].header("accept"), Some("application/fhir+json"));
}

#[tokio::test]
async fn a_base_without_metadata_is_told() {
    let server = Server::start().await;
    let error = server.client().build().unwrap().capability().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(server.seen().len(), 1, "404 is not asked again");
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_server_that_does_not_run_is_told_after_all_attempts() {
    let server = Server::start().await;
    // A port that was free a moment ago and that nobody listens on.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut base = server.url("/fhir");
    base.set_port(Some(port)).unwrap();
    let error = client(base).build().unwrap().capability().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 3));
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen() {
    let server = Server::start().await;
    let statement = r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1"}"#;
    let replies = [Reply::status(502), Reply::status(429), Reply::status(200).json(statement)];
    server.on("GET /fhir/metadata", replies);
    assert!(server.client().build().unwrap().capability().await.is_ok());
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_a_timeout() {
    for reply in [Reply::never(), Reply::status(200).body("{").then_silence()] {
        let server = Server::start().await;
        server.on("GET /fhir/metadata", [reply]);
        let client = server.client().read_timeout(std::time::Duration::from_millis(50)).build().unwrap();
        assert_eq!(client.capability().await.unwrap_err().kind(), ErrorKind::Timeout);
    }
}
