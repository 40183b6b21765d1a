//! The schema `omop` against answers that another engine found in the raw NDJSON (`tests/omop/expected.py`).

use std::path::{Path, PathBuf};

use fhir_definitions::FhirVersion;
use fhirlake::lake::Lake;
use fhirlake::lake::identity::Identity;
use fhirlake::lake::stage::Judging;
use fhirlake::pipeline::{IngestOptions, Settings};
use fhirlake::query::{Pin, Session, SessionOptions};
use fhirlake::views::omop;
use sqllogictest::Runner;

use crate::fixture::{Bench, ingest, ingest_with, rows};
use crate::views::{Asked, slt_files, sql_type};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/omop").join(path)
}

async fn open(lake: &str, vocabulary: Option<&Path>) -> fhirlake::Result<Session> {
    let vocabulary = vocabulary.map(Path::to_owned);
    let options = SessionOptions { vocabulary, ..SessionOptions::at(Pin::LastRun) };
    Session::open_with(&Lake::open(lake).await?, options).await
}

async fn check(lake: &str, folder: &str, vocabulary: Option<PathBuf>) {
    let files = slt_files(&format!("tests/omop/{folder}"));
    assert_eq!(
        files.len(),
        omop::all().iter().filter(|view| view.is_cdm()).count(),
        "each table has its test"
    );
    for file in files {
        let mut runner = Runner::new(async || Ok(Asked(open(lake, vocabulary.as_deref()).await?)));
        runner.run_file_async(&file).await.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

/// A lake of `tests/omop/data`: what OMOP must leave out, map, and route.
async fn edge(bench: &Bench) -> String {
    let lake = bench.lake("edge");
    // Some of it is not valid, as some servers' resources are not.
    let settings = Settings { judging: Judging::nothing(), ..Settings::default() };
    let options = IngestOptions { paths: vec![here("data")], settings, ..IngestOptions::default() };
    assert!(ingest_with(&lake, options).await.unwrap().is_clean());
    lake
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_agree_with_another_engine_with_and_without_a_vocabulary() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.path(name)]).await.unwrap();
    }
    check(&lake, "sample", None).await;
    check(&lake, "mapped", Some(here("vocabulary"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_agree_with_another_engine_over_what_must_be_left_out_mapped_and_routed() {
    let bench = Bench::new();
    check(&edge(&bench).await, "edge", Some(here("vocabulary"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_has_the_columns_the_key_and_no_null_as_its_header_says() {
    let bench = Bench::new();
    let session = open(&edge(&bench).await, Some(&here("vocabulary"))).await.unwrap();
    for view in omop::all() {
        let frame = session.plan(&format!("SELECT * FROM omop.{}", view.name)).await.unwrap();
        let found: Vec<(String, &str)> =
            frame.schema().fields().iter().map(|f| (f.name().clone(), sql_type(f.data_type()))).collect();
        let type_of = |said: &str| said.trim_end_matches(" NOT NULL").to_owned();
        let said: Vec<(String, String)> =
            view.columns.iter().map(|c| (c.name.clone(), type_of(&c.data_type))).collect();
        let found: Vec<(String, String)> = found.into_iter().map(|(n, t)| (n, t.to_owned())).collect();
        assert_eq!(found, said, "omop.{}", view.name);

        let required = view.columns.iter().filter(|column| column.data_type.ends_with(" NOT NULL"));
        let nulls = required.map(|column| format!("count(*) - count({})", column.name)).collect::<Vec<_>>();
        let sql = format!(
            "SELECT count(*), count(*) - count(DISTINCT {}), {} FROM omop.{}",
            view.key,
            nulls.join(" + "),
            view.name
        );
        let counts = rows(&session, &sql).await.unwrap().remove(0);
        assert_ne!(counts[0], "0", "omop.{} has rows", view.name);
        assert_eq!(counts[1..], ["0", "0"], "omop.{}: rows of the same key, NULLs", view.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_answers_in_the_fhir_versions_that_it_names_and_in_no_other() {
    let bench = Bench::new();
    for version in FhirVersion::ALL {
        let lake = bench.lake(version.label());
        let identity = Identity::of_files(None, None).of_version(Some(*version));
        Lake::admit(&lake, &identity).await.unwrap().record_identity().await.unwrap();
        let session = open(&lake, None).await.unwrap();
        for view in omop::all() {
            let planned = session.plan(&format!("SELECT * FROM omop.{}", view.name)).await.map(|_| ());
            assert_eq!(planned.is_ok(), view.is_of(*version), "{} in {version}: {planned:?}", view.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vocabulary_may_be_parquet_and_its_names_in_small_letters() {
    let bench = Bench::new();
    let lake = edge(&bench).await;
    let folder = bench.path("parquet");
    std::fs::create_dir(&folder).unwrap();
    let athena = open(&lake, Some(&here("vocabulary"))).await.unwrap();
    for table in ["concept", "concept_relationship"] {
        let frame = athena.plan(&format!("SELECT * FROM omop.{table}")).await.unwrap();
        let to = folder.join(format!("{table}.parquet"));
        frame.write_parquet(to.to_str().unwrap(), Default::default(), None).await.unwrap();
    }
    let parquet = open(&lake, Some(&folder)).await.unwrap();
    for sql in [
        "SELECT * FROM omop.concept ORDER BY concept_id",
        "SELECT * FROM omop.fhir_code_map ORDER BY code_key, target_rank",
    ] {
        let answer = rows(&parquet, sql).await.unwrap();
        assert!(answer.len() > 10);
        assert_eq!(answer, rows(&athena, sql).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vocabulary_that_is_none_is_refused_with_what_it_lacks() {
    let bench = Bench::new();
    let lake = edge(&bench).await;
    let refused = async |folder: &Path| open(&lake, Some(folder)).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused(&bench.path("nowhere")).await.contains("nowhere cannot be read"));
    let folder = bench.path("vocabulary");
    std::fs::create_dir(&folder).unwrap();
    assert!(refused(&folder).await.contains("has no CONCEPT.csv and no CONCEPT.parquet"));
    std::fs::copy(here("vocabulary/CONCEPT.csv"), folder.join("CONCEPT.csv")).unwrap();
    assert!(refused(&folder).await.contains("has no CONCEPT_RELATIONSHIP.csv"));
    std::fs::write(folder.join("CONCEPT_RELATIONSHIP.csv"), "concept_id_1,concept_id_2\n").unwrap();
    let error = refused(&folder).await;
    assert!(error.contains("CONCEPT_RELATIONSHIP.csv is not a table of OMOP's vocabulary"), "{error}");
    assert!(error.contains("separated by tabs"), "{error}");
}
