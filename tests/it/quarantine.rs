//! Lines that cannot become rows: kept with their bytes, place and reason, and the run goes on.

use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, IngestOptions, ReplayOptions, Settings};

use crate::fixture::{Bench, ask, ingest, ingest_with, one, write_lines};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_quarantined_with_its_bytes_place_and_reason() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let good = r#"{"resourceType":"Patient","id":"good"}"#;
    let bad = [
        r#"{"resourceType":"Patient","id":"a b"}"#,
        r#"{"resourceType":"Patient","id":"cut"#,
        r#"{"id":"typeless"}"#,
    ];
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[good, bad[0], "", bad[1], bad[2]]);
    let report = ingest(&lake, &[folder]).await.unwrap();

    assert!(!report.is_clean());
    let counts = &report.run.counts[0];
    assert_eq!((counts.file_count, counts.inserted, counts.quarantined, counts.unchanged), (4, 1, 3, 0));
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "1");
    let sql = "SELECT line_number, byte_offset, byte_length, issue_code, encode(content, 'hex') FROM _quarantine ORDER BY line_number";
    let rows = ask(&lake, sql).await.unwrap();
    let offset = good.len() + 1;
    let after = offset + bad[0].len() + 2;
    let hex = |line: &str| line.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected = [
        (2, offset, bad[0], "value"),
        (4, after, bad[1], "structure"),
        (5, after + bad[1].len() + 1, bad[2], "required"),
    ];
    let expected: Vec<Vec<String>> = expected
        .iter()
        .map(|(line, offset, text, code)| {
            vec![line.to_string(), offset.to_string(), text.len().to_string(), (*code).to_owned(), hex(text)]
        })
        .collect();
    assert_eq!(rows, expected);
    // The reasons say what is wrong, never the values.
    let reasons = ask(&lake, "SELECT reason FROM _quarantine").await.unwrap();
    assert!(
        reasons.iter().flatten().all(|reason| !reason.is_empty() && !reason.contains("a b")),
        "{reasons:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_bundle_of_deletions_is_quarantined_and_its_good_entries_hold() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let patient = r#"{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;
    let bundle = r#"{"resourceType":"Bundle","meta":{"lastUpdated":"2026-02-01T00:00:00Z"},"entry":[{"request":{"method":"DELETE","url":"Patient/p"}},{"request":{"method":"DELETE","url":"Patient?name=x"}}]}"#;
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[patient]);
    write_lines(&folder, "deleted/Bundle.ndjson", &[bundle, "nonsense"]);
    let report = ingest(&lake, &[folder]).await.unwrap();
    assert!(!report.is_clean());
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "0");
    assert_eq!(one(&lake, "SELECT count(*) FROM _quarantine").await, "2");
    assert!(report.warnings.iter().any(|text| text.starts_with("2 lines of the section `deleted`")));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lines_of_any_length_are_quarantined() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let long = |megabytes: usize| {
        format!(r#"{{"resourceType":"Binary","id":"_","data":"{}"}}"#, "A".repeat(megabytes << 20))
    };
    let lines: Vec<String> = (0..6).map(|_| long(9)).chain([long(70)]).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let folder = write_lines(&bench.path("in"), "Binary.ndjson", &lines);
    let report = ingest(&lake, &[folder]).await.unwrap();
    assert_eq!(report.run.counts[0].quarantined, 7);
    let kept = "SELECT count(*), count(content), min(length(encode(content, 'hex'))) = 2 * min(byte_length) FROM _quarantine";
    assert_eq!(
        ask(&lake, kept).await.unwrap(),
        [["7", "6", "true"]],
        "the longest lies in its raw file alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_one_readable_line_holds_the_watermark() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &["{\"error\":", "\"proxy\"}"]);
    let manifest = r#"{"transactionTime":"2026-05-01T00:00:00Z","request":"https://ehr.example.org/fhir/$export","requiresAccessToken":false,"output":[],"error":[]}"#;
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
    let report = ingest(&lake, &[folder]).await.unwrap();
    assert!(report.run.watermarks.is_empty());
    assert!(
        report.warnings.iter().any(|text| text.contains("not one of its lines")),
        "{:?}",
        report.warnings
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_leaves_the_quarantine_when_its_time_is_over_and_its_raw_file_stays() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let bad = write_lines(&bench.path("bad"), "Patient.ndjson", &["{}", "nonsense"]);
    let first = ingest(&lake, &[bad]).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM _quarantine").await, "2");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let worse = write_lines(&bench.path("worse"), "Patient.ndjson", &["[]x"]);
    let settings =
        Settings { quarantine_retention: Some(std::time::Duration::from_secs(1)), ..Settings::default() };
    // The file's first byte is no brace, so that it is asked for by its folder.
    ingest_with(&lake, IngestOptions { paths: vec![worse], settings, ..IngestOptions::default() })
        .await
        .unwrap();
    assert_eq!(
        ask(&lake, "SELECT line_number, encode(content, 'hex') FROM _quarantine").await.unwrap(),
        [["1", "5b5d78"]]
    );
    assert!(bench.path("lake/raw").join(&first.run.export_id).join("Patient.0.ndjson.zst").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_replayed_and_refused_again_is_in_quarantine_once() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let good = r#"{"resourceType":"Patient","id":"p"}"#;
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[good, "{}", "nonsense"]);
    ingest(&lake, &[folder]).await.unwrap();
    let before = ask(&lake, "SELECT * FROM _quarantine ORDER BY line_number").await.unwrap();
    let options = ReplayOptions { runs: Vec::new(), types: Vec::new(), settings: Settings::default() };
    let report = pipeline::replay(&lake, &options, &Unwatched).await.unwrap().remove(0);
    assert!(!report.is_clean());
    let counts = &report.run.counts[0];
    assert_eq!((counts.file_count, counts.inserted, counts.quarantined), (2, 0, 2));
    assert_eq!(ask(&lake, "SELECT * FROM _quarantine ORDER BY line_number").await.unwrap(), before);
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "1");
    let nothing = ReplayOptions { types: vec!["Claim".to_owned()], ..options };
    assert!(matches!(pipeline::replay(&lake, &nothing, &Unwatched).await, Err(fhirlake::Error::Refused(_))));
}
