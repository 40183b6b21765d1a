//! Faults of the manifest.

use fhir_bulk_server::{BulkServer, Fault, ServerOptions};
use serde_json::{Value, json};

use crate::client::{client, folder, header, kick_off, lines, options, start, status_url};

const SINCE: &str = "$export?_since=2026-01-15T00:00:00Z";

/// A server whose export with `SINCE` has output, deletions and an outcome, and one file per line.
async fn with(fault: Option<Fault>) -> (BulkServer, String) {
    let options = ServerOptions { poll_rounds: 0, rows_per_file: 1, files_per_page: 2, ..options() };
    let server = start(options.with_fault(Fault::OutcomeUnnamed)).await;
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    fault.into_iter().for_each(|fault| server.add_fault(fault));
    let status = status_url(&kick_off(&server, SINCE).await);
    (server, status)
}

async fn manifest(fault: Fault) -> Value {
    let (_server, status) = with(Some(fault)).await;
    client().get(status).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn without_faults_every_section_is_there() {
    let (_server, status) = with(None).await;
    let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
    assert_eq!(manifest["output"].as_array().unwrap().len(), 3);
    assert_eq!(manifest["deleted"][0]["type"], "Bundle");
    assert_eq!(manifest["error"][0]["type"], "OperationOutcome");
}

#[tokio::test]
async fn members_are_missing_on_demand() {
    for (fault, member) in [
        (Fault::NoError, "error"),
        (Fault::NoDeleted, "deleted"),
        (Fault::NoOutput, "output"),
        (Fault::NoRequest, "request"),
        (Fault::TimeMissing, "transactionTime"),
    ] {
        assert!(manifest(fault).await.get(member).is_none(), "{fault}");
    }
    assert!(manifest(Fault::NoCount).await["output"][0].get("count").is_none());
    assert_eq!(manifest(Fault::EmptyOutput).await["output"], json!([]));
}

#[tokio::test]
async fn the_sections_are_those_of_the_ballot_on_demand() {
    let renamed = manifest(Fault::OutcomeKey).await;
    assert!(renamed.get("error").is_none());
    assert_eq!(renamed["outcome"].as_array().unwrap().len(), 1);
    let sized = manifest(Fault::BallotMembers).await;
    assert!(sized["manifestType"].as_str().unwrap().ends_with("/BulkDataManifest"));
    assert_eq!(sized["outputFormat"], "application/fhir+ndjson");
    let changed = std::fs::read_to_string(folder("changes/Observation.ndjson")).unwrap();
    assert_eq!(sized["output"][0]["fileSize"], changed.split_inclusive('\n').next().unwrap().len());
    let untyped = manifest(Fault::NoSectionType).await;
    assert!(untyped["deleted"][0].get("type").is_none() && untyped["error"][0].get("type").is_none());
    assert_eq!(untyped["output"][0]["type"], "Observation");
}

#[tokio::test]
async fn extensions_come_in_both_forms_on_demand() {
    for (fault, is_array) in [(Fault::ExtensionObject, false), (Fault::ExtensionArray, true)] {
        let manifest = manifest(fault).await;
        for extension in [&manifest["extension"], &manifest["output"][0]["extension"]] {
            assert_eq!((extension.is_array(), extension.is_object()), (is_array, !is_array));
        }
    }
    assert_eq!(manifest(Fault::UnknownMembers).await["message"], "Export complete");
}

#[tokio::test]
async fn the_token_flag_is_a_string_or_a_lie_on_demand() {
    assert_eq!(manifest(Fault::TokenFlagString).await["requiresAccessToken"], "false");
    assert_eq!(manifest(Fault::TokenFlagTrue).await["requiresAccessToken"], true);
}

#[tokio::test]
async fn counts_and_urls_are_wrong_on_demand() {
    assert_eq!(manifest(Fault::WrongCount).await["output"][0]["count"], 4);
    let relative = manifest(Fault::RelativeUrls).await;
    assert!(relative["output"][0]["url"].as_str().unwrap().starts_with("/fhir/$export-file/"));
    let repeated = manifest(Fault::RepeatedFile).await;
    assert_eq!(repeated["output"].as_array().unwrap().len(), 4);
    assert_eq!(repeated["output"][0], repeated["output"][3]);
}

#[tokio::test]
async fn the_transaction_time_has_odd_forms_on_demand() {
    for (fault, text) in [
        (Fault::TimeNanoseconds, "2026-02-01T12:34:56.790000000Z"),
        (Fault::TimeOffset, "2026-02-01T14:34:56.790+02:00"),
        (Fault::TimeDateOnly, "2026-02-01"),
        (Fault::TimeGarbage, "just now"),
        (Fault::TimeLate, "2026-02-01T12:44:56.790Z"),
    ] {
        assert_eq!(manifest(fault).await["transactionTime"], text, "{fault}");
    }
}

#[tokio::test]
async fn pages_loop_or_differ_on_demand() {
    let pages = async |fault| -> (Value, Value) {
        let (server, _) = with(Some(fault)).await;
        let status = status_url(&kick_off(&server, &format!("{SINCE}&allowPartialManifests=true")).await);
        let first: Value = client().get(status).send().await.unwrap().json().await.unwrap();
        let next = first["link"][0]["url"].as_str().unwrap();
        let second = client().get(next).send().await.unwrap().json().await.unwrap();
        (first, second)
    };
    let (_, second) = pages(Fault::LinkLoop).await;
    let (_, again) = pages(Fault::LinkLoop).await;
    assert_eq!(second["output"].as_array().unwrap().len(), again["output"].as_array().unwrap().len());
    assert!(second["link"][0]["url"].as_str().unwrap().ends_with("page=0"));
    let (first, second) = pages(Fault::PageTimeDiffers).await;
    assert_ne!(first["transactionTime"], second["transactionTime"]);
}

#[tokio::test]
async fn the_manifest_is_labelled_broken_or_a_page_on_demand() {
    let (_server, status) = with(Some(Fault::ManifestFhirJson)).await;
    let response = client().get(status).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "application/fhir+json");

    let (_server, status) = with(Some(Fault::ManifestHtml)).await;
    let response = client().get(status).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains("<html>"));

    let (_server, status) = with(Some(Fault::ManifestCut)).await;
    let response = client().get(status).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn outcomes_are_reported_on_demand() {
    let outcomes = async |fault| {
        let options = ServerOptions { poll_rounds: 0, ..options() };
        let server = start(options.with_fault(fault)).await;
        let status = status_url(&kick_off(&server, "$export?_type=Patient").await);
        let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
        let lines = lines(&manifest, "error").await.remove("OperationOutcome").unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let named = outcomes(Fault::OutcomeNamed).await;
    assert_eq!(named[0]["issue"][0]["severity"], "error");
    assert_eq!(named[0]["issue"][0]["expression"][0], "Patient/p1");
    let unnamed = outcomes(Fault::OutcomeUnnamed).await;
    assert!(!unnamed[0].to_string().contains("Patient"));
    let severities: Vec<Value> =
        outcomes(Fault::OutcomeMild).await.iter().map(|line| line["issue"][0]["severity"].clone()).collect();
    assert_eq!(severities, ["warning", "information"]);
}
