//! The quality queries over data that violate each of them.

use std::path::Path;

use fhirlake::lake::Lake;
use fhirlake::lake::stage::Judging;
use fhirlake::pipeline::{IngestOptions, Settings};
use fhirlake::query::quality::{Outcome, run};
use fhirlake::query::{Pin, Session};
use fhirlake::views::quality::{all, get};

use crate::fixture::{Bench, ask, ingest, ingest_with};

/// A lake of `tests/quality/data`.
async fn violated(bench: &Bench) -> String {
    let lake = bench.lake("lake");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quality/data");
    let settings = Settings { judging: Judging::nothing(), ..Settings::default() };
    let options = IngestOptions { paths: vec![data], settings, ..IngestOptions::default() };
    assert!(ingest_with(&lake, options).await.unwrap().is_clean());
    lake
}

async fn session(lake: &str) -> Session {
    Session::open(&Lake::open(lake).await.unwrap(), Pin::LastRun).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_is_found_and_nothing_else() {
    let bench = Bench::new();
    let session = session(&violated(&bench).await).await;
    let mut lines = Vec::new();
    for query in all() {
        let Outcome::Check { name, found, examples, .. } = run(&session, query, 1000).await.unwrap() else {
            continue;
        };
        assert_eq!(found, examples.len() as u64, "{name} finds something twice");
        lines.extend(examples.iter().map(|finding| {
            format!("{name} {}/{} {} {}", finding.resource_type, finding.id, finding.element, finding.problem)
        }));
    }
    let expected: Vec<&str> = include_str!("../quality/expected.txt").lines().skip(1).collect();
    assert_eq!(lines, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_findings_the_first_are_shown_and_all_are_counted() {
    let bench = Bench::new();
    let session = session(&violated(&bench).await).await;
    let outcome = run(&session, get("implausible_dates").unwrap(), 2).await.unwrap();
    let Outcome::Check { found, examples, .. } = outcome else { panic!("not a check") };
    assert_eq!(found, 9);
    let shown: Vec<&str> = examples.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(shown, ["c-backwards", "c-before-1900"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn completeness_has_the_share_of_each_element() {
    let bench = Bench::new();
    let session = session(&violated(&bench).await).await;
    let outcome = run(&session, get("completeness").unwrap(), 0).await.unwrap();
    let Outcome::Measure { elements, .. } = outcome else { panic!("not a measure") };
    let of = |resource_type: &str, element: &str| {
        let found = elements.iter().find(|e| e.resource_type == resource_type && e.element == element);
        found.map(|e| (e.rows, e.filled, e.share))
    };
    assert_eq!(of("Patient", "gender"), Some((9, 1, 0.1111)));
    assert_eq!(of("Patient", "deceased[x]"), Some((9, 2, 0.2222)));
    assert_eq!(of("Encounter", "class"), Some((7, 6, 0.8571)));
    assert_eq!(of("Condition", "onset[x]"), Some((13, 13, 1.0)));
    assert_eq!(of("Observation", "value[x]"), Some((15, 8, 0.5333)));
    assert_eq!(of("Procedure", "code"), None, "there are no Procedures");
}

/// SHA-256 has no known collisions: the query is asked with a number that looks at the type alone.
#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_the_same_number_are_found() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson"), bench.path("small-v1/Condition.ndjson")])
        .await
        .unwrap();
    let sql = &get("omop_id_collisions").unwrap().sql;
    assert_eq!(ask(&lake, sql).await.unwrap(), Vec::<Vec<String>>::new());
    let weak = sql.replace("omop_id(statement_id)", "omop_id(substr(statement_id, 1, 11))");
    assert!(weak.contains("substr"));
    let found = ask(&lake, &weak).await.unwrap();
    // Two of 274 ids share their first character.
    assert!(found.len() > 200, "{}", found.len());
    assert!(found.iter().all(|row| row[0] == "Condition" && row[2] == "event"));
}
