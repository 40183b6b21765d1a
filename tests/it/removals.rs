//! Complete exports are snapshots: what they do not bring is removed, within bounds, and comes back when it comes again.

use std::path::PathBuf;

use fhir_bulk_client::Level;
use fhirlake::Error;
use fhirlake::pipeline::{ExportOptions, IngestOptions, MaxRemovals, Report, Settings, Since};

use crate::fixture::{
    Bench, ask, contents, expected, export, group, ingest, ingest_with, one, part, system, write_lines,
};

/// Everything again. Of some types an eighth of the sample goes.
fn full() -> ExportOptions {
    let settings = Settings { max_removals: MaxRemovals::Share(0.2), ..Settings::default() };
    ExportOptions { since: Since::Full, settings, ..system() }
}

async fn snapshot(lake: &str, folder: PathBuf, max_removals: MaxRemovals) -> fhirlake::Result<Report> {
    let settings = Settings { max_removals, ..Settings::default() };
    let options = IngestOptions { paths: vec![folder], snapshot: true, settings, ..IngestOptions::default() };
    ingest_with(lake, options).await
}

fn patient(id: &str, last_updated: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","meta":{{"lastUpdated":"{last_updated}"}}}}"#)
}

/// A folder with patients of some ids, all as they were on one day, and the manifest of another day.
fn patients(bench: &Bench, name: &str, ids: &[&str], transaction_time: &str) -> PathBuf {
    let lines: Vec<String> = ids.iter().map(|id| patient(id, "2026-01-01T00:00:00Z")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let folder = write_lines(&bench.path(name), "Patient.ndjson", &lines);
    let manifest = format!(
        r#"{{"transactionTime":"{transaction_time}","request":"https://ehr.example.org/$export","requiresAccessToken":false,"output":[{{"type":"Patient","url":"https://ehr.example.org/Patient.ndjson"}}],"error":[]}}"#
    );
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
    folder
}

async fn ids(lake: &str) -> String {
    one(lake, "SELECT string_agg(id, ' ' ORDER BY id) FROM Patient").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_export_removes_what_is_gone_from_the_server_and_says_so() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &system()).await.unwrap();
    bench.change(&server);
    let report = export(&server, &lake, &full()).await.unwrap();
    let by_ingest = bench.lake("by-ingest");
    for name in ["small-v1", "small-v2"] {
        ingest(&by_ingest, &[bench.path(name)]).await.unwrap();
    }
    assert_eq!(contents(&lake).await, contents(&by_ingest).await);
    let deleted: usize = expected(&bench).values().map(|change| change.deleted.len()).sum();
    assert_eq!(report.run.counts.iter().map(|count| count.deleted).sum::<i64>(), deleted as i64);
    let logged = "SELECT cause, count(*) FROM _deletions GROUP BY 1";
    assert_eq!(ask(&lake, logged).await.unwrap(), [["absent".to_owned(), deleted.to_string()]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_export_was_asked_for_is_removed() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    bench.change(&server);
    // A Group's data are not all data, and what changed is not all.
    export(&server, &lake, &group("half")).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM _deletions").await, "0");
    export(&server, &lake, &ExportOptions { types: vec!["Condition".into()], ..full() }).await.unwrap();
    let removed = ask(&lake, "SELECT DISTINCT resource_type FROM _deletions").await.unwrap();
    assert_eq!(removed, [["Condition"]]);
}

/// The ids of a type that are gone from the server, as far as they belong to some patients of the lake before.
async fn gone_of(lake: &str, bench: &Bench, patients: &str) -> i64 {
    let gone = expected(bench).remove("Condition").unwrap().deleted;
    let listed = gone.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT count(*) FROM Condition WHERE id IN ({listed}) AND {patients}");
    one(lake, &sql).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_removes_what_is_gone_of_its_patients_alone() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    let full = |id: &str| {
        let settings = Settings { max_removals: MaxRemovals::Share(1.0), ..Settings::default() };
        ExportOptions {
            since: Since::Full,
            types: vec!["Condition".into(), "Patient".into()],
            settings,
            ..group(id)
        }
    };
    for id in ["half", "rest"] {
        export(&server, &lake, &full(id)).await.unwrap();
    }
    let of_half = "subject.__reference_id IN (SELECT patient_id FROM _members WHERE group_id = 'half')";
    let (of_half, all) = (gone_of(&lake, &bench, of_half).await, gone_of(&lake, &bench, "true").await);
    assert!(0 < of_half && of_half < all, "{of_half} of {all}");
    bench.change(&server);
    export(&server, &lake, &full("half")).await.unwrap();
    let logged = "SELECT count(*) FROM _deletions WHERE resource_type = 'Condition' AND cause = 'absent'";
    assert_eq!(one(&lake, logged).await, of_half.to_string());
    export(&server, &lake, &full("rest")).await.unwrap();
    assert_eq!(one(&lake, logged).await, all.to_string());
    assert_eq!(gone_of(&lake, &bench, "true").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_removes_nothing_where_another_pipeline_has_brought_more() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    bench.change(&server);
    let half = ExportOptions { types: vec!["Condition".into(), "Patient".into()], ..group("half") };
    let report = export(&server, &lake, &half).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM _deletions").await, "0");
    assert!(report.warnings.iter().any(|warning| warning.contains("brought more")), "{:?}", report.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_all_patients_removes_what_is_gone_of_them() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    let settings = Settings { max_removals: MaxRemovals::Share(1.0), ..Settings::default() };
    let types = vec!["Condition".into(), "Patient".into()];
    let patients = ExportOptions { level: Level::Patient, since: Since::Full, types, settings, ..system() };
    export(&server, &lake, &patients).await.unwrap();
    assert!(gone_of(&lake, &bench, "true").await > 0);
    bench.change(&server);
    export(&server, &lake, &patients).await.unwrap();
    assert_eq!(gone_of(&lake, &bench, "true").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_would_empty_a_table_is_refused_until_it_is_allowed() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let all = patients(&bench, "all", &["a", "b", "c"], "2026-02-01T00:00:00Z");
    ingest(&lake, &[all]).await.unwrap();
    let fewer = patients(&bench, "fewer", &["a"], "2026-03-01T00:00:00Z");
    let refused = snapshot(&lake, fewer.clone(), MaxRemovals::default()).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("--max-removals 2")), "{refused}");
    assert_eq!(ids(&lake).await, "a b c");
    let report = snapshot(&lake, fewer, MaxRemovals::Rows(2)).await.unwrap();
    assert_eq!(report.run.counts.iter().map(|count| count.deleted).sum::<i64>(), 2);
    assert_eq!(ids(&lake).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_absent_comes_back_when_it_is_exported_again_and_not_from_an_old_export() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let old = patients(&bench, "old", &["a", "b"], "2026-02-01T00:00:00Z");
    ingest(&lake, std::slice::from_ref(&old)).await.unwrap();
    let fewer = patients(&bench, "fewer", &["a"], "2026-03-01T00:00:00Z");
    snapshot(&lake, fewer, MaxRemovals::Share(1.0)).await.unwrap();
    assert_eq!(ids(&lake).await, "a");
    // The same line in another file: it was exported before the snapshot was taken.
    let again = patients(&bench, "again", &["b"], "2026-02-01T00:00:00Z");
    ingest(&lake, &[again]).await.unwrap();
    assert_eq!(ids(&lake).await, "a");
    let granted = patients(&bench, "granted", &["b", "c"], "2026-04-01T00:00:00Z");
    ingest(&lake, &[granted]).await.unwrap();
    assert_eq!(ids(&lake).await, "a b c");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_could_not_be_read_removes_nothing() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[patients(&bench, "all", &["a", "b"], "2026-02-01T00:00:00Z")]).await.unwrap();
    let broken = patients(&bench, "broken", &["a", "b"], "2026-03-01T00:00:00Z");
    std::fs::write(broken.join("Patient.ndjson"), patient("a", "2026-01-01T00:00:00Z") + "\n{\"id\":\n")
        .unwrap();
    let report = snapshot(&lake, broken, MaxRemovals::Share(1.0)).await.unwrap();
    assert!(
        report.warnings.iter().any(|text| text.contains("not taken for deleted")),
        "{:?}",
        report.warnings
    );
    assert_eq!(ids(&lake).await, "a b");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_run_has_seen_later_stays() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[patients(&bench, "new", &["a", "b"], "2026-05-01T00:00:00Z")]).await.unwrap();
    let older = patients(&bench, "older", &["a"], "2026-03-01T00:00:00Z");
    snapshot(&lake, older, MaxRemovals::Share(1.0)).await.unwrap();
    assert_eq!(ids(&lake).await, "a b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_comes_in_parts_is_there() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[patients(&bench, "all", &["a"], "2026-02-01T00:00:00Z")]).await.unwrap();
    let parts = patients(&bench, "parts", &[], "2026-03-01T00:00:00Z");
    let subsetted = r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2026-01-02T00:00:00Z","tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}}"#;
    write_lines(&parts, "Patient.ndjson", &[subsetted]);
    snapshot(&lake, parts, MaxRemovals::default()).await.unwrap();
    assert_eq!(ids(&lake).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_could_not_export_is_not_taken_for_deleted() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    bench.change(&server);
    for fault in ["outcome-named", "read-403"] {
        server.add_fault(fault.parse::<fhir_bulk_server::Rule>().unwrap());
    }
    let report = export(&server, &lake, &ExportOptions { types: part().types, ..full() }).await.unwrap();
    assert!(
        report.warnings.iter().any(|text| text.contains("not taken for deleted")),
        "{:?}",
        report.warnings
    );
    assert_eq!(one(&lake, "SELECT count(*) FROM _deletions").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_exports_are_no_snapshot() {
    let bench = Bench::new();
    let paths = ["one", "two"].map(|name| patients(&bench, name, &[name], "2026-02-01T00:00:00Z")).to_vec();
    let options = IngestOptions { paths, snapshot: true, ..IngestOptions::default() };
    assert!(matches!(ingest_with(&bench.lake("lake"), options).await, Err(Error::Refused(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_older_than_what_was_seen_since_removes_nothing() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[patients(&bench, "first", &["a", "b"], "2026-02-01T00:00:00Z")]).await.unwrap();
    ingest(&lake, &[patients(&bench, "same", &["b", "a"], "2026-05-01T00:00:00Z")]).await.unwrap();
    let between = patients(&bench, "between", &["a"], "2026-03-01T00:00:00Z");
    snapshot(&lake, between, MaxRemovals::Share(1.0)).await.unwrap();
    assert_eq!(ids(&lake).await, "a b");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_loaded_before_a_removal_are_loaded_again() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let lines = |ids: &[&str]| ids.iter().map(|id| patient(id, "2026-01-01T00:00:00Z")).collect::<Vec<_>>();
    let write = |name: &str, lines: &[String]| {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        write_lines(&bench.path(name), "Patient.ndjson", &lines)
    };
    let (all, fewer) = (write("all", &lines(&["a", "b"])), write("fewer", &lines(&["a"])));
    ingest(&lake, std::slice::from_ref(&all)).await.unwrap();
    snapshot(&lake, fewer, MaxRemovals::Share(1.0)).await.unwrap();
    assert_eq!(ids(&lake).await, "a");
    ingest(&lake, &[all]).await.unwrap();
    assert_eq!(ids(&lake).await, "a b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_removes_nothing_while_another_groups_run_is_not_finished() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    let full = |id: &str| {
        let settings = Settings { max_removals: MaxRemovals::Share(1.0), ..Settings::default() };
        let types = vec!["Condition".into(), "Patient".into()];
        ExportOptions { since: Since::Full, types, settings, ..group(id) }
    };
    export(&server, &lake, &full("half")).await.unwrap();
    bench.change(&server);
    // The other Group's run is interrupted: who belongs to it is not recorded yet.
    server.set_faults(vec!["file-html".parse().unwrap()]);
    export(&server, &lake, &full("rest")).await.unwrap_err();
    server.set_faults(Vec::new());
    let report = export(&server, &lake, &full("half")).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM _deletions WHERE cause = 'absent'").await, "0");
    assert!(report.warnings.iter().any(|warning| warning.contains("not finished")), "{:?}", report.warnings);
    export(&server, &lake, &full("rest")).await.unwrap();
    export(&server, &lake, &full("half")).await.unwrap();
    assert_ne!(one(&lake, "SELECT count(*) FROM _deletions WHERE cause = 'absent'").await, "0");
}
