//! Kick-off, status, manifest, files, deletion of the job, read.

use std::time::SystemTime;

use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};
use serde_json::Value;

use crate::client::{
    client, export, folder, get, header, issue_code, kick_off, lines, manifest, options, start, status_url,
};

#[tokio::test]
async fn an_export_is_accepted_polled_and_completed() {
    let server = start(ServerOptions { poll_rounds: 2, retry_after: 7, ..options() }).await;
    let status = status_url(&kick_off(&server, "$export?_type=Patient").await);
    assert!(status.starts_with(server.base_url().as_str()));

    for round in ["round 1 of 2", "round 2 of 2"] {
        let response = client().get(&status).send().await.unwrap();
        assert_eq!(response.status(), 202);
        assert_eq!(header(&response, "retry-after"), "7");
        assert_eq!(header(&response, "x-progress"), round);
    }
    for _ in 0..2 {
        let response = client().get(&status).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/json");
        assert!(httpdate::parse_http_date(header(&response, "expires")).unwrap() > SystemTime::now());
        let manifest: Value = response.json().await.unwrap();
        assert_eq!(manifest["transactionTime"], "2026-01-01T00:00:00.001Z");
        assert_eq!(manifest["request"], format!("{}/$export?_type=Patient", server.base_url()));
        assert_eq!(manifest["requiresAccessToken"], false);
        assert_eq!(manifest["output"].as_array().unwrap().len(), 1);
        assert_eq!(manifest["deleted"], Value::Array(Vec::new()));
        assert_eq!(manifest["error"], Value::Array(Vec::new()));
    }
    assert_eq!(server.kick_offs(), ["/fhir/$export?_type=Patient"]);
}

#[tokio::test]
async fn resources_leave_as_the_bytes_they_came_as() {
    let server = start(options()).await;
    let manifest = manifest(&status_url(&kick_off(&server, "$export").await)).await;
    for (resource_type, lines) in lines(&manifest, "output").await {
        let file = folder("base").join(format!("{resource_type}.ndjson"));
        assert_eq!(lines.join("\n") + "\n", std::fs::read_to_string(file).unwrap());
    }
    let read = get(&server, "Observation/o2").send().await.unwrap();
    assert_eq!(header(&read, "content-type"), "application/fhir+json");
    assert!(read.text().await.unwrap().contains("1.0E-7"));
}

#[tokio::test]
async fn a_file_tells_its_length() {
    let server = start(options()).await;
    let manifest = manifest(&status_url(&kick_off(&server, "$export?_type=Observation").await)).await;
    let request = client().get(manifest["output"][0]["url"].as_str().unwrap());
    let response = request.header("Accept-Encoding", "identity").send().await.unwrap();
    let length: usize = header(&response, "content-length").parse().unwrap();
    assert_eq!(response.bytes().await.unwrap().len(), length);
}

#[tokio::test]
async fn files_hold_no_more_rows_than_configured() {
    let server = start(ServerOptions { rows_per_file: 2, ..options() }).await;
    let manifest = manifest(&status_url(&kick_off(&server, "$export?_type=Observation,Patient").await)).await;
    let counts: Vec<_> = manifest["output"].as_array().unwrap().iter().map(|file| &file["count"]).collect();
    assert_eq!(counts, [2, 2, 1, 2]);
    let lines = lines(&manifest, "output").await;
    let ids: Vec<Value> = lines["Observation"]
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, ["o1", "o2", "o3", "o4", "o5"]);
}

#[tokio::test]
async fn a_deleted_job_and_its_files_are_gone() {
    let server = start(options()).await;
    let status = status_url(&kick_off(&server, "$export?_type=Patient").await);
    let manifest = manifest(&status).await;
    let http = client();
    assert_eq!(http.delete(&status).send().await.unwrap().status(), 202);

    for url in [&status, manifest["output"][0]["url"].as_str().unwrap()] {
        let response = http.get(url).send().await.unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(issue_code(response).await, "not-found");
    }
    assert_eq!(http.delete(&status).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_running_job_keeps_its_snapshot() {
    let server = start(options()).await;
    let status = status_url(&kick_off(&server, "$export?_type=Observation").await);
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    let manifest = manifest(&status).await;
    assert_eq!(manifest["transactionTime"], "2026-01-01T00:00:00.001Z");
    let before = lines(&manifest, "output").await.remove("Observation").unwrap().join("\n") + "\n";
    assert_eq!(before, std::fs::read_to_string(folder("base").join("Observation.ndjson")).unwrap());

    let after = export(&server, "$export?_type=Observation").await;
    assert_eq!(after.output, ["o1", "o2", "o4", "o5", "o6"].map(|id| format!("Observation/{id}")));
}

#[tokio::test]
async fn the_capability_statement_names_the_export_of_each_level() {
    let server = start(options()).await;
    let response = get(&server, "metadata").send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "application/fhir+json");
    let statement: Value = response.json().await.unwrap();
    assert_eq!(statement["fhirVersion"], "4.0.1");
    let rest = &statement["rest"][0];
    assert_eq!(rest["operation"][0]["name"], "export");
    let resources = rest["resource"].as_array().unwrap();
    for resource in resources {
        let exports = ["Patient", "Group"].contains(&resource["type"].as_str().unwrap());
        assert_eq!(resource["operation"][0]["name"] == "export", exports, "{}", resource["type"]);
    }
    assert_eq!(resources.len(), 7);
}

#[tokio::test]
async fn an_empty_dataset_has_an_empty_export() {
    let empty = tempfile::tempdir().unwrap();
    let server = BulkServer::start(Dataset::open(empty.path()).unwrap(), options()).await.unwrap();
    let all = export(&server, "$export").await;
    assert!(all.output.is_empty());
    assert_eq!(all.transaction_time, "1970-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn after_the_shutdown_nobody_answers() {
    let server = start(options()).await;
    let metadata = format!("{}/metadata", server.base_url());
    assert_eq!(client().get(&metadata).send().await.unwrap().status(), 200);
    server.shutdown().await;
    assert!(client().get(&metadata).send().await.unwrap_err().is_connect());
}
