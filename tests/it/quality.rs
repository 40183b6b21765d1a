//! The quality queries over data that violate each of them.

use std::path::{Path, PathBuf};

use fhir_definitions::FhirVersion;
use fhirlake::lake::Lake;
use fhirlake::lake::stage::Judging;
use fhirlake::pipeline::{IngestOptions, Settings};
use fhirlake::query::quality::{Filled, Outcome, run};
use fhirlake::query::{Pin, Session};
use fhirlake::views::quality::{Kind, get, of};

use crate::fixture::{Bench, ask, empty_lake, ingest, ingest_with};

/// The files of a folder of this repository.
fn files_of(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A lake of a FHIR version with what these files have, valid or not.
async fn lake_of(bench: &Bench, version: FhirVersion, paths: Vec<PathBuf>) -> String {
    let lake = bench.lake(version.label());
    empty_lake(&lake, version).await;
    let settings = Settings { judging: Judging::nothing(), ..Settings::default() };
    let options = IngestOptions { paths, settings, ..IngestOptions::default() };
    assert!(ingest_with(&lake, options).await.unwrap().is_clean());
    lake
}

/// A lake of the data that violate each check: what is the same in all FHIR versions, and what is not.
async fn violated(bench: &Bench, version: FhirVersion) -> String {
    let own = match version {
        FhirVersion::R5 => "tests/quality/data-r5",
        _ => "tests/quality/data-r4",
    };
    lake_of(bench, version, [files_of("tests/quality/data"), files_of(own)].concat()).await
}

async fn session(lake: &str) -> Session {
    Session::open(&Lake::open(lake).await.unwrap(), Pin::LastRun).await.unwrap()
}

/// What all checks find, as `tests/quality/expected-….txt` says it.
async fn findings(version: FhirVersion) -> Vec<String> {
    let bench = Bench::new();
    let session = session(&violated(&bench, version).await).await;
    let mut lines = Vec::new();
    for query in of(version) {
        let Outcome::Check { name, found, examples, .. } = run(&session, query, 1000).await.unwrap() else {
            continue;
        };
        assert_eq!(found, examples.len() as u64, "{name} finds something twice");
        lines.extend(examples.iter().map(|finding| {
            format!("{name} {}/{} {} {}", finding.resource_type, finding.id, finding.element, finding.problem)
        }));
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_is_found_and_nothing_else() {
    let expected: Vec<&str> = include_str!("../quality/expected-r4.txt").lines().skip(1).collect();
    for version in [FhirVersion::R4, FhirVersion::R4B] {
        assert_eq!(findings(version).await, expected, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_is_found_in_fhir_r5_and_nothing_else() {
    let expected: Vec<&str> = include_str!("../quality/expected-r5.txt").lines().skip(1).collect();
    assert_eq!(findings(FhirVersion::R5).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_findings_the_first_are_shown_and_all_are_counted() {
    let bench = Bench::new();
    let session = session(&violated(&bench, FhirVersion::R4).await).await;
    let query = get("implausible_dates", FhirVersion::R4).unwrap();
    let Outcome::Check { found, examples, .. } = run(&session, query, 2).await.unwrap() else {
        panic!("not a check")
    };
    assert_eq!(found, 9);
    let shown: Vec<&str> = examples.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(shown, ["c-backwards", "c-before-1900"]);
}

/// What the measure says of an element: how many resources there are, how many have it, the share.
async fn completeness(version: FhirVersion) -> impl Fn(&str, &str) -> Option<(u64, u64, f64)> {
    let bench = Bench::new();
    let session = session(&violated(&bench, version).await).await;
    let query = get("completeness", version).unwrap();
    let Outcome::Measure { elements, .. } = run(&session, query, 0).await.unwrap() else {
        panic!("not a measure")
    };
    move |resource_type, element| {
        let is_it = |filled: &&Filled| filled.resource_type == resource_type && filled.element == element;
        elements.iter().find(is_it).map(|filled| (filled.rows, filled.filled, filled.share))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completeness_has_the_share_of_each_element() {
    let of = completeness(FhirVersion::R4).await;
    assert_eq!(of("Patient", "gender"), Some((9, 1, 0.1111)));
    assert_eq!(of("Patient", "deceased[x]"), Some((9, 2, 0.2222)));
    assert_eq!(of("Condition", "onset[x]"), Some((13, 13, 1.0)));
    assert_eq!(of("Encounter", "class"), Some((7, 6, 0.8571)));
    assert_eq!(of("Observation", "value[x]"), Some((17, 10, 0.5882)));
    assert_eq!(of("Procedure", "code"), None, "there are no Procedures");
}

#[tokio::test(flavor = "multi_thread")]
async fn completeness_has_the_share_of_each_element_of_fhir_r5() {
    let of = completeness(FhirVersion::R5).await;
    assert_eq!(of("Patient", "gender"), Some((9, 1, 0.1111)));
    assert_eq!(of("Encounter", "class"), Some((9, 8, 0.8889)));
    assert_eq!(of("Encounter", "actualPeriod.start"), Some((9, 7, 0.7778)));
    assert_eq!(of("Encounter", "reason"), Some((9, 1, 0.1111)));
    assert_eq!(of("Procedure", "occurrence[x]"), Some((4, 3, 0.75)));
    assert_eq!(of("MedicationRequest", "medication"), Some((5, 4, 0.8)));
    assert_eq!(of("Organization", "contact.address"), Some((2, 1, 0.5)));
    assert_eq!(of("Observation", "value[x]"), Some((23, 16, 0.6957)));
    assert_eq!(of("Encounter", "period.start"), None, "R5 does not have it");
}

/// Asks every query that there is for a version.
async fn every_query_answers(lake: &str, version: FhirVersion) {
    let session = session(lake).await;
    for query in of(version) {
        let frame = session.plan(&query.sql).await.unwrap_or_else(|e| panic!("{}: {e}", query.name));
        let columns: Vec<&str> = frame.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let expected: &[&str] = match query.kind {
            Kind::Check => &["resource_type", "id", "element", "problem"],
            Kind::Measure => &["resource_type", "element", "rows", "filled", "share"],
        };
        assert_eq!(columns, expected, "{} in {version}", query.name);
        run(&session, query, 1).await.unwrap_or_else(|e| panic!("{}: {e}", query.name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_answers_over_an_empty_lake_of_every_fhir_version() {
    let bench = Bench::new();
    for version in FhirVersion::ALL {
        let lake = bench.lake(version.label());
        empty_lake(&lake, *version).await;
        every_query_answers(&lake, *version).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_answers_over_what_synthea_never_writes() {
    let bench = Bench::new();
    for (version, data) in [(FhirVersion::R4, "tests/data/edge"), (FhirVersion::R5, "tests/data/edge-r5")] {
        let lake = lake_of(&bench, version, files_of(data)).await;
        every_query_answers(&lake, version).await;
    }
}

/// SHA-256 has no known collisions: the query is asked with a number that looks at the type alone.
#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_the_same_number_are_found() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson"), bench.path("small-v1/Condition.ndjson")])
        .await
        .unwrap();
    let sql = &get("omop_id_collisions", FhirVersion::R4).unwrap().sql;
    assert_eq!(ask(&lake, sql).await.unwrap(), Vec::<Vec<String>>::new());
    let weak = sql.replace("omop_id(statement_id)", "omop_id(substr(statement_id, 1, 11))");
    assert!(weak.contains("substr"));
    let found = ask(&lake, &weak).await.unwrap();
    // Two of 274 ids share their first character.
    assert!(found.len() > 200, "{}", found.len());
    assert!(found.iter().all(|row| row[0] == "Condition" && row[2] == "event"));
}
