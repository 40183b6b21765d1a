//! The export log, in the events and names that readers of it know.

use fhir_bulk_client::{ErrorKind, ExportLog, ExportRequest, Level};
use serde_json::Value;

use crate::real::{Real, options};

#[tokio::test]
async fn the_log_has_the_events_of_an_export_in_their_order_and_no_secrets() {
    let real = Real::start(options()).await;
    let client = real.client().build().unwrap();
    let mut log = ExportLog::new(Vec::new(), "our-export");
    let capability = client.capability().await.unwrap();
    let request =
        ExportRequest { level: Level::Patient, types: vec!["Observation".into()], ..Default::default() };
    let job = client.kick_off(&request).await.unwrap();
    log.kick_off(&job.request_url, Some(&capability), Ok(&job)).unwrap();
    let mut progress = Vec::new();
    let manifest = client.wait(&job.status_url, |state| progress.push(state.clone())).await.unwrap();
    progress.iter().for_each(|state| log.progress(state).unwrap());
    log.manifest(&manifest).unwrap();
    let (file, token) = manifest.output().next().unwrap();
    log.download_request(fhir_bulk_client::Section::Output, file).unwrap();
    let mut download = client.download(file, token).await.unwrap();
    while download.chunk().await.unwrap().is_some() {}
    log.download_complete(file, &download.verify().unwrap()).unwrap();
    log.export_complete().unwrap();

    let text = String::from_utf8(log.into_inner()).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = rows.iter().map(|row| row["eventId"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "kickoff",
            "status_progress",
            "status_complete",
            "status_page_complete",
            "manifest_complete",
            "download_request",
            "download_complete",
            "export_complete"
        ]
    );
    assert!(rows.iter().all(|row| row["exportId"] == "our-export"));
    assert_eq!(rows[0]["eventDetail"]["requestParameters"]["_type"], "Observation");
    assert_eq!(rows[0]["eventDetail"]["fhirVersion"], "4.0.1");
    assert_eq!(rows[5]["eventDetail"]["itemType"], "output");
    assert_eq!(rows[6]["eventDetail"]["resourceCount"], 40);
    assert_eq!(rows[7]["eventDetail"]["files"], 1);
    assert!(rows[7]["eventDetail"]["duration"].is_u64());
}

#[tokio::test]
async fn errors_are_logged_with_their_status_and_without_patients() {
    let real = Real::start(options()).await;
    let client = real.client().build().unwrap();
    let request = ExportRequest { types: vec!["Bogus".into()], ..Default::default() };
    let error = client.kick_off(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let mut log = ExportLog::new(Vec::new(), "x");
    let url = "https://h/fhir/$export?_type=Bogus&patient=Patient%2F1".parse().unwrap();
    log.kick_off(&url, None, Err(&error)).unwrap();
    log.status_error(&error).unwrap();
    let text = String::from_utf8(log.into_inner()).unwrap();
    assert!(!text.contains("Patient"), "{text}");
    let row: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(row["eventDetail"]["errorCode"], 400);
    assert_eq!(row["eventDetail"]["exportUrl"], "https://h/fhir/$export");
}
