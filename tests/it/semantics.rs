//! What becomes of versions of a resource: the cases of `tests/data/semantics.toml`.

use std::path::Path;

use fhirlake::pipeline::{IngestOptions, MaxRemovals, Report, Settings};
use serde::Deserialize;

use crate::fixture::{Bench, ask, ingest_with, write_lines};

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    export: Vec<Export>,
    rows: Vec<String>,
    #[serde(default)]
    partial: Vec<String>,
    #[serde(default)]
    deletions: Vec<String>,
    counts: [i64; 4],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    at: String,
    #[serde(default)]
    files: Vec<Vec<String>>,
    #[serde(default)]
    deleted: Vec<String>,
    #[serde(default)]
    snapshot: bool,
}

/// `id lastUpdated family [tag]` as a resource.
fn patient(text: &str) -> String {
    let parts: Vec<&str> = text.split(' ').collect();
    let mut patient = serde_json::json!({ "resourceType": "Patient", "id": parts[0] });
    if parts[1] != "-" {
        patient["meta"]["lastUpdated"] = parts[1].into();
    }
    if let Some(tag) = parts.get(3) {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
        let place = if *tag == "REDACTED" { "security" } else { "tag" };
        patient["meta"][place] = serde_json::json!([{ "system": system, "code": tag }]);
    }
    if parts[2] != "-" {
        patient["name"] = serde_json::json!([{ "family": parts[2] }]);
    }
    patient.to_string()
}

/// `id deletedAt` as a Bundle.
fn deletion(text: &str) -> String {
    let (id, at) = text.split_once(' ').unwrap();
    let entry = serde_json::json!({ "request": { "method": "DELETE", "url": format!("Patient/{id}") } });
    serde_json::json!({
        "resourceType": "Bundle", "type": "transaction", "meta": { "lastUpdated": at }, "entry": [entry]
    })
    .to_string()
}

impl Export {
    fn write(&self, folder: &Path) {
        let lines = |name: &str, lines: Vec<String>| {
            write_lines(folder, name, &lines.iter().map(String::as_str).collect::<Vec<_>>());
            serde_json::json!({ "type": "Patient", "url": format!("https://ehr.example.org/{name}") })
        };
        let output: Vec<_> = self
            .files
            .iter()
            .enumerate()
            .map(|(n, file)| {
                lines(&format!("Patient.{n}.ndjson"), file.iter().map(|text| patient(text)).collect())
            })
            .collect();
        let deleted: Vec<_> = self
            .deleted
            .iter()
            .enumerate()
            .map(|(n, text)| lines(&format!("deleted/Bundle.{n}.ndjson"), vec![deletion(text)]))
            .collect();
        std::fs::create_dir_all(folder).unwrap();
        let manifest = serde_json::json!({
            "transactionTime": self.at, "request": "https://ehr.example.org/$export", "requiresAccessToken": false,
            "output": output, "deleted": deleted, "error": []
        });
        std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    }
}

async fn texts(lake: &str, sql: &str) -> Vec<String> {
    ask(lake, sql).await.unwrap().into_iter().map(|row| row.join(" ")).collect()
}

async fn check(bench: &Bench, number: usize, case: &Case) {
    let lake = bench.lake(&format!("lake-{number}"));
    let mut last: Option<Report> = None;
    for (n, export) in case.export.iter().enumerate() {
        let folder = bench.path(&format!("case-{number}/{n}"));
        export.write(&folder);
        let settings = Settings { max_removals: MaxRemovals::Share(1.0), ..Settings::default() };
        let options = IngestOptions {
            paths: vec![folder],
            snapshot: export.snapshot,
            settings,
            ..IngestOptions::default()
        };
        last = Some(ingest_with(&lake, options).await.unwrap());
    }
    let name = &case.name;
    let patients =
        |table: &str| format!("SELECT id, coalesce(name[1]['family'], '-') FROM {table} ORDER BY id");
    assert_eq!(texts(&lake, &patients("Patient")).await, case.rows, "{name}");
    if bench.path(&format!("lake-{number}/tables/_partial/Patient")).exists() {
        assert_eq!(texts(&lake, &patients("\"_partial/Patient\"")).await, case.partial, "{name}");
    } else {
        assert!(case.partial.is_empty(), "{name}");
    }
    let deletions = texts(&lake, "SELECT DISTINCT id, cause FROM _deletions ORDER BY 1, 2").await;
    assert_eq!(deletions, case.deletions, "{name}");
    let counts = last.unwrap().run.counts;
    let sum = |of: fn(&fhirlake::lake::exports::TypeCounts) -> i64| counts.iter().map(of).sum::<i64>();
    let counts = [sum(|c| c.inserted), sum(|c| c.updated), sum(|c| c.deleted), sum(|c| c.unchanged)];
    assert_eq!(counts, case.counts, "{name}: inserted, updated, deleted, unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_case_of_the_table_has_its_rows() {
    let bench = Bench::new();
    let cases: Cases = toml::from_str(include_str!("../data/semantics.toml")).unwrap();
    for (number, case) in cases.case.iter().enumerate() {
        check(&bench, number, case).await;
    }
}
