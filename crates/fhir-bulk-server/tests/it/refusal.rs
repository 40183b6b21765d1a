//! What is refused, and how.

use fhir_bulk_server::{BulkServer, ServerError, ServerOptions};
use serde_json::Value;

use crate::client::{
    client, export, get, header, issue_code, kick_off, lines, manifest, options, start, status_url,
};

#[tokio::test]
async fn a_kick_off_without_respond_async_is_refused() {
    let server = start(options()).await;
    for path in ["$export", "Patient/$export", "Group/half/$export"] {
        let response = get(&server, path).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(issue_code(response).await, "required");
    }
    assert_eq!(server.kick_offs().len(), 3);
}

#[tokio::test]
async fn what_is_not_supported_is_refused_with_its_name() {
    let server = start(options()).await;
    for (query, code) in [
        ("_typeFilter=Observation%3Fbogus%3Dfinal", "not-supported"),
        ("_typeFilter=Observation", "not-supported"),
        ("_typeFilter=Bogus%3F_id%3D1", "value"),
        ("_elements=name.family", "value"),
        ("_until=2026-01-01", "value"),
        ("patient=Patient%2Fp1", "not-supported"),
        ("includeAssociatedData=_custom", "not-supported"),
        ("organizeOutputBy=Encounter", "not-supported"),
        ("allowPartialManifests=perhaps", "value"),
        ("_anonymizationConfig=x", "not-supported"),
        ("_outputFormat=text%2Fcsv", "not-supported"),
        ("_type=Patient,Bogus", "value"),
        ("_since=2026-01-01", "value"),
    ] {
        let response = kick_off(&server, &format!("$export?{query}")).await;
        assert_eq!(response.status(), 400, "{query}");
        assert_eq!(issue_code(response).await, code, "{query}");
    }
}

#[tokio::test]
async fn the_three_names_of_ndjson_are_accepted() {
    let server = start(options()).await;
    for format in ["application/fhir%2Bndjson", "application/ndjson", "ndjson"] {
        assert_eq!(export(&server, &format!("$export?_outputFormat={format}")).await.output.len(), 12);
    }
}

#[tokio::test]
async fn a_lenient_client_gets_its_export_and_a_warning_for_each_parameter_left_out() {
    let server = start(options()).await;
    let request = get(&server, "$export?_bogus=id&_type=Patient,Bogus");
    let response = request.header("Prefer", "respond-async, handling=lenient").send().await.unwrap();
    let manifest = manifest(&status_url(&response)).await;
    assert_eq!(lines(&manifest, "output").await["Patient"].len(), 2);
    let warnings = lines(&manifest, "error").await.remove("OperationOutcome").unwrap();
    assert_eq!(warnings.len(), 2);
    for (warning, named) in warnings.iter().zip(["_bogus", "Bogus"]) {
        let outcome: Value = serde_json::from_str(warning).unwrap();
        assert_eq!(outcome["issue"][0]["severity"], "warning");
        assert!(outcome["issue"][0]["diagnostics"].as_str().unwrap().contains(named));
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = start(options()).await;
    for path in
        ["Group/nobody/$export", "Patient/p9", "Group/nobody", "$export-status/1", "Bogus", "x/y/z", ""]
    {
        let response = kick_off(&server, path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(issue_code(response).await, "not-found", "{path}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_utf_8_is_refused() {
    let server = start(options()).await;
    let response = get(&server, "Patient/%FF").send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(issue_code(response).await, "value");
}

#[tokio::test]
async fn another_method_is_refused() {
    let server = start(options()).await;
    let response = client().put(format!("{}/$export", server.base_url())).send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(issue_code(response).await, "not-supported");
}

#[tokio::test]
async fn without_the_token_only_the_metadata_is_given() {
    let server =
        start(ServerOptions { bearer_token: Some("abc".to_owned()), poll_rounds: 0, ..options() }).await;
    assert_eq!(get(&server, "metadata").send().await.unwrap().status(), 200);

    let with_token =
        get(&server, "$export?_type=Patient").bearer_auth("abc").header("Prefer", "respond-async");
    let status = status_url(&with_token.send().await.unwrap());
    let http = client();
    let manifest: Value = http.get(&status).bearer_auth("abc").send().await.unwrap().json().await.unwrap();
    assert_eq!(manifest["requiresAccessToken"], true);
    let file = manifest["output"][0]["url"].as_str().unwrap();
    assert_eq!(http.get(file).bearer_auth("abc").send().await.unwrap().status(), 200);

    let base = server.base_url();
    for url in [&format!("{base}/$export"), &format!("{base}/Patient/p1"), &status, file] {
        for (token, challenge) in
            [(None, r#"Bearer realm="fhir""#), (Some("abd"), r#"Bearer realm="fhir", error="invalid_token""#)]
        {
            let request = http.get(url).header("Prefer", "respond-async");
            let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401);
            assert_eq!(header(&response, "www-authenticate"), challenge);
            assert_eq!(issue_code(response).await, "login");
        }
    }
    assert_eq!(http.delete(&status).send().await.unwrap().status(), 401);
    assert_eq!(server.kick_offs().len(), 1);
    assert!(!format!("{server:?}").contains("abc"));
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = start(options()).await;
    let port = server.base_url().port().unwrap();
    let second = BulkServer::start(Default::default(), ServerOptions { port, ..options() }).await;
    let error = second.unwrap_err();
    assert!(matches!(error, ServerError::Bind { .. }));
    assert!(error.to_string().contains(&port.to_string()));
}
