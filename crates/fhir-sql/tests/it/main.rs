//! Views over resources: the SQL on FHIR test suite, and what it does not ask.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod answers;
mod columns;
mod limits;
mod refused;
mod suite;
mod versions;

use std::path::Path;

use suite::{Outcome, Storage, report, run_folder};

async fn failures(storage: Storage) -> (Vec<String>, Vec<Outcome>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sof");
    let outcomes = run_folder(&folder, storage).await.unwrap();
    (outcomes.iter().filter_map(Outcome::told).collect(), outcomes)
}

#[tokio::test]
async fn the_suite_passes() {
    let (failed, outcomes) = failures(Storage::Columns).await;
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(outcomes.len() > 70, "{} tests are few", outcomes.len());
    assert!(report(&outcomes).contains("\"basic.json\""));
}

#[tokio::test]
async fn the_suite_passes_where_no_element_has_a_column() {
    let (failed, _) = failures(Storage::Rest).await;
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// `cargo xtask sof-report` runs this: the tests of a folder, and the report that the suite's site shows.
#[tokio::test]
#[ignore = "it is no test of its own, but the report of one: cargo xtask sof-report"]
async fn sof_report() {
    let folder = std::env::var("SOF_TESTS").expect("SOF_TESTS names the folder of the tests");
    let to = std::env::var("SOF_REPORT").expect("SOF_REPORT names the file of the report");
    let outcomes = run_folder(Path::new(&folder), Storage::Columns).await.unwrap();
    std::fs::write(&to, report(&outcomes)).unwrap();
    let failed: Vec<_> = outcomes.iter().filter_map(Outcome::told).collect();
    println!("{} of {} tests pass; the report is {to}", outcomes.len() - failed.len(), outcomes.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
