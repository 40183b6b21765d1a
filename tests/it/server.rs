//! Exports from servers that do what servers do: what comes of it in the lake, and what is told.

use std::collections::BTreeSet;

use fhir_bulk_client::{BulkClient, Credentials, ErrorKind, KeySet, SigningKey};
use fhir_bulk_server::{BulkServer, Dataset, RegisteredClient, Rule, SeenRequest, ServerOptions, Step};
use fhirlake::Error;
use fhirlake::lake::identity::Identity;
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, ExportOptions, OnServerError, Query, Since};

use crate::fixture::{Bench, ask, client, contents, export, group, one, part, system, write_lines};

fn fault(text: &str) -> Rule {
    text.parse().unwrap()
}

fn query(query: Query) -> ExportOptions {
    ExportOptions { query, ..system() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_brings_what_it_finds_and_has_its_own_watermark() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    let labs = ExportOptions {
        types: vec!["Observation".into()],
        ..query(Query { type_filters: vec!["Observation?category=laboratory".into()], ..Query::default() })
    };
    let report = export(&server, &lake, &labs).await.unwrap();
    let rows: i64 = report.run.counts[0].inserted;
    assert!(rows > 0 && rows < 2282, "{rows}");
    let others =
        "SELECT count(*) FROM Observation WHERE NOT array_has(category[1]['coding']['code'], 'laboratory')";
    let _ = others;
    let watermarks: Vec<&String> = report.run.watermarks.keys().collect();
    assert_eq!(watermarks, ["Observation Observation?category=laboratory"]);
    assert_eq!(report.warnings, Vec::<String>::new());
    // The next run asks since then, and one without the filter for everything.
    export(&server, &lake, &labs).await.unwrap();
    assert!(server.kick_offs().last().unwrap().contains("_since"));
    export(&server, &lake, &ExportOptions { types: vec!["Observation".into()], ..system() }).await.unwrap();
    assert!(!server.kick_offs().last().unwrap().contains("_since"));
    assert_eq!(one(&lake, "SELECT count(*) FROM Observation").await, "2287");
}

#[tokio::test(flavor = "multi_thread")]
async fn elements_are_rows_of_tables_of_their_own_and_one_patient_moves_no_watermark() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    let before = contents(&lake).await;
    let parts = ExportOptions {
        types: vec!["Patient".into()],
        since: Since::Full,
        ..query(Query { elements: vec!["gender".into()], ..Query::default() })
    };
    export(&server, &lake, &parts).await.unwrap();
    assert_eq!(contents(&lake).await, before, "no complete row has made way for a part of it");
    let patient = one(&lake, "SELECT min(id) FROM Patient").await;
    let level = fhir_bulk_client::Level::Patient;
    let of_one = ExportOptions { level, ..query(Query { patients: vec![patient], ..Query::default() }) };
    let lake = bench.lake("of-one");
    let report = export(&server, &lake, &of_one).await.unwrap();
    assert!(report.run.watermarks.is_empty());
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_a_parameter_is_found_out() {
    let bench = Bench::new();
    for (name, query, said) in [
        (
            "ignore-type-filter",
            Query { type_filters: vec!["Patient?gender=male".into()], ..Query::default() },
            "_typeFilter",
        ),
        (
            "ignore-elements",
            Query { elements: vec!["Patient.gender".into()], ..Query::default() },
            "_elements",
        ),
        ("ignore-until", Query { until: Some("2000-01-01T00:00:00Z".into()), ..Query::default() }, "_until"),
    ] {
        let server = bench.server().await;
        server.add_fault(fault(name));
        let options = ExportOptions { types: vec!["Patient".into()], query, ..system() };
        let report = export(&server, &bench.lake(name), &options).await.unwrap();
        assert!(
            report.warnings.iter().any(|text| text.contains(said) && text.contains("contradict")),
            "{name}: {:?}",
            report.warnings
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_data_gets_no_name_in_the_lake_and_the_run_goes_on_when_it_is() {
    let bench = Bench::new();
    for name in ["file-html", "file-outcome", "file-binary-json", "file-binary-xml", "file-cut-gzip"] {
        let server = bench.server().await;
        let lake = bench.lake(name);
        server.add_fault(fault(name));
        let failed = export(&server, &lake, &part()).await.expect_err(name);
        let Error::Server(error) = &failed else { panic!("{name}: {failed}") };
        assert!(matches!(error.kind(), ErrorKind::NotData | ErrorKind::Truncated), "{name}: {error}");
        server.set_faults(Vec::new());
        let report = export(&server, &lake, &part()).await.unwrap();
        assert!(report.resumed && report.is_clean(), "{name}");
        assert_eq!(report.run.counts.iter().map(|count| count.inserted).sum::<i64>(), 687, "{name}");
        assert_eq!(one(&lake, "SELECT count(*) FROM _quarantine").await, "0", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_broke_off_goes_on_where_it_did_in_the_next_process() {
    let bench = Bench::new();
    // A file of some MiB: what has come of one is kept by the MiB.
    let text = "x".repeat(2000);
    let patient =
        |n: usize| format!(r#"{{"resourceType":"Patient","id":"p{n}","identifier":[{{"value":"{text}"}}]}}"#);
    let lines: Vec<String> = (0..2000).map(patient).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let folder = write_lines(&bench.path("large"), "Patient.ndjson", &lines);
    let options = ServerOptions { poll_rounds: 0, rows_per_file: 5000, ..ServerOptions::default() };
    let server = BulkServer::start(Dataset::open(&folder).unwrap(), options).await.unwrap();
    let lake = bench.lake("lake");
    // The server breaks off once, and is then gone.
    let gone = Rule { after: 1, ..fault("file-404") };
    server.set_faults(vec![fault("file-cut*1"), fault("no-gzip"), gone]);
    export(&server, &lake, &system()).await.unwrap_err();
    server.set_faults(vec![fault("no-gzip")]);
    server.forget_requests();
    let report = export(&server, &lake, &system()).await.unwrap();
    assert!(report.resumed && report.is_clean(), "{:?}", report.warnings);
    let asked = server.requests_of(Step::File);
    let went_on = |request: &&SeenRequest| request.status == 206 && request.header("if-range").is_some();
    assert_eq!(asked.iter().filter(went_on).count(), asked.len(), "{asked:?}");
    // What was received in parts is what the server has.
    let undisturbed = bench.lake("undisturbed");
    export(&server, &undisturbed, &system()).await.unwrap();
    assert_eq!(contents(&lake).await, contents(&undisturbed).await);
    let files = "SELECT sha256, line_count FROM _files";
    assert_eq!(ask(&lake, files).await.unwrap(), ask(&undisturbed, files).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_expire_are_asked_for_anew() {
    let bench = Bench::new();
    let server = bench.server().await;
    server.add_fault(fault("file-410*2"));
    let report = export(&server, &bench.lake("lake"), &part()).await.unwrap();
    assert!(report.is_clean());
    assert_eq!(server.kick_offs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_logged_as_other_clients_do() {
    let bench = Bench::new();
    let server = bench.server().await;
    let report = export(&server, &bench.lake("lake"), &part()).await.unwrap();
    let path = bench.path("lake/raw").join(&report.run.export_id).join("log.ndjson");
    let log = std::fs::read_to_string(path).unwrap();
    let events: BTreeSet<String> = log
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["eventId"].as_str().unwrap().to_owned()
        })
        .collect();
    for event in [
        "kickoff",
        "status_complete",
        "manifest_complete",
        "download_request",
        "download_complete",
        "export_complete",
    ] {
        assert!(events.contains(event), "{event}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_server_can_refuse_a_run() {
    let bench = Bench::new();
    let server = bench.server().await;
    server.add_fault(fault("outcome-unnamed"));
    let lake = bench.lake("lake");
    let strict = ExportOptions { on_server_error: OnServerError::Fail, ..part() };
    let refused = export(&server, &lake, &strict).await.unwrap_err();
    assert!(matches!(&refused, Error::Invalid(why) if why.contains("--on-server-error")), "{refused}");
    let report = export(&server, &lake, &part()).await.unwrap();
    assert!(report.run.watermarks.is_empty() && !report.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_a_group_gets_the_history_and_who_leaves_is_noted() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &group("half")).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "9");
    // One patient leaves, another joins; nothing else changes.
    let members = ask(&lake, "SELECT patient_id FROM _members ORDER BY 1").await.unwrap();
    let members: Vec<String> = members.into_iter().flatten().collect();
    let all = bench.lake("all");
    export(&server, &all, &part()).await.unwrap();
    let patients = ask(&all, "SELECT id FROM Patient ORDER BY 1").await.unwrap();
    let new = patients.into_iter().flatten().find(|id| !members.contains(id)).unwrap();
    let stays: Vec<String> = members[1..].iter().chain([&new]).cloned().collect();
    let references: Vec<String> =
        stays.iter().map(|id| format!(r#"{{"entity":{{"reference":"Patient/{id}"}}}}"#)).collect();
    let line = format!(
        r#"{{"resourceType":"Group","id":"half","meta":{{"lastUpdated":"2030-01-01T00:00:00Z"}},"type":"person","actual":true,"member":[{}]}}"#,
        references.join(",")
    );
    let changes = write_lines(&bench.path("changes"), "Group.ndjson", &[&line]);
    server.update(|data| data.apply(&changes)).unwrap();
    let report = export(&server, &lake, &group("half")).await.unwrap();
    assert!(
        report.warnings.iter().any(|text| text.contains("1 patients have joined")),
        "{:?}",
        report.warnings
    );
    let here = format!("SELECT count(*) FROM Patient WHERE id = '{new}'");
    assert_eq!(one(&lake, &here).await, "1");
    let encounters = format!("SELECT count(*) FROM Encounter WHERE subject['__reference_id'] = '{new}'");
    assert_ne!(one(&lake, &encounters).await, "0");
    let left = ask(&lake, "SELECT patient_id FROM _members WHERE left_export IS NOT NULL").await.unwrap();
    assert_eq!(left, [[members[0].clone()]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn backend_services_are_the_lakes_identity() {
    let bench = Bench::new();
    let keys = ["lake", "other"].map(|id| {
        let key = SigningKey::generate(fhir_bulk_client::Algorithm::Es384).unwrap();
        (id, KeySet::new(vec![key]).unwrap())
    });
    let clients =
        keys.iter().map(|(id, keys)| RegisteredClient::with_keys(*id, keys.public_jwks())).collect();
    let options = ServerOptions { clients, poll_rounds: 0, ..ServerOptions::default() };
    let server = BulkServer::start(Dataset::open(&bench.path("small-v1")).unwrap(), options).await.unwrap();
    let lake = bench.lake("lake");
    let run = async |(id, keys): &(&str, KeySet)| {
        let credentials = Credentials::BackendServices(fhir_bulk_client::BackendServices {
            client_id: (*id).to_owned(),
            keys: keys.clone(),
            scopes: None,
            token_url: None,
            key_set_url: None,
        });
        let mut client = BulkClient::builder(server.base_url()).credentials(credentials).build().unwrap();
        let identity = Identity::of_server(server.base_url(), None).of_client(Some((*id).to_owned()));
        pipeline::export(&lake, &identity, &mut client, &part(), &Unwatched).await
    };
    run(&keys[0]).await.unwrap();
    let json = std::fs::read_to_string(bench.path("lake/lake.json")).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(recorded["client_id"], "lake");
    assert_ne!(recorded["scopes"].as_array().unwrap().len(), 0);
    let refused = run(&keys[1]).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_interrupted_is_given_up_and_the_server_told_so() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    server.add_fault(fault("file-html"));
    export(&server, &lake, &part()).await.unwrap_err();
    let level = fhir_bulk_client::Level::System;
    pipeline::cancel(&lake, &client(&server), &level, &Unwatched).await.unwrap();
    let again = pipeline::cancel(&lake, &client(&server), &level, &Unwatched).await;
    assert!(matches!(again, Err(Error::Refused(_))));
    server.set_faults(Vec::new());
    let report = export(&server, &lake, &part()).await.unwrap();
    assert!(!report.resumed);
    assert_eq!(server.kick_offs().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_could_not_export_is_read_and_the_watermark_moves() {
    let bench = Bench::new();
    let server = bench.server().await;
    server.add_fault(fault("outcome-named"));
    let lake = bench.lake("lake");
    let report = export(&server, &lake, &part()).await.unwrap();
    assert_eq!(report.run.watermarks.len(), 6, "{:?}", report.warnings);
    let gaps = ask(&lake, "SELECT resource_type, resolved_by FROM _gaps").await.unwrap();
    assert!(!gaps.is_empty());
    assert!(gaps.iter().all(|gap| gap[1] == report.run.export_id), "{gaps:?}");
    assert!(report.is_clean(), "{:?}", report.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_stays_a_gap_until_it_can() {
    let bench = Bench::new();
    let server = bench.server().await;
    server.add_fault(fault("outcome-named"));
    server.add_fault(fault("read-403"));
    let lake = bench.lake("lake");
    let report = export(&server, &lake, &part()).await.unwrap();
    assert!(!report.is_clean() && report.run.watermarks.len() == 6);
    assert_ne!(one(&lake, "SELECT count(*) FROM _gaps WHERE resolved_by IS NULL").await, "0");
    server.set_faults(Vec::new());
    assert!(export(&server, &lake, &part()).await.unwrap().is_clean());
    assert_eq!(one(&lake, "SELECT count(*) FROM _gaps WHERE resolved_by IS NULL").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_one_export_at_a_time_gets_one_after_the_other() {
    let bench = Bench::new();
    for name in ["one-job"] {
        let server = bench.server().await;
        let lake = bench.lake(name);
        let of = |types: &[&str]| ExportOptions {
            types: types.iter().map(|t| (*t).to_owned()).collect(),
            ..system()
        };
        export(&server, &lake, &of(&["Patient"])).await.unwrap();
        server.add_fault(fault("one-job"));
        // A type with a watermark and one without: two kick-offs.
        let report = export(&server, &lake, &of(&["Patient", "Condition"])).await.unwrap();
        assert!(report.is_clean(), "{:?}", report.warnings);
        // One of them was refused.
        assert_eq!(server.kick_offs().len(), 4, "{name}");
        assert_eq!(one(&lake, "SELECT count(*) FROM Condition").await, "274");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_that_nobody_may_read_stay_when_nothing_has_changed() {
    let bench = Bench::new();
    let server = bench.server().await;
    server.add_fault(fault("read-403"));
    let lake = bench.lake("lake");
    export(&server, &lake, &group("half")).await.unwrap();
    let full = ExportOptions { since: Since::Full, ..group("half") };
    export(&server, &lake, &full).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM cohort_members").await, "9");
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_in_parts_are_known_by_what_was_asked_where_the_server_does_not_say_it() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    let before = contents(&lake).await;
    server.add_fault(fault("no-subsetted-tag"));
    bench.change(&server);
    let parts = ExportOptions {
        types: vec!["Patient".into()],
        ..query(Query { elements: vec!["gender".into()], ..Query::default() })
    };
    export(&server, &lake, &parts).await.unwrap();
    assert_eq!(contents(&lake).await["Patient"], before["Patient"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_in_some_tables_is_finished_and_not_given_up() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    let first =
        write_lines(&bench.path("first"), "Device.ndjson", &[r#"{"resourceType":"Device","id":"d"}"#]);
    crate::fixture::ingest(&lake, &[first]).await.unwrap();
    // The run's last commit cannot be made: it ends after those of the types' tables.
    let blocked = bench.path("lake/tables/_exports/_delta_log/00000000000000000002.json");
    std::fs::create_dir_all(&blocked).unwrap();
    export(&server, &lake, &part()).await.unwrap_err();
    std::fs::remove_dir_all(&blocked).unwrap();
    let level = fhir_bulk_client::Level::System;
    let cancelled = pipeline::cancel(&lake, &client(&server), &level, &Unwatched).await;
    assert!(matches!(cancelled, Err(Error::Refused(_))), "{cancelled:?}");
    // Another pipeline that brings the same shows what the unfinished one has written.
    crate::fixture::ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "17");
    assert!(export(&server, &lake, &part()).await.unwrap().resumed);
}
