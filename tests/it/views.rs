//! The views against answers that another engine found in the raw NDJSON (`tests/views/expected.py`).

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, TimeUnit};
use fhir_definitions::FhirVersion;
use fhirlake::lake::Lake;
use fhirlake::lake::stage::Judging;
use fhirlake::pipeline::{IngestOptions, Settings};
use fhirlake::query::{Pin, Session};
use fhirlake::views;
use sqllogictest::{DBOutput, DefaultColumnType, Runner};

use crate::fixture::{Bench, ask, empty_lake, export, group, ingest, ingest_with, one, rows, write_lines};

/// A lake as sqllogictest asks it.
pub struct Asked(pub Session);

#[async_trait::async_trait]
impl sqllogictest::AsyncDB for Asked {
    type Error = fhirlake::Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, fhirlake::Error> {
        let mut rows = rows(&self.0, sql).await?;
        let width = rows.first().map_or(0, Vec::len);
        rows.iter_mut().flatten().filter(|cell| cell.is_empty()).for_each(|cell| "(empty)".clone_into(cell));
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Text; width], rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "fhirlake"
    }
}

pub fn slt_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "slt"))
        .collect();
    files.sort();
    files
}

pub async fn check(lake: &str, files: &[PathBuf]) {
    for file in files {
        let opened = Lake::open(lake).await.unwrap();
        let mut runner = Runner::new(async || Ok(Asked(Session::open(&opened, Pin::LastRun).await?)));
        runner.run_file_async(file).await.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_agree_with_another_engine_over_the_sample_data() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.path(name)]).await.unwrap();
    }
    let files = slt_files("tests/views");
    assert_eq!(files.len(), views::names().len(), "each view has its test");
    check(&lake, &files).await;
}

