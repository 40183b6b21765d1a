//! Servers that exist, by their names.

use fhir_bulk_server::{BulkServer, Fault, Quirk, Rule, ServerOptions};
use serde_json::Value;

use crate::client::{client, get, header, kick_off, options, raw, start, status_url};

async fn with(quirk: Quirk) -> BulkServer {
    start(ServerOptions { poll_rounds: 0, ..options() }.with_quirk(quirk)).await
}

async fn manifest(server: &BulkServer, path: &str) -> Value {
    let status = status_url(&kick_off(server, path).await);
    client().get(status).send().await.unwrap().json().await.unwrap()
}

fn types(manifest: &Value) -> Vec<&str> {
    manifest["output"].as_array().unwrap().iter().map(|file| file["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn epic_has_groups_only_one_job_each_and_no_since() {
    let server = with(Quirk::Epic).await;
    // The header that names the client is missing.
    assert_eq!(kick_off(&server, "Group/half/$export").await.status(), 400);
    let kick_off = async |path: &str| {
        let request = get(&server, path).header("Prefer", "respond-async").header("Epic-Client-ID", "app");
        request.send().await.unwrap()
    };
    assert_eq!(kick_off("$export").await.status(), 404);
    let since = "Group/half/$export?_type=Patient&_since=2030-01-01T00:00:00Z";
    let status = status_url(&kick_off(since).await);
    let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
    assert_eq!(types(&manifest), ["Patient"]);
    assert_eq!(kick_off("Group/half/$export").await.status(), 429);
    let bare = kick_off("Group/rest/$export?_typeFilter=Observation%3Fstatus%3Da,b").await;
    assert_eq!(bare.status(), 400);
}

#[tokio::test]
async fn oracle_health_redirects_files_and_takes_no_repeated_types() {
    let server = with(Quirk::OracleHealth).await;
    let repeated = kick_off(&server, "Group/half/$export?_type=Patient&_type=Encounter").await;
    assert_eq!(repeated.status(), 400);
    assert_eq!(kick_off(&server, "Group/half/$export?_elements=id").await.status(), 400);
    let manifest = manifest(&server, "Group/half/$export?_type=Patient,Encounter").await;
    assert_eq!(types(&manifest), ["Encounter", "Patient"]);
    let file = raw().get(manifest["output"][0]["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(file.status(), 307);
    assert_eq!(header(&kick_off(&server, "Group/half/$export").await, "retry-after"), "18000");
}

#[tokio::test]
async fn hapi_takes_the_first_type_counts_nothing_and_deletes_its_jobs_itself() {
    let server = with(Quirk::Hapi).await;
    let response = kick_off(&server, "$export?_type=Patient&_type=Encounter").await;
    let status = status_url(&response);
    assert!(status.contains("$export-poll-status?_jobId="));
    let manifest: Value = client().get(&status).send().await.unwrap().json().await.unwrap();
    assert_eq!(types(&manifest), ["Patient"]);
    assert!(manifest["output"][0].get("count").is_none() && manifest.get("deleted").is_none());
    assert_eq!(manifest["requiresAccessToken"], true);
    assert_eq!(client().delete(&status).send().await.unwrap().status(), 404);
    assert_eq!(status_url(&kick_off(&server, "$export?_type=Patient&_type=Encounter").await), status);
    let file = raw().get(manifest["output"][0]["url"].as_str().unwrap());
    let binary: Value =
        file.header("Accept", "application/fhir+json").send().await.unwrap().json().await.unwrap();
    assert_eq!(binary["resourceType"], "Binary");
}

#[tokio::test]
async fn helios_has_nanoseconds_and_ignores_what_it_does_not_know() {
    let server = with(Quirk::Helios).await;
    let nothing = manifest(&server, "$export?_type=Bogus&_bogus=1").await;
    assert!(types(&nothing).is_empty());
    assert_eq!(nothing["transactionTime"], "2026-01-01T00:00:00.001000000Z");
    let since = nothing["transactionTime"].as_str().unwrap();
    assert_eq!(
        types(&manifest(&server, &format!("$export?_since={since}")).await),
        ["Organization", "SearchParameter"]
    );
}

#[tokio::test]
async fn microsoft_repeats_resources_and_exports_inactive_members() {
    let server = with(Quirk::Microsoft).await;
    let manifest = manifest(&server, "Group/cohort/$export?_type=Patient").await;
    let counts: Vec<&Value> =
        manifest["output"].as_array().unwrap().iter().map(|file| &file["count"]).collect();
    assert_eq!(counts, [2, 1]);
}

#[tokio::test]
async fn linux_for_health_has_relative_urls_and_refuses_the_token_it_asks_for() {
    let server = with(Quirk::LinuxForHealth).await;
    let manifest = manifest(&server, "$export?_type=Patient").await;
    assert!(manifest.get("error").is_none());
    assert_eq!(
        (&manifest["requiresAccessToken"], &manifest["output"][0]["count"]),
        (&true.into(), &5.into())
    );
    let url = server.base_url().join(manifest["output"][0]["url"].as_str().unwrap()).unwrap();
    assert_eq!(client().get(url.clone()).bearer_auth("t").send().await.unwrap().status(), 400);
    assert_eq!(client().get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn medplum_never_tells_of_deletions() {
    let server = with(Quirk::Medplum).await;
    server.update(|dataset| dataset.apply(&crate::client::folder("changes"))).unwrap();
    let manifest = manifest(&server, "$export?_since=2026-01-15T00:00:00Z").await;
    assert_eq!(manifest["deleted"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn the_ballot_takes_post_alone_and_renames_members() {
    let server = with(Quirk::Stu4).await;
    assert_eq!(kick_off(&server, "$export").await.status(), 405);
    let request = client().post(format!("{}/$export", server.base_url())).header("Prefer", "respond-async");
    let status = status_url(&request.send().await.unwrap());
    let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
    assert!(manifest.get("request").is_none() && manifest.get("error").is_none());
    assert!(manifest["outcome"].is_array() && manifest["extension"].is_array());
    let statement: Value = get(&server, "metadata").send().await.unwrap().json().await.unwrap();
    assert_eq!(statement["rest"][0]["operation"][1]["name"], "export-v4");
}

#[tokio::test]
async fn faults_are_switched_while_the_server_runs() {
    let server = start(options()).await;
    assert!(server.faults().is_empty());
    server.add_quirk(Quirk::Medplum);
    server.add_fault("poll-429*2".parse::<Rule>().unwrap());
    assert_eq!(server.faults(), [Rule::new(Fault::NeverDeleted), Rule::new(Fault::Poll429).times(2)]);
    server.remove_fault(Fault::NeverDeleted);
    server.set_faults(Vec::new());
    assert!(server.faults().is_empty());
}

#[test]
fn every_fault_is_tested() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tests: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let names = |fault: &&Fault| {
        let name = format!("Fault::{fault:?}");
        tests.match_indices(&name).any(|(at, _)| !tests[at + name.len()..].starts_with(char::is_alphanumeric))
    };
    let untested: Vec<&Fault> = Fault::ALL.iter().filter(|fault| !names(fault)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}
