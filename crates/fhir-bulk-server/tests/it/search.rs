//! Searches and reads, as a client uses them to look for Groups and to reconcile.

use serde_json::Value;

use crate::client::{client, get, issue_code, options, start};

async fn search(server: &fhir_bulk_server::BulkServer, path: &str) -> Value {
    let response = get(server, path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

fn ids(bundle: &Value) -> Vec<&str> {
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn groups_are_listed_with_the_generated_ones() {
    let server = start(options()).await;
    let bundle = search(&server, "Group").await;
    assert_eq!((bundle["type"].as_str(), bundle["total"].as_u64()), (Some("searchset"), Some(3)));
    assert_eq!(ids(&bundle), ["cohort", "half", "rest"]);
    assert_eq!(ids(&search(&server, "Group?_id=half").await), ["half"]);
}

#[tokio::test]
async fn a_count_has_no_entries() {
    let server = start(options()).await;
    for (path, total) in [
        ("Observation?_summary=count", 5),
        ("Observation?_count=0", 5),
        ("Observation?patient=p1&_summary=count", 2),
        ("Condition?_summary=count", 0),
    ] {
        let bundle = search(&server, path).await;
        assert_eq!(bundle["total"], total, "{path}");
        assert!(bundle.get("entry").is_none());
    }
}

#[tokio::test]
async fn ids_are_read_page_by_page() {
    let server = start(options()).await;
    let mut bundle = search(&server, "Observation?_elements=id&_count=2").await;
    let mut found: Vec<String> = Vec::new();
    loop {
        found.extend(ids(&bundle).into_iter().map(str::to_owned));
        assert!(bundle["entry"][0]["resource"].get("subject").is_none());
        let links = bundle["link"].as_array().unwrap();
        let Some(next) = links.iter().find(|link| link["relation"] == "next") else { break };
        bundle = client().get(next["url"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
    }
    assert_eq!(found, ["o1", "o2", "o3", "o4", "o5"]);
}

#[tokio::test]
async fn a_found_resource_keeps_its_bytes() {
    let server = start(options()).await;
    let text = get(&server, "Observation?_id=o1").send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#""valueQuantity":{"value":7.40}"#));
}

#[tokio::test]
async fn a_group_is_found_by_the_start_of_its_name() {
    let server = start(options()).await;
    assert_eq!(ids(&search(&server, "Group?name=the%20HALF").await), ["half"]);
}

#[tokio::test]
async fn a_binary_is_its_content_unless_fhir_is_asked_for() {
    let server = start(options()).await;
    let changes = tempfile::tempdir().unwrap();
    let binary = r#"{"resourceType":"Binary","id":"b","contentType":"text/plain","data":"aGVsbG8="}"#;
    std::fs::write(changes.path().join("Binary.ndjson"), binary).unwrap();
    server.update(|dataset| dataset.apply(changes.path())).unwrap();
    let native = get(&server, "Binary/b").header("Accept", "text/plain").send().await.unwrap();
    assert_eq!(crate::client::header(&native, "content-type"), "text/plain");
    assert_eq!(native.text().await.unwrap(), "hello");
    let fhir = get(&server, "Binary/b").header("Accept", "application/fhir+json").send().await.unwrap();
    assert_eq!(fhir.text().await.unwrap(), binary);
}

#[tokio::test]
async fn what_a_search_does_not_know_is_refused() {
    let server = start(options()).await;
    for path in ["Observation?bogus=1", "Observation?_sort=date", "Observation?code:text=x"] {
        let response = get(&server, path).send().await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
        assert_eq!(issue_code(response).await, "not-supported");
    }
}
