//! Resources that are not valid: what becomes of them, and what is known of them afterwards.

use fhir_arrow::{Allowances, ValidationLevel};
use fhirlake::Error;
use fhirlake::lake::stage::{Judging, OnInvalid};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, IngestOptions, ReplayOptions, Report, Settings};

use crate::fixture::{Bench, ask, ingest_with, one, write_lines};

const LINES: [&str; 4] = [
    r#"{"resourceType":"Patient","id":"valid","birthDate":"1980-01-01"}"#,
    r#"{"resourceType":"Patient","id":"date","birthDate":"1980-02-30","nickname":"x"}"#,
    r#"{"resourceType":"Patient","id":"unknown","nickname":"x"}"#,
    r#"{"resourceType":"Patient","id":"code","gender":"mail"}"#,
];

fn judged(level: ValidationLevel, on_invalid: OnInvalid) -> Judging {
    Judging { level, on_invalid, ..Judging::default() }
}

async fn load(bench: &Bench, judging: Judging) -> fhirlake::Result<Report> {
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &LINES);
    let settings = Settings { judging, ..Settings::default() };
    ingest_with(
        &bench.lake("lake"),
        IngestOptions { paths: vec![folder], settings, ..IngestOptions::default() },
    )
    .await
}

async fn ids(bench: &Bench, table: &str) -> String {
    one(&bench.lake("lake"), &format!("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM {table}"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_refuses_what_it_looks_at() {
    for (level, refused) in [
        (ValidationLevel::None, ""),
        (ValidationLevel::Structure, "date"),
        (ValidationLevel::Full, "code date"),
    ] {
        let bench = Bench::new();
        let report = load(&bench, judged(level, OnInvalid::Quarantine)).await.unwrap();
        assert_eq!(ids(&bench, "_quarantine").await, refused, "{level:?}");
        assert_eq!(report.is_clean(), refused.is_empty());
        let counts = &report.run.counts[0];
        assert_eq!(counts.inserted + counts.quarantined, 4, "{level:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_line_has_its_reason_and_findings_are_counted_by_path() {
    let bench = Bench::new();
    load(&bench, Judging::default()).await.unwrap();
    let lake = bench.lake("lake");
    let sql = "SELECT id, line_number, element_path, issue_code FROM _quarantine";
    assert_eq!(ask(&lake, sql).await.unwrap(), [["date", "2", "Patient.birthDate", "value"]]);
    let sql = "SELECT kind, severity, element_path, finding_count, line_number, byte_offset FROM _findings ORDER BY 1";
    assert_eq!(
        ask(&lake, sql).await.unwrap(),
        [
            ["primitive-format", "error", "Patient.birthDate", "1", "2", "50"],
            ["unknown-element", "warning", "Patient.nickname", "2", "2", "63"],
        ]
    );
    assert_eq!(one(&lake, "SELECT __rest FROM Patient WHERE id = 'unknown'").await, r#"{"nickname":"x"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_are_not_valid_can_become_rows_all_the_same() {
    let bench = Bench::new();
    let report = load(&bench, judged(ValidationLevel::Full, OnInvalid::Warn)).await.unwrap();
    assert!(report.is_clean());
    assert_eq!(ids(&bench, "Patient").await, "code date unknown valid");
    assert!(report.warnings.iter().any(|text| text.contains("_findings")), "{:?}", report.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_refused_for_one_that_is_not_valid_and_goes_on_when_it_may() {
    let bench = Bench::new();
    let refused = load(&bench, judged(ValidationLevel::Full, OnInvalid::Fail)).await.unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, Error::Refused(_)) && text.starts_with("2 resources are not valid"), "{text}");
    assert!(text.contains("line 2") && text.contains("Patient.birthDate"), "{text}");
    load(&bench, judged(ValidationLevel::Structure, OnInvalid::Quarantine)).await.unwrap();
    assert_eq!(ids(&bench, "Patient").await, "code unknown valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_line_becomes_a_row_by_an_allowance_or_another_level() {
    for judging in [
        judged(ValidationLevel::None, OnInvalid::Quarantine),
        Judging {
            allowances: Allowances::from_iter([("primitive-format", "Patient.birthDate")]),
            ..Judging::default()
        },
    ] {
        let bench = Bench::new();
        load(&bench, Judging::default()).await.unwrap();
        let settings = Settings { judging, ..Settings::default() };
        let options = ReplayOptions { runs: Vec::new(), types: Vec::new(), settings };
        let report = pipeline::replay(&bench.lake("lake"), &options, &Unwatched).await.unwrap();
        assert_eq!((report.is_clean(), report.run.counts[0].inserted), (true, 1));
        assert_eq!(ids(&bench, "_quarantine").await, "");
        assert_eq!(ids(&bench, "Patient").await, "code date unknown valid");
    }
}
