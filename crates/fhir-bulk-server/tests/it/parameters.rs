//! The parameters of a kick-off, by GET and by POST.

use fhir_bulk_server::{BulkServer, Fault, ServerOptions, Step};
use reqwest::Response;
use serde_json::{Value, json};

use crate::client::{
    Export, client, export, export_of, folder, get, header, issue_code, kick_off, lines, manifest, options,
    start, status_url,
};

async fn post(server: &BulkServer, path: &str, parameters: Value) -> Response {
    let body = json!({"resourceType": "Parameters", "parameter": parameters});
    let request = client().post(format!("{}/{path}", server.base_url())).header("Prefer", "respond-async");
    request.header("Content-Type", "application/fhir+json").body(body.to_string()).send().await.unwrap()
}

async fn export_by_post(server: &BulkServer, path: &str, parameters: Value) -> Export {
    export_of(&manifest(&status_url(&post(server, path, parameters).await)).await).await
}

fn patient(id: &str) -> Value {
    json!({"name": "patient", "valueReference": {"reference": format!("Patient/{id}")}})
}

#[tokio::test]
async fn a_kick_off_by_post_takes_typed_parameters() {
    let server = start(options()).await;
    let parameters = json!([
        {"name": "_type", "valueString": "Encounter"},
        {"name": "_type", "valueString": "Patient"},
        {"name": "_since", "valueInstant": "2026-01-01T00:00:00Z"},
        {"name": "_outputFormat", "valueString": "application/fhir+ndjson"},
    ]);
    let output = export_by_post(&server, "$export", parameters).await.output;
    assert_eq!(output, ["Encounter/e1", "Patient/p1", "Patient/p2"]);
    let seen = server.requests_of(Step::KickOff).remove(0);
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["parameter"][1], json!({"name": "_type", "valueString": "Patient"}));
    let all = client().post(format!("{}/$export", server.base_url())).header("Prefer", "respond-async");
    assert_eq!(all.send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_body_that_is_no_parameters_resource_is_refused() {
    let server = start(options()).await;
    let since = json!([{"name": "_since", "valueString": "2026-01-01T00:00:00Z"}]);
    let response = post(&server, "$export", since).await;
    assert_eq!(response.status(), 400);
    assert_eq!(issue_code(response).await, "structure");

    let request = client().post(format!("{}/$export", server.base_url())).header("Prefer", "respond-async");
    let long = request.body(" ".repeat(3 * 1024 * 1024)).send().await.unwrap();
    assert_eq!((long.status().as_u16(), issue_code(long).await.as_str()), (413, "too-long"));
}

#[tokio::test]
async fn patients_narrow_patient_and_group_level_and_nothing_else() {
    let server = start(options()).await;
    let of_p2 = ["Group/cohort", "Observation/o3", "Observation/o4", "Patient/p2"];
    let patient_level = export_by_post(&server, "Patient/$export", json!([patient("p2")])).await;
    assert_eq!(patient_level.output, of_p2);
    let cohort = export_by_post(&server, "Group/cohort/$export", json!([patient("p2")])).await;
    assert_eq!(cohort.output, of_p2);
    let both = json!([patient("p1"), patient("p2")]);
    assert_eq!(export_by_post(&server, "Patient/$export", both).await.output.len(), 9);

    for (path, id) in [("$export", "p1"), ("Group/cohort/$export", "p1"), ("Patient/$export", "p9")] {
        let response = post(&server, path, json!([patient(id)])).await;
        assert_eq!(response.status(), 400, "{path}");
        assert_eq!(issue_code(response).await, "value");
    }
}

#[tokio::test]
async fn until_leaves_out_what_changed_later() {
    let server = start(options()).await;
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    let before = export(&server, "$export?_type=Observation&_until=2026-02-01T00:00:00Z").await;
    assert_eq!(before.output, ["Observation/o2", "Observation/o4", "Observation/o5"]);
    let window = "_since=2026-01-15T00:00:00Z&_until=2026-02-01T00:00:00Z";
    let window = export(&server, &format!("$export?_type=Observation&{window}")).await;
    assert!(window.output.is_empty() && window.deleted.is_empty());
}

#[tokio::test]
async fn elements_are_given_with_the_mandatory_ones_and_the_tag() {
    let server = start(options()).await;
    let manifest = manifest(&status_url(
        &kick_off(&server, "$export?_type=Observation,Encounter&_elements=Observation.value&_elements=id")
            .await,
    ))
    .await;
    let lines = lines(&manifest, "output").await;
    let first = &lines["Observation"][0];
    assert!(first.contains(r#""valueQuantity":{"value":7.40}"#) && first.contains(r#""status":"final""#));
    assert!(!first.contains("subject"));
    let first: Value = serde_json::from_str(first).unwrap();
    assert_eq!(first["meta"]["tag"][0]["code"], "SUBSETTED");
    assert_eq!(first["meta"]["lastUpdated"], "2026-01-01T00:00:00.000+00:00");
    let encounter: Value = serde_json::from_str(&lines["Encounter"][0]).unwrap();
    assert!(encounter.get("subject").is_none() && encounter.get("class").is_some());
}

#[tokio::test]
async fn elements_of_one_type_leave_the_others_whole() {
    let server = start(options()).await;
    let path = "$export?_type=Patient,Encounter&_elements=Patient.id";
    let manifest = manifest(&status_url(&kick_off(&server, path).await)).await;
    let lines = lines(&manifest, "output").await;
    assert!(lines["Encounter"][0].contains("subject") && !lines["Encounter"][0].contains("SUBSETTED"));
    assert!(!lines["Patient"][0].contains("Müller"));
}

#[tokio::test]
async fn type_filters_search_by_token_date_and_reference() {
    let server = start(options()).await;
    for (filter, found) in [
        ("Observation%3Fsubject%3DPatient%2Fp1", &["o1", "o2"][..]),
        ("Observation%3Fpatient%3Dp2", &["o3"]),
        ("Observation%3Fperformer%3DPatient%2Fp2", &["o4"]),
        ("Observation%3F_id%3Do1%252Co3", &["o1", "o3"]),
        ("Observation%3F_id%3Do1,o3", &["o1", "o3"]),
        ("Observation%3F_lastUpdated%3Dgt2026", &[]),
        (
            "Observation%3F_lastUpdated%3Dge2026-01-01T02%3A00%3A00%2B02%3A00%26status%3Dfinal%26_id%3Do5",
            &["o5"],
        ),
        ("Observation%3Fstatus%3Dfinal&_typeFilter=Observation%3F_id%3Do1", &["o1", "o2", "o3", "o4", "o5"]),
        ("Observation%3F_id%3Do1&_typeFilter=Observation%3F_id%3Do2", &["o1", "o2"]),
        ("Observation%3F_id%3Do1,Observation%3F_id%3Do2", &["o1", "o2"]),
        ("Patient%3F_id%3Dp1", &["o1", "o2", "o3", "o4", "o5"]),
    ] {
        let output = export(&server, &format!("$export?_type=Observation&_typeFilter={filter}")).await.output;
        let expected: Vec<String> = found.iter().map(|id| format!("Observation/{id}")).collect();
        assert_eq!(output, expected, "{filter}");
    }
}

#[tokio::test]
async fn a_type_filter_by_post_is_not_escaped_once_more() {
    let server = start(options()).await;
    let parameters = json!([
        {"name": "_type", "valueString": "Observation"},
        {"name": "_typeFilter", "valueString": "Observation?_id=o1,o2&_lastUpdated=ge2026-01-01T00:00:00+00:00"},
    ]);
    let output = export_by_post(&server, "$export", parameters).await.output;
    assert_eq!(output, ["Observation/o1", "Observation/o2"]);
}

#[tokio::test]
async fn associated_provenance_comes_though_types_do_not_name_it() {
    let server = start(options()).await;
    for value in ["LatestProvenanceResources", "RelevantProvenanceResources"] {
        let path = format!("$export?_type=Observation&includeAssociatedData={value}");
        assert!(export(&server, &path).await.output.contains(&"Provenance/v1".to_owned()));
    }
    let coding = json!([
        {"name": "_type", "valueString": "Encounter"},
        {"name": "includeAssociatedData", "valueCoding": {"code": "RelevantProvenanceResources"}},
    ]);
    assert_eq!(export_by_post(&server, "$export", coding).await.output, ["Encounter/e1"]);
}

#[tokio::test]
async fn output_organized_by_patient_is_blocks_with_headers() {
    let server = start(ServerOptions { rows_per_file: 3, ..options() }).await;
    let path = "Patient/$export?organizeOutputBy=Patient&_type=Observation,Patient,Encounter";
    let manifest = manifest(&status_url(&kick_off(&server, path).await)).await;
    assert_eq!(manifest["outputOrganizedBy"], "Patient");
    let output = manifest["output"].as_array().unwrap();
    assert_eq!(output.len(), 3);
    assert_eq!(output[0]["continuesInFile"], output[1]["url"]);
    let mut headers = Vec::new();
    for entry in output {
        assert!(entry.get("type").is_none());
        let text = client().get(entry["url"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
        let header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        headers.push(header["parameter"][0]["valueReference"]["reference"].as_str().unwrap().to_owned());
        assert_eq!(entry["count"], text.lines().count() - 1);
    }
    assert_eq!(headers, ["Patient/p1", "Patient/p1", "Patient/p2"]);
}

#[tokio::test]
async fn a_manifest_comes_in_pages_where_the_client_allows_it() {
    let server = start(ServerOptions { rows_per_file: 1, files_per_page: 5, ..options() }).await;
    let whole = manifest(&status_url(&kick_off(&server, "$export").await)).await;
    assert_eq!(whole["output"].as_array().unwrap().len(), 12);
    assert!(whole.get("link").is_none());

    let mut page =
        manifest(&status_url(&kick_off(&server, "$export?allowPartialManifests=true").await)).await;
    let mut sizes = vec![page["output"].as_array().unwrap().len()];
    while let Some(link) = page.get("link").cloned() {
        assert_eq!(link[0]["relation"], "next");
        page = manifest(link[0]["url"].as_str().unwrap()).await;
        assert_eq!(page["transactionTime"], whole["transactionTime"]);
        sizes.push(page["output"].as_array().unwrap().len());
    }
    assert_eq!(sizes, [5, 5, 2]);
}

#[tokio::test]
async fn a_running_job_shows_its_first_page_where_the_client_allows_it() {
    let server = start(ServerOptions { poll_rounds: 2, files_per_page: 5, ..options() }).await;
    let status = status_url(&kick_off(&server, "$export?allowPartialManifests=true").await);
    let first = client().get(&status).send().await.unwrap();
    assert_eq!((first.status().as_u16(), first.text().await.unwrap().as_str()), (202, ""));
    let second = client().get(&status).send().await.unwrap();
    assert_eq!(second.status(), 202);
    let partial: Value = second.json().await.unwrap();
    assert_eq!(partial["output"].as_array().unwrap().len(), 5);
    assert!(partial.get("link").is_none());
}

#[tokio::test]
async fn a_separate_export_status_is_in_its_header() {
    let server = start(options()).await;
    let prefer = "respond-async, separate-export-status";
    let response = get(&server, "$export").header("Prefer", prefer).send().await.unwrap();
    let status = status_url(&response);
    for expected in ["202 Accepted", "200 OK"] {
        let response = client().get(&status).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-export-status"), expected);
        assert_eq!(header(&response, "preference-applied"), prefer);
    }
    server.add_fault(Fault::LateRefusal);
    let response = get(&server, "$export?_typeFilter=Observation%3Fbogus%3D1")
        .header("Prefer", prefer)
        .send()
        .await
        .unwrap();
    let response = client().get(status_url(&response)).send().await.unwrap();
    assert_eq!(header(&response, "x-export-status"), "500 Internal Server Error");
}

#[tokio::test]
async fn jobs_beyond_the_limit_wait() {
    let server = start(ServerOptions { max_running_jobs: 1, retry_after: 3, ..options() }).await;
    let status = status_url(&kick_off(&server, "$export").await);
    let second = kick_off(&server, "$export").await;
    assert_eq!(second.status(), 429);
    assert_eq!(header(&second, "retry-after"), "3");
    manifest(&status).await;
    server.add_fault(Fault::LateRefusal);
    assert_eq!(kick_off(&server, "$export?_typeFilter=Observation%3Fbogus%3D1").await.status(), 202);
    // A job that has failed is not in progress.
    assert_eq!(kick_off(&server, "$export").await.status(), 202);
    assert_eq!(server.requests_of(Step::KickOff).len(), 4);
}

#[tokio::test]
async fn what_a_client_sent_is_seen() {
    let server = start(options()).await;
    let request =
        get(&server, "$export?_type=Patient").header("Prefer", "respond-async").bearer_auth("s3cr3t");
    request.send().await.unwrap();
    let seen = server.requests().remove(0);
    assert_eq!((seen.step, seen.method.as_str(), seen.status.as_u16()), (Step::KickOff, "GET", 202));
    assert_eq!(seen.uri, "/fhir/$export?_type=Patient");
    assert_eq!(
        (seen.header("prefer"), seen.header("authorization")),
        (Some("respond-async"), Some("Bearer s3cr3t"))
    );
    assert!(!seen.other_origin && !format!("{seen:?}").contains("s3cr3t"));
    server.forget_requests();
    assert!(server.requests().is_empty());
}