async fn check_edge(data: &str, version: FhirVersion, files: &str) {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    empty_lake(&lake, version).await;
    let edge = Path::new(env!("CARGO_MANIFEST_DIR")).join(data);
    // Some of it is not valid, as some servers' resources are not.
    let settings = Settings { judging: Judging::nothing(), ..Settings::default() };
    let options = IngestOptions { paths: vec![edge], settings, ..IngestOptions::default() };
    assert!(ingest_with(&lake, options).await.unwrap().is_clean());
    let files = slt_files(files);
    // Files alone bring no members of Groups.
    assert_eq!(files.len(), views::names().len() - 1, "each view but cohort_members has its test");
    check(&lake, &files).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_agree_with_another_engine_over_what_synthea_never_writes() {
    check_edge("tests/data/edge", FhirVersion::R4, "tests/views/edge").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_agree_with_another_engine_over_fhir_r5() {
    check_edge("tests/data/edge-r5", FhirVersion::R5, "tests/views/edge-r5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_answers_in_every_fhir_version() {
    let bench = Bench::new();
    for version in FhirVersion::ALL {
        let lake = bench.lake(version.label());
        empty_lake(&lake, *version).await;
        for name in views::names() {
            let answer = ask(&lake, &format!("SELECT count(*) FROM {name}")).await;
            assert!(answer.is_ok(), "{name} in {version}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_answers_where_a_lake_has_few_types() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let few = ["Patient", "Observation"].map(|name| bench.path(&format!("small-v1/{name}.ndjson")));
    ingest(&lake, &few).await.unwrap();
    let omop = views::omop::all().iter().map(|view| format!("omop.{}", view.name));
    for name in views::names().into_iter().map(str::to_owned).chain(omop) {
        let answer = ask(&lake, &format!("SELECT * FROM {name}")).await;
        assert!(answer.is_ok(), "{name}: {:?}", answer.err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_with_a_lambda_stands_beside_others_in_tables_and_views() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let condition = r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p1"},"code":{"coding":[{"system":"urn:s","code":"1"}]}}"#;
    let path = write_lines(&bench.path("one"), "Condition.ndjson", &[condition]);
    ingest(&lake, &[path]).await.unwrap();
    for question in [
        "Condition WHERE array_filter(code.coding, c -> c['system'] = 'urn:s')[1]['code'] = '1' AND id = 'c1'",
        "conditions WHERE code = '1' AND NOT is_entered_in_error AND category_codes IS NULL",
    ] {
        assert_eq!(one(&lake, &format!("SELECT count(*) FROM {question}")).await, "1", "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grain_of_the_cohort_holds_with_members_in_it() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let server = bench.server().await;
    export(&server, &lake, &group("half")).await.unwrap();
    let view = views::get("cohort_members", FhirVersion::R4).unwrap();
    assert_eq!(one(&lake, &view.grain).await, "9");
    assert_eq!(one(&lake, "SELECT count(*) FROM cohort_members").await, "9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_who_was_deleted_is_a_member_again_only_when_the_patient_is_there_again() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let server = bench.server().await;
    // Who belongs to the Group is known from who comes with it: the server does not show it.
    server.add_fault("read-403".parse::<fhir_bulk_server::Rule>().unwrap());
    export(&server, &lake, &group("half")).await.unwrap();
    let id = one(&lake, "SELECT min(patient_id) FROM cohort_members").await;
    let grain = &views::get("cohort_members", FhirVersion::R4).unwrap().grain;
    let is_member = format!("SELECT count(*) FROM cohort_members WHERE patient_id = '{id}'");
    assert_eq!(one(&lake, &is_member).await, "1");

    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","meta":{{"lastUpdated":"2026-03-01T00:00:00Z"}},"entry":[{{"request":{{"method":"DELETE","url":"Patient/{id}"}}}}]}}"#
    );
    let gone = write_lines(&bench.path("gone"), "deleted/Bundle.ndjson", &[&bundle]);
    server.update(|data| data.apply(&gone)).unwrap();
    export(&server, &lake, &group("half")).await.unwrap();
    assert_eq!(one(&lake, &is_member).await, "0");
    assert_eq!(one(&lake, grain).await, one(&lake, "SELECT count(*) FROM cohort_members").await);
    // What came with the Group stays on record.
    let recorded = format!("SELECT count(*) FROM _members WHERE patient_id = '{id}' AND left_export IS NULL");
    assert_eq!(one(&lake, &recorded).await, "1");

    // Another pipeline brings the patient back: no run of the Group takes part in it.
    let patient = format!(
        r#"{{"resourceType":"Patient","id":"{id}","meta":{{"lastUpdated":"2026-04-01T00:00:00Z"}}}}"#
    );
    let back = write_lines(&bench.path("back"), "Patient.ndjson", &[&patient]);
    ingest(&lake, &[back]).await.unwrap();
    assert_eq!(one(&lake, &is_member).await, "1");
    assert_eq!(one(&lake, grain).await, one(&lake, "SELECT count(*) FROM cohort_members").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_has_the_columns_that_its_header_says() {
    let bench = Bench::new();
    for version in FhirVersion::ALL {
        let location = bench.lake(version.label());
        empty_lake(&location, *version).await;
        ingest(&location, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
        let lake = Lake::open(&location).await.unwrap();
        let session = Session::open(&lake, Pin::LastRun).await.unwrap();
        for view in views::all().iter().filter(|view| view.is_of(*version)) {
            let frame = session.plan(&format!("SELECT * FROM {}", view.name)).await.unwrap();
            let found: Vec<(String, &str)> =
                frame.schema().fields().iter().map(|f| (f.name().clone(), sql_type(f.data_type()))).collect();
            let said: Vec<(String, &str)> =
                view.columns.iter().map(|c| (c.name.clone(), c.data_type.as_str())).collect();
            assert_eq!(found, said, "{} in {version}", view.name);
        }
    }
}

pub fn sql_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "STRING",
        DataType::Boolean => "BOOLEAN",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::Float64 => "DOUBLE",
        DataType::Decimal128(18, 2) => "DECIMAL",
        DataType::Date32 => "DATE",
        DataType::Timestamp(TimeUnit::Microsecond, _) => "TIMESTAMP",
        other => panic!("a view has a column of type {other}"),
    }
}
