//! `_since`: what changed, what was deleted, and that nothing is lost between two exports.

use fhir_bulk_server::Dataset;
use serde_json::{Value, json};

use crate::client::{export, folder, get, issue_code, options, start};

/// Deletes one resource by a change folder.
fn delete(dataset: &mut Dataset, url: &str, deleted_at: &str) {
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "meta": {"lastUpdated": deleted_at},
        "entry": [{"request": {"method": "DELETE", "url": url}}],
    });
    let changes = tempfile::tempdir().unwrap();
    std::fs::create_dir(changes.path().join("deleted")).unwrap();
    std::fs::write(changes.path().join("deleted/Bundle.ndjson"), bundle.to_string()).unwrap();
    assert_eq!(dataset.apply(changes.path()).unwrap().deleted.values().sum::<usize>(), 1);
}

#[tokio::test]
async fn since_a_former_transaction_time_brings_exactly_what_changed_later() {
    let server = start(options()).await;
    let first = export(&server, "$export").await;
    let changes = server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    assert_eq!((changes.created["Observation"], changes.updated["Observation"]), (1, 1));
    assert_eq!(changes.deleted.values().sum::<usize>(), 3);

    let second = export(&server, &format!("$export?_since={}", first.transaction_time)).await;
    // An Organization without lastUpdated may have changed at any time.
    assert_eq!(second.output, ["Observation/o1", "Observation/o6", "Organization/org1"]);
    assert_eq!(second.deleted, ["Observation/o3", "Practitioner/d1", "Provenance/v1"]);
    assert_eq!(second.transaction_time, "2026-02-01T12:34:56.790Z");

    let third = export(&server, &format!("$export?_since={}", second.transaction_time)).await;
    assert_eq!(third.output, ["Organization/org1"]);
    assert!(third.deleted.is_empty());
}

#[tokio::test]
async fn since_includes_a_change_at_that_instant() {
    let server = start(options()).await;
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    let same_instant =
        export(&server, "$export?_since=2026-02-01T13:34:56.789%2B01:00&_type=Observation").await;
    assert_eq!(same_instant.output, ["Observation/o1", "Observation/o6"]);
    assert_eq!(same_instant.deleted, ["Observation/o3"]);
}

#[tokio::test]
async fn without_since_nothing_is_reported_as_deleted() {
    let server = start(options()).await;
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    let full = export(&server, "$export?_type=Observation,Practitioner").await;
    assert_eq!(full.output.len(), 5);
    assert!(full.deleted.is_empty());
}

#[tokio::test]
async fn deletions_are_those_of_the_level() {
    let server = start(options()).await;
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    let since = "_since=2026-01-15T00:00:00Z";
    let deleted = async |level: &str| export(&server, &format!("{level}/$export?{since}")).await.deleted;
    assert_eq!(deleted("Patient").await, ["Observation/o3", "Provenance/v1"]);
    assert_eq!(deleted("Group/half").await, ["Provenance/v1"]);
    assert_eq!(deleted("Group/rest").await, ["Observation/o3"]);
    assert_eq!(deleted("Group/cohort").await, ["Observation/o3"]);
}

#[tokio::test]
async fn a_patient_who_is_deleted_is_deleted_in_its_group() {
    let server = start(options()).await;
    server.update(|dataset| delete(dataset, "Patient/p1", "2026-03-01T00:00:00Z"));

    let half = export(&server, "Group/half/$export?_since=2026-02-01T00:00:00Z").await;
    assert_eq!(half.deleted, ["Patient/p1"]);
    // The Group itself has changed, and has nobody left.
    assert_eq!(half.output, ["Group/half"]);
    assert!(export(&server, "Group/rest/$export?_since=2026-02-01T00:00:00Z").await.deleted.is_empty());
}

#[tokio::test]
async fn a_provenance_stays_where_its_target_was() {
    let server = start(options()).await;
    server.update(|dataset| delete(dataset, "Observation/o1", "2026-03-01T00:00:00Z"));
    let kept = export(&server, "Group/half/$export?_type=Provenance").await;
    assert_eq!(kept.output, ["Provenance/v1"]);

    server.update(|dataset| delete(dataset, "Provenance/v1", "2026-03-02T00:00:00Z"));
    let gone = export(&server, "Group/half/$export?_type=Provenance&_since=2026-03-02T00:00:00Z").await;
    assert_eq!(gone.deleted, ["Provenance/v1"]);
    assert!(export(&server, "Group/rest/$export?_since=2026-03-01T00:00:00Z").await.deleted.is_empty());
}

#[tokio::test]
async fn a_deleted_resource_is_read_as_gone_until_it_is_created_again() {
    let server = start(options()).await;
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    let gone = get(&server, "Observation/o3").send().await.unwrap();
    assert_eq!(gone.status(), 410);
    assert_eq!(issue_code(gone).await, "deleted");

    let again = tempfile::tempdir().unwrap();
    let line = r#"{"resourceType":"Observation","id":"o3","meta":{"lastUpdated":"2026-03-01T00:00:00Z"}}"#;
    std::fs::write(again.path().join("o.ndjson"), line).unwrap();
    let changes = server.update(|dataset| dataset.apply(again.path())).unwrap();
    assert_eq!(changes.created["Observation"], 1);
    let read: Value = get(&server, "Observation/o3").send().await.unwrap().json().await.unwrap();
    assert_eq!(read["id"], "o3");
    let since = export(&server, "$export?_since=2026-01-15T00:00:00Z&_type=Observation").await;
    assert!(since.deleted.is_empty());
    assert_eq!(since.output, ["Observation/o1", "Observation/o3", "Observation/o6"]);
}
