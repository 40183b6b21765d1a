//! `fhirlake views export`. What the scripts give is compared with other engines in `tests/readers` and `tests/real/spark`.

use std::path::Path;
use std::process::Command;

use crate::fixture::{Bench, ingest, write_lines};

/// Runs the command; its exit code, what it prints, and what it says on stderr.
fn export(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fhirlake"));
    let ended =
        command.args(["views", "export"]).args(arguments).env_remove("FHIRLAKE_LAKE").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

fn printed(arguments: &[&str]) -> String {
    let (code, script, error) = export(arguments);
    assert_eq!(code, Some(0), "{error}");
    script
}

#[test]
fn a_view_is_written_for_each_engine() {
    for dialect in ["duckdb", "spark", "databricks"] {
        for view in ["conditions", "claim_items", "encounter_stays", "cohort_members"] {
            let script =
                printed(&["--dialect", dialect, "--fhir-version", "R4", "--tables-schema", "raw", view]);
            insta::assert_snapshot!(format!("views_export_{dialect}_{view}"), script);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_read_where_the_lake_has_them_and_are_empty_where_it_has_none() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let patients = Path::new(&lake).canonicalize().unwrap().join("tables/Patient");
    let script = printed(&["--dialect", "duckdb", "--lake", &lake, "patients", "medications"]);
    let stored =
        format!("CREATE OR REPLACE VIEW Patient AS\nSELECT * FROM delta_scan('{}');", patients.display());
    assert!(script.contains(&stored), "{script}");
    assert!(
        script.contains("-- The lake has no data for it.\nCREATE OR REPLACE VIEW Medication AS\nSELECT\n")
    );
    assert!(script.contains("AS code,\n") && script.contains("WHERE false;\n"), "{script}");

    let elsewhere = ["--dialect", "spark", "--lake", &lake, "--location", "s3://clinic/lake/", "patients"];
    assert!(printed(&elsewhere).contains("SELECT * FROM delta.`s3://clinic/lake/tables/Patient`;"));
}

#[test]
fn schemas_have_the_names_that_are_asked_for() {
    let here = [
        "--dialect",
        "databricks",
        "--fhir-version",
        "R4",
        "--tables-schema",
        "main.raw",
        "--schema",
        "main.clinic",
    ];
    let script = printed(&[&here[..], &["--omop-schema", "main.omop", "labs", "omop.death"]].concat());
    for part in [
        "CREATE SCHEMA IF NOT EXISTS main.clinic;",
        "CREATE SCHEMA IF NOT EXISTS main.omop;",
        "CREATE OR REPLACE VIEW main.clinic.labs AS",
        "  main.clinic.observations\n",
        "main.raw.Observation",
        "CREATE OR REPLACE VIEW main.omop.death AS",
    ] {
        assert!(script.contains(part), "{part}: {script}");
    }
}

#[test]
fn a_folder_gets_a_file_for_each_statement_in_their_order() {
    let bench = Bench::new();
    let folder = format!("{}/", bench.lake("views"));
    printed(&["--dialect", "spark", "--fhir-version", "R4", "-o", &folder, "latest_values"]);
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["001-observations.sql", "002-latest_values.sql"]);
    let view = std::fs::read_to_string(format!("{folder}/{}", files[1])).unwrap();
    assert!(
        view.starts_with("-- ") && view.ends_with(";\n") && view.matches("CREATE").count() == 1,
        "{view}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_one_type_has_all_views_with_all_columns() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let condition = r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p1"}}"#;
    let path = write_lines(&bench.path("one"), "Condition.ndjson", &[condition]);
    ingest(&lake, &[path]).await.unwrap();
    for dialect in ["duckdb", "spark"] {
        let script = printed(&["--dialect", dialect, "--lake", &lake]);
        assert!(script.contains("CREATE OR REPLACE VIEW Patient AS"), "{script}");
    }
}

#[test]
fn what_cannot_be_exported_is_refused() {
    for (arguments, said) in [
        (&["--dialect", "duckdb", "labs"][..], "--lake"),
        (&["--dialect", "oracle", "--fhir-version", "R4"], "oracle"),
        (&["--dialect", "spark", "--fhir-version", "R4", "lab"], "there is no view lab"),
        (&["--dialect", "spark", "--fhir-version", "R5", "omop.person"], "not for FHIR R5"),
        (&["--dialect", "spark", "--fhir-version", "R4", "--schema", "a.b.c"], "CATALOG.SCHEMA"),
        (&["--dialect", "spark", "--fhir-version", "R4", "--location", "s3://x"], "--lake"),
    ] {
        let (code, _, error) = export(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}
