//! Views over resources: the SQL on FHIR test suite, and what it does not ask.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod suite;

use std::path::Path;

#[tokio::test]
async fn the_suite_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sof");
    let outcomes = suite::run_folder(&folder).await.unwrap();
    let failed: Vec<_> = outcomes.iter().filter_map(suite::Outcome::told).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(outcomes.len() > 80, "{} tests are few", outcomes.len());
    assert!(suite::report(&outcomes).contains("\"basic.json\""));
}

/// `cargo xtask sof-report` runs this: the tests of a folder, and the report that the suite's site shows.
#[tokio::test]
#[ignore = "it is no test of its own, but the report of one: cargo xtask sof-report"]
async fn sof_report() {
    let folder = std::env::var("SOF_TESTS").expect("SOF_TESTS names the folder of the tests");
    let report = std::env::var("SOF_REPORT").expect("SOF_REPORT names the file of the report");
    let outcomes = suite::run_folder(Path::new(&folder)).await.unwrap();
    std::fs::write(&report, suite::report(&outcomes)).unwrap();
    let failed: Vec<_> = outcomes.iter().filter_map(suite::Outcome::told).collect();
    println!("{} of {} tests pass; the report is {report}", outcomes.len() - failed.len(), outcomes.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
