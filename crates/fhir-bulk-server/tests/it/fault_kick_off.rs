//! Faults of metadata, kick-off and parameters.

use fhir_bulk_server::{BulkServer, Fault, Rule, ServerOptions, Step};
use reqwest::Response;
use serde_json::Value;

use crate::client::{client, export, folder, get, header, issue_code, kick_off, options, start, status_url};

async fn with(faults: &[Fault]) -> BulkServer {
    let options = ServerOptions { poll_rounds: 0, ..options() };
    start(faults.iter().fold(options, |options, fault| options.with_fault(*fault))).await
}

async fn post(server: &BulkServer, path: &str, body: &Value) -> Response {
    let request = client().post(format!("{}/{path}", server.base_url())).header("Prefer", "respond-async");
    request.body(body.to_string()).send().await.unwrap()
}

#[tokio::test]
async fn metadata_fails_on_demand() {
    let broken = with(&[Fault::Metadata500]).await;
    let response = get(&broken, "metadata").send().await.unwrap();
    assert_eq!((response.status().as_u16(), issue_code(response).await.as_str()), (500, "exception"));
    let page = get(&with(&[Fault::MetadataHtml]).await, "metadata").send().await.unwrap();
    assert_eq!((page.status().as_u16(), header(&page, "content-type")), (200, "text/html; charset=utf-8"));
}

#[tokio::test]
async fn metadata_names_no_export_or_that_of_two_versions_on_demand() {
    let statement = async |fault| -> Value {
        let server = with(&[fault]).await;
        get(&server, "metadata").send().await.unwrap().json().await.unwrap()
    };
    let silent = statement(Fault::MetadataWithoutExport).await;
    assert!(!silent.to_string().contains("export\""));
    let both = statement(Fault::MetadataTwoVersions).await;
    let operations = &both["rest"][0]["operation"];
    assert_eq!(
        (operations[0]["name"].as_str(), operations[1]["name"].as_str()),
        (Some("export"), Some("export-v4"))
    );
    assert!(operations[1]["definition"].as_str().unwrap().ends_with("/export|4.0.0"));
}

#[tokio::test]
async fn a_kick_off_is_refused_on_demand_and_accepted_after() {
    for (fault, status, code) in [
        (Fault::KickOff429, 429, Some("throttled")),
        (Fault::KickOff503, 503, Some("transient")),
        (Fault::KickOff400Busy, 400, Some("too-costly")),
        (Fault::KickOff409, 409, Some("conflict")),
        (Fault::KickOff501, 501, Some("not-supported")),
        (Fault::KickOffHtml, 500, None),
        (Fault::KickOff504, 504, None),
        (Fault::KickOffEmpty500, 500, None),
    ] {
        let server = with(&[]).await;
        server.add_fault(Rule::new(fault).times(1));
        let refused = kick_off(&server, "$export").await;
        assert_eq!(refused.status(), status, "{fault}");
        assert_eq!(refused.headers().contains_key("retry-after"), [429, 503].contains(&status), "{fault}");
        match (code, fault) {
            (Some(code), _) => assert_eq!(issue_code(refused).await, code),
            (None, Fault::KickOffHtml | Fault::KickOff504) => {
                assert!(refused.text().await.unwrap().contains("<html>"))
            }
            (None, _) => assert_eq!(refused.text().await.unwrap(), ""),
        }
        assert_eq!(kick_off(&server, "$export").await.status(), 202);
        let statuses: Vec<u16> =
            server.requests_of(Step::KickOff).iter().map(|r| r.status.as_u16()).collect();
        assert_eq!(statuses, [status, 202]);
    }
}

#[tokio::test]
async fn one_of_the_methods_is_refused_on_demand() {
    let parameters = serde_json::json!({"resourceType": "Parameters"});
    for (fault, by_get, by_post) in [(Fault::RefuseGet, 405, 202), (Fault::RefusePost, 202, 405)] {
        let server = with(&[fault]).await;
        assert_eq!(kick_off(&server, "$export").await.status(), by_get);
        assert_eq!(post(&server, "$export", &parameters).await.status(), by_post);
    }
}

