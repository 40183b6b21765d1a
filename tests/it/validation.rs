//! Resources that are not valid: what becomes of them, and what is known of them afterwards.

use fhir_arrow::ValidationLevel;
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
    assert!(matches!(refused, Error::Invalid(_)) && text.starts_with("2 resources are not valid"), "{text}");
    assert!(text.contains("line 2") && text.contains("Patient.birthDate"), "{text}");
    load(&bench, judged(ValidationLevel::Structure, OnInvalid::Quarantine)).await.unwrap();
    assert_eq!(ids(&bench, "Patient").await, "code unknown valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_line_becomes_a_row_by_an_allowance_or_another_level() {
    for judging in [
        judged(ValidationLevel::None, OnInvalid::Quarantine),
        Judging {
            allow: vec![("primitive-format".into(), "Patient.birthDate".into())],
            ..Judging::default()
        },
    ] {
        let bench = Bench::new();
        load(&bench, Judging::default()).await.unwrap();
        let settings = Settings { judging, ..Settings::default() };
        let options = ReplayOptions { runs: Vec::new(), types: Vec::new(), settings };
        let report = pipeline::replay(&bench.lake("lake"), &options, &Unwatched).await.unwrap().remove(0);
        assert_eq!((report.is_clean(), report.run.counts[0].inserted), (true, 1));
        assert_eq!(ids(&bench, "_quarantine").await, "");
        assert_eq!(ids(&bench, "Patient").await, "code date unknown valid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_continued_judges_as_it_began() {
    let bench = Bench::new();
    let blocked = bench.path("lake/tables/_findings");
    std::fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    std::fs::write(&blocked, "").unwrap();
    load(&bench, Judging::default()).await.unwrap_err();
    std::fs::remove_file(&blocked).unwrap();
    // It is finished first, as it was begun; then the file, of which a line was refused, is read as it is asked for now.
    load(&bench, Judging::nothing()).await.unwrap();
    assert_eq!(ids(&bench, "_quarantine").await, "date");
    assert_eq!(ids(&bench, "Patient").await, "code date unknown valid");
    let counts = "SELECT seq, counts[1]['inserted'], counts[1]['quarantined'] FROM _exports ORDER BY seq";
    assert_eq!(ask(&bench.lake("lake"), counts).await.unwrap(), [["1", "3", "1"], ["2", "1", "0"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_refused_and_mended_is_loaded() {
    let bench = Bench::new();
    let strict = judged(ValidationLevel::Structure, OnInvalid::Fail);
    load(&bench, strict.clone()).await.unwrap_err();
    let folder = write_lines(&bench.path("mended"), "Patient.ndjson", &[LINES[0]]);
    let settings = Settings { judging: strict, ..Settings::default() };
    let options = IngestOptions { paths: vec![folder], settings, ..IngestOptions::default() };
    ingest_with(&bench.lake("lake"), options).await.unwrap();
    assert_eq!(ids(&bench, "Patient").await, "valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_valid_does_not_hold_the_watermark() {
    let bench = Bench::new();
    let folder = bench.path("in");
    std::fs::create_dir_all(&folder).unwrap();
    // The last line has no end, as from many servers.
    std::fs::write(folder.join("Patient.ndjson"), LINES[1]).unwrap();
    let manifest = r#"{"transactionTime":"2026-05-01T00:00:00Z","request":"https://h/$export","requiresAccessToken":false,"output":[],"error":[]}"#;
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
    let options = IngestOptions { paths: vec![folder], ..IngestOptions::default() };
    let report = ingest_with(&bench.lake("lake"), options).await.unwrap();
    assert_eq!(report.run.watermarks.len(), 1, "{:?}", report.warnings);
    assert_eq!(ids(&bench, "_quarantine").await, "date");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_interrupted_finishes_what_it_began() {
    let bench = Bench::new();
    load(&bench, judged(ValidationLevel::Full, OnInvalid::Quarantine)).await.unwrap();
    let lake = bench.lake("lake");
    let replay = async |level| {
        let settings = Settings { judging: judged(level, OnInvalid::Quarantine), ..Settings::default() };
        let options = ReplayOptions { runs: Vec::new(), types: Vec::new(), settings };
        pipeline::replay(&lake, &options, &Unwatched).await
    };
    let version = bench.path(&format!("lake/tables/_quarantine/_delta_log/{:020}.json", 2));
    std::fs::create_dir_all(&version).unwrap();
    replay(ValidationLevel::Structure).await.unwrap_err();
    std::fs::remove_dir_all(&version).unwrap();
    // With another level now: what was begun is finished as it was begun, and then what is asked for.
    let reports = replay(ValidationLevel::None).await.unwrap();
    assert_eq!((reports.len(), reports[0].resumed), (2, true));
    assert_eq!(ids(&bench, "_quarantine").await, "");
    assert_eq!(ids(&bench, "Patient").await, "code date unknown valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_whose_time_in_quarantine_is_over_is_no_row_after_a_rebuild() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    load(&bench, Judging::default()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let more = write_lines(&bench.path("more"), "Device.ndjson", &[r#"{"resourceType":"Device","id":"d"}"#]);
    let settings =
        Settings { quarantine_retention: Some(std::time::Duration::from_secs(1)), ..Settings::default() };
    let options = IngestOptions { paths: vec![more], settings, ..IngestOptions::default() };
    ingest_with(&lake, options).await.unwrap();
    assert_eq!(ids(&bench, "_quarantine").await, "");
    let options = pipeline::RebuildOptions {
        types: Vec::new(),
        tables: Default::default(),
        settings: Settings::default(),
    };
    pipeline::rebuild(&lake, &options, &Unwatched).await.unwrap();
    assert_eq!(ids(&bench, "Patient").await, "code unknown valid");
}