#[tokio::test]
async fn a_header_is_needed_on_demand() {
    let server = with(&[Fault::NeedClientHeader]).await;
    let refused = kick_off(&server, "$export").await;
    assert_eq!((refused.status().as_u16(), issue_code(refused).await.as_str()), (400, "required"));
    let request = get(&server, "$export").header("Prefer", "respond-async").header("Epic-Client-ID", "app");
    assert_eq!(request.send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn the_fifth_job_at_a_time_is_a_bad_request_on_demand() {
    let server = with(&[Fault::FifthJob400]).await;
    let mut last = String::new();
    for _ in 0..4 {
        last = status_url(&kick_off(&server, "$export").await);
    }
    let fifth = kick_off(&server, "$export").await;
    assert_eq!((fifth.status().as_u16(), issue_code(fifth).await.as_str()), (400, "too-costly"));
    assert_eq!(client().get(last).send().await.unwrap().status(), 200);
    assert_eq!(kick_off(&server, "$export").await.status(), 202);
}

#[tokio::test]
async fn only_groups_are_exported_on_demand() {
    let server = with(&[Fault::GroupOnly]).await;
    for (path, status) in [("$export", 404), ("Patient/$export", 404), ("Group/half/$export", 202)] {
        assert_eq!(kick_off(&server, path).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn one_job_of_a_group_blocks_the_next_until_it_is_deleted() {
    let server = with(&[Fault::OneJob]).await;
    let status = status_url(&kick_off(&server, "Group/half/$export").await);
    assert_eq!(kick_off(&server, "Group/half/$export?_type=Patient").await.status(), 429);
    assert_eq!(kick_off(&server, "Group/rest/$export").await.status(), 202);
    client().delete(&status).send().await.unwrap();
    assert_eq!(kick_off(&server, "Group/half/$export").await.status(), 202);
}

#[tokio::test]
async fn the_same_kick_off_conflicts_or_shares_its_job() {
    let conflicting = with(&[Fault::ConflictOnRepeat]).await;
    let status = status_url(&kick_off(&conflicting, "$export").await);
    assert_eq!(kick_off(&conflicting, "$export").await.status(), 409);
    client().delete(&status).send().await.unwrap();
    assert_eq!(kick_off(&conflicting, "$export").await.status(), 202);

    let sharing = with(&[Fault::SharedJob]).await;
    let first = status_url(&kick_off(&sharing, "$export").await);
    assert_eq!(status_url(&kick_off(&sharing, "$export").await), first);
    assert_ne!(status_url(&kick_off(&sharing, "$export?_type=Patient").await), first);
}

#[tokio::test]
async fn the_status_url_is_relative_foreign_missing_or_a_query_on_demand() {
    let location = async |fault| {
        let server = with(&[fault]).await;
        let response = kick_off(&server, "$export").await;
        assert_eq!(response.status(), 202);
        let location = response.headers().get("content-location").map(|url| url.to_str().unwrap().to_owned());
        (server, location)
    };
    let (server, relative) = location(Fault::RelativeLocation).await;
    let absolute = server.base_url().join(relative.as_ref().unwrap()).unwrap();
    assert!(relative.unwrap().starts_with("/fhir/"));
    assert_eq!(client().get(absolute).send().await.unwrap().status(), 200);

    let (server, foreign) = location(Fault::ForeignLocation).await;
    assert!(foreign.unwrap().starts_with(&server.other_origin()));
    assert_eq!(location(Fault::NoLocation).await.1, None);

    let (_server, query) = location(Fault::StatusUrlQuery).await;
    let query = query.unwrap();
    assert!(query.contains("$export-poll-status?_jobId="));
    assert_eq!(client().get(&query).send().await.unwrap().status(), 200);
    assert_eq!(client().delete(&query).send().await.unwrap().status(), 202);
    assert_eq!(client().get(&query).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_wrong_parameter_is_told_late_on_demand() {
    let server = with(&[Fault::LateRefusal]).await;
    assert_eq!(kick_off(&server, "$export?_type=Bogus").await.status(), 400);
    let status = status_url(&kick_off(&server, "$export?_typeFilter=Observation%3Fbogus%3D1").await);
    let response = client().get(status).send().await.unwrap();
    assert_eq!((response.status().as_u16(), issue_code(response).await.as_str()), (500, "not-supported"));
}

#[tokio::test]
async fn parameters_are_refused_on_demand() {
    for (fault, query) in [
        (Fault::RefuseRepeatedType, "_type=Patient&_type=Encounter"),
        (Fault::RefuseRepeatedFilter, "_typeFilter=Patient%3F_id%3Dp1&_typeFilter=Patient%3F_id%3Dp2"),
        (Fault::RefuseJoinedFilter, "_typeFilter=Patient%3F_id%3Dp1,Encounter%3F_id%3De1"),
        (Fault::RefuseBareComma, "_typeFilter=Patient%3F_id%3Dp1,p2"),
        (Fault::RefuseTypeFilter, "_typeFilter=Patient%3F_id%3Dp1"),
        (Fault::RefuseSince, "_since=2026-01-01T00:00:00Z"),
        (Fault::RefuseElements, "_elements=id"),
        (Fault::RefuseBinaryType, "_type=Patient,Binary"),
        (Fault::RefuseSupportingAlone, "_type=Organization,Practitioner"),
        (Fault::RefuseComma, "_type=Patient,Encounter"),
        (Fault::RefuseComma, "_elements=id,meta"),
    ] {
        assert_eq!(kick_off(&with(&[]).await, &format!("$export?{query}")).await.status(), 202, "{query}");
        assert_eq!(
            kick_off(&with(&[fault]).await, &format!("$export?{query}")).await.status(),
            400,
            "{fault}"
        );
    }
    let escaped = "$export?_typeFilter=Patient%3F_id%3Dp1%252Cp2";
    assert_eq!(kick_off(&with(&[Fault::RefuseBareComma]).await, escaped).await.status(), 202);
    let together = "$export?_type=Organization,Patient";
    assert_eq!(kick_off(&with(&[Fault::RefuseSupportingAlone]).await, together).await.status(), 202);
    let joined = "$export?_type=Patient,Encounter";
    assert_eq!(kick_off(&with(&[Fault::RefuseRepeatedType]).await, joined).await.status(), 202);
}

#[tokio::test]
async fn parameters_are_ignored_on_demand() {
    for (fault, query, all) in [
        (Fault::IgnoreSince, "_since=2026-03-01T00:00:00Z", 12),
        (Fault::IgnoreUntil, "_until=2020-01-01T00:00:00Z", 12),
        (Fault::IgnoreType, "_type=Patient", 12),
        (Fault::IgnoreTypeFilter, "_typeFilter=Observation%3F_id%3Do1", 12),
        (Fault::IgnoreUnknown, "_bogus=1", 12),
        (Fault::IgnoreOptional, "includeAssociatedData=bogus", 12),
        (Fault::FirstTypeOnly, "_type=Patient&_type=Encounter", 2),
        (
            Fault::FirstFilterOnly,
            "_type=Patient&_typeFilter=Patient%3F_id%3Dp1&_typeFilter=Patient%3F_id%3Dp2",
            1,
        ),
        (Fault::IgnoreUnknownType, "_type=Bogus", 0),
    ] {
        let server = with(&[fault]).await;
        assert_eq!(export(&server, &format!("$export?{query}")).await.output.len(), all, "{fault}");
    }
}

#[tokio::test]
async fn patients_are_refused_or_ignored_on_demand() {
    let body = serde_json::json!({"resourceType": "Parameters", "parameter": [
        {"name": "patient", "valueReference": {"reference": "Patient/p1"}},
        {"name": "_type", "valueString": "Patient"},
    ]});
    let refusing = with(&[Fault::RefusePatient]).await;
    assert_eq!(post(&refusing, "Patient/$export", &body).await.status(), 400);
    let member = [("Patient", "p1"), ("Group/cohort", "p2")];
    for (fault, level, patients) in [
        (Fault::IgnorePatient, "Patient", 2),
        (Fault::IgnorePatientInGroup, "Patient", 1),
        (Fault::IgnorePatientInGroup, "Group/both", 2),
    ] {
        let server = with(&[fault]).await;
        let changes = tempfile::tempdir().unwrap();
        let members =
            member.map(|(_, id)| format!(r#"{{"entity":{{"reference":"Patient/{id}"}}}}"#)).join(",");
        let group = format!(
            r#"{{"resourceType":"Group","id":"both","meta":{{"lastUpdated":"2026-02-01T00:00:00Z"}},"member":[{members}]}}"#
        );
        std::fs::write(changes.path().join("Group.ndjson"), group).unwrap();
        server.update(|dataset| dataset.apply(changes.path())).unwrap();
        let status = status_url(&post(&server, &format!("{level}/$export"), &body).await);
        let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
        assert_eq!(manifest["output"][0]["count"], patients, "{fault} {level}");
    }
}

#[tokio::test]
async fn elements_are_ignored_or_not_tagged_on_demand() {
    let text = async |fault| {
        let server = with(&[fault]).await;
        let status = status_url(&kick_off(&server, "$export?_type=Patient&_elements=id").await);
        let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
        client()
            .get(manifest["output"][0]["url"].as_str().unwrap())
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert!(text(Fault::IgnoreElements).await.contains("Müller"));
    let untagged = text(Fault::NoSubsettedTag).await;
    assert!(!untagged.contains("Müller") && !untagged.contains("SUBSETTED"));
}

#[tokio::test]
async fn inactive_members_are_exported_on_demand() {
    let server = with(&[Fault::InactiveMembers]).await;
    let output = export(&server, "Group/cohort/$export?_type=Patient").await.output;
    assert_eq!(output, ["Patient/p1", "Patient/p2"]);
}

#[tokio::test]
async fn an_empty_group_exports_all_patients_on_demand() {
    let empty = r#"{"resourceType":"Group","id":"empty","meta":{"lastUpdated":"2026-02-01T00:00:00Z"}}"#;
    let changes = tempfile::tempdir().unwrap();
    std::fs::write(changes.path().join("Group.ndjson"), empty).unwrap();
    for (faults, patients) in [(&[][..], 0), (&[Fault::EmptyGroupExportsAll], 2)] {
        let server = with(faults).await;
        server.update(|dataset| dataset.apply(changes.path())).unwrap();
        let output = export(&server, "Group/empty/$export?_type=Patient").await.output;
        assert_eq!(output.len(), patients);
    }
}

#[tokio::test]
async fn a_group_that_did_not_change_exports_nothing_on_demand() {
    for (faults, found) in [(&[][..], true), (&[Fault::OldGroupEmpty], false)] {
        let server = with(faults).await;
        server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
        assert!(!export(&server, "Group/half/$export").await.output.is_empty());
        let half =
            export(&server, "Group/half/$export?_since=2026-01-15T00:00:00Z&_type=Observation").await.output;
        assert_eq!(!half.is_empty(), found);
    }
}

#[tokio::test]
async fn more_than_the_level_is_exported_on_demand() {
    let referenced = with(&[Fault::IncludeReferenced]).await;
    let output =
        export(&referenced, "Group/half/$export?_type=Practitioner,Organization,Patient").await.output;
    assert_eq!(output, ["Organization/org1", "Patient/p1", "Practitioner/d1"]);
    let own = with(&[Fault::OwnSearchParameters]).await;
    assert!(export(&own, "$export").await.output.contains(&"SearchParameter/own".to_owned()));
    assert!(export(&own, "Patient/$export").await.output.iter().all(|name| !name.starts_with("Search")));
}

#[tokio::test]
async fn resources_are_tagged_as_redacted_on_demand() {
    let server = with(&[Fault::RedactedTag]).await;
    let status = status_url(&kick_off(&server, "$export?_type=Observation").await);
    let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
    let file = client().get(manifest["output"][0]["url"].as_str().unwrap()).send().await.unwrap();
    let text = file.text().await.unwrap();
    assert!(text.contains(r#""value":7.40"#));
    for line in text.lines() {
        let resource: Value = serde_json::from_str(line).unwrap();
        assert_eq!(resource["meta"]["security"][0]["code"], "REDACTED");
        assert!(resource["meta"]["lastUpdated"].is_string());
    }
}

#[tokio::test]
async fn resources_lack_their_instant_or_name_others_absolutely_on_demand() {
    let first = async |fault| {
        let server = with(&[fault]).await;
        let status = status_url(&kick_off(&server, "$export?_type=Observation").await);
        let manifest: Value = client().get(status).send().await.unwrap().json().await.unwrap();
        let file = client().get(manifest["output"][0]["url"].as_str().unwrap()).send().await.unwrap();
        let text = file.text().await.unwrap();
        assert!(text.contains(r#""value":7.40"#) && text.contains("http://another.example.org/Patient/p1"));
        (server.base_url(), serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap())
    };
    let (_, undated) = first(Fault::NoLastUpdated).await;
    assert!(undated.pointer("/meta/lastUpdated").is_none());
    let (base, absolute) = first(Fault::AbsoluteReferences).await;
    assert_eq!(absolute["subject"]["reference"], format!("{base}/Patient/p1"));
}

#[tokio::test]
async fn deletions_have_odd_urls_on_demand() {
    let since = "$export?_since=2026-01-15T00:00:00Z&_type=Observation";
    for (fault, url) in [
        (Fault::DeletedAbsolute, "http://example.org/fhir/Observation/o3"),
        (Fault::DeletedConditional, "Observation?identifier=o3"),
    ] {
        let server = with(&[fault]).await;
        server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
        assert_eq!(export(&server, since).await.deleted, [url]);
    }
    let server = with(&[Fault::DeletedInOutput]).await;
    let export = export(&server, "$export?_type=Patient").await;
    assert_eq!(
        (export.output, export.deleted),
        (vec!["Patient/p1".into(), "Patient/p2".into()], vec!["Patient/p1".to_owned()])
    );
}

#[tokio::test]
async fn deletions_are_kept_quiet_on_demand() {
    let server = with(&[Fault::NeverDeleted]).await;
    server.update(|dataset| dataset.apply(&folder("changes"))).unwrap();
    let export = export(&server, "$export?_since=2026-01-15T00:00:00Z").await;
    assert!(export.deleted.is_empty() && !export.output.is_empty());
}

#[tokio::test]
async fn searches_and_reads_fail_on_demand() {
    let server = with(&[Fault::NoTotal]).await;
    let bundle: Value = get(&server, "Patient?_count=1").send().await.unwrap().json().await.unwrap();
    assert!(bundle.get("total").is_none());
    let next = bundle["link"][1]["url"].as_str().unwrap();
    assert_eq!(client().get(next).send().await.unwrap().status(), 200);
    server.set_faults(vec![Fault::SearchPage410.into()]);
    assert_eq!(client().get(next).send().await.unwrap().status(), 410);
    server.set_faults(vec![Fault::Search500.into()]);
    assert_eq!(get(&server, "Patient").send().await.unwrap().status(), 500);
    assert_eq!(get(&server, "Patient/p1").send().await.unwrap().status(), 200);
    server.set_faults(vec![Fault::Read403.into()]);
    assert_eq!(get(&server, "Patient/p1").send().await.unwrap().status(), 403);
}
