//! Tables made anew from the raw store.

use std::collections::BTreeMap;

use fhirlake::config::TableConfig;
use fhirlake::lake::Lake;
use fhirlake::lake::identity::{Identity, UpsertMode};
use fhirlake::lake::stage::Judging;
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, IngestOptions, MaxRemovals, RebuildOptions, ReplayOptions, Report, Settings};
use fhirlake::{Error, Result};

use crate::fixture::{Bench, ask, contents, ingest, ingest_with, one, tables, write_lines};

async fn rebuild(lake: &str, types: &[&str], columns: &[(&str, &[&str])]) -> Result<Report> {
    let tables = columns.iter().map(|(name, columns)| {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        ((*name).to_owned(), TableConfig { columns })
    });
    let options = RebuildOptions {
        types: types.iter().map(|&name| name.to_owned()).collect(),
        tables: tables.collect(),
        settings: Settings::default(),
    };
    pipeline::rebuild(lake, &options, &Unwatched).await
}

/// Every column of every row of the resource types' tables.
async fn rows(lake: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut all = BTreeMap::new();
    for name in tables(lake).await {
        all.insert(name.clone(), ask(lake, &format!("SELECT * FROM {name} ORDER BY id")).await.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_gives_the_same_rows_with_the_same_lineage() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2", "small-v1"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    // The same patients again, in another file: they are unchanged, and lead to where they came from first.
    let mut again = std::fs::read(bench.path("small-v1/Patient.ndjson")).unwrap();
    again.push(b'\n');
    std::fs::write(bench.path("again.ndjson"), again).unwrap();
    ingest(&lake, &[bench.path("again.ndjson")]).await.unwrap();
    let before = rows(&lake).await;
    let report = rebuild(&lake, &[], &[]).await.unwrap();
    assert!(report.is_clean() && report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(rows(&lake).await, before);
    // The next run finds what it expects.
    let report = ingest(&lake, &[bench.path("small-v2/Observation.ndjson")]).await.unwrap();
    assert_eq!(report.run.counts[0].inserted, 183);
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","birthDate":"1980","_birthDate":{"extension":[{"url":"http://x/time","valueDateTime":"1980-01-01T10:00:00Z"}]}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_gives_a_table_the_columns_that_are_configured() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[PATIENT, "nonsense"]);
    ingest(&lake, &[folder, bench.path("small-v1/Device.ndjson")]).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(__rest) FROM Patient").await, "1");
    let wanted: [(&str, &[&str]); 1] = [("Patient", &["_birthDate"])];
    let report = rebuild(&lake, &["Patient"], &wanted).await.unwrap();
    assert_eq!(report.run.counts.len(), 1);
    let sql = "SELECT _birthDate.extension[1]['valueDateTime'], __rest FROM Patient";
    assert_eq!(ask(&lake, sql).await.unwrap(), [["1980-01-01T10:00:00Z", "NULL"]]);
    assert_eq!(one(&lake, "SELECT count(*) FROM Device").await, "33", "another table is left alone");

    // What comes later has the column too, and what is configured otherwise is refused.
    let again = PATIENT.replace(r#""id":"p""#, r#""id":"q""#);
    let folder = write_lines(&bench.path("later"), "Patient.ndjson", &[&again]);
    ingest(&lake, std::slice::from_ref(&folder)).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(_birthDate) FROM Patient").await, "2");
    let other = BTreeMap::from([("Patient".to_owned(), TableConfig { columns: vec!["_gender".to_owned()] })]);
    let identity = Identity::of_files(None, None).with_tables(&other);
    let options = IngestOptions {
        paths: vec![folder],
        reference: false,
        snapshot: false,
        settings: Settings::default(),
    };
    let refused = pipeline::ingest(&lake, &identity, &options, &Unwatched).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(text) if text.contains("fhirlake rebuild --tables Patient")),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_configured_have_their_values_whatever_the_history() {
    let told = |id: &str, at: &str| {
        PATIENT.replace(r#""id":"p""#, &format!(r#""id":"{id}","meta":{{"lastUpdated":"{at}"}}"#)).replace(
            r#""birthDate""#,
            r#""address":[{"extension":[{"url":"urn:x","valueCode":"y"}]}],"birthDate""#,
        )
    };
    for mode in [UpsertMode::DeletionVectors, UpsertMode::CopyOnWrite] {
        let bench = Bench::new();
        let lake = bench.lake("lake");
        let identity = Identity::of_files(None, None).with_upsert(Some(mode));
        for (at, ids) in [("2024-01-01T00:00:00Z", &["a", "b", "c"][..]), ("2024-02-01T00:00:00Z", &["b"])] {
            let lines: Vec<String> = ids.iter().map(|id| told(id, at)).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let paths = vec![write_lines(&bench.path(at), "Patient.ndjson", &lines)];
            let options = IngestOptions { paths, ..IngestOptions::default() };
            pipeline::ingest(&lake, &identity, &options, &Unwatched).await.unwrap();
        }
        // A column of its own, and a field inside of one that the table has.
        let wanted: [(&str, &[&str]); 1] = [("Patient", &["_birthDate", "address.extension"])];
        assert!(rebuild(&lake, &["Patient"], &wanted).await.unwrap().is_clean());
        let sql = "SELECT id, _birthDate.extension[1]['valueDateTime'], address[1]['extension'][1]['valueCode'], __rest
            FROM Patient ORDER BY id";
        let row = |id: &str| [id, "1980-01-01T10:00:00Z", "y", "NULL"].map(str::to_owned).to_vec();
        assert_eq!(ask(&lake, sql).await.unwrap(), ["a", "b", "c"].map(row), "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_cannot_be_and_a_table_that_is_not_there_are_refused() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Device.ndjson")]).await.unwrap();
    let before = Lake::open(&lake).await.unwrap().identity;
    let wanted: [(&str, &[&str]); 1] = [("Device", &["birthDate"])];
    assert!(matches!(rebuild(&lake, &["Device"], &wanted).await, Err(Error::Refused(_))));
    assert!(matches!(rebuild(&lake, &["Patient"], &[]).await, Err(Error::Refused(_))));
    assert_eq!(Lake::open(&lake).await.unwrap().identity, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_whose_raw_file_is_gone_leaves_the_table_as_it_was() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let report = ingest(&lake, &[bench.path("small-v1/Device.ndjson")]).await.unwrap();
    std::fs::remove_file(bench.path("lake/raw").join(&report.run.export_id).join("Device.0.ndjson.zst"))
        .unwrap();
    assert!(matches!(rebuild(&lake, &[], &[]).await, Err(Error::Damaged { .. })));
    assert_eq!(one(&lake, "SELECT count(*) FROM Device").await, "33");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_has_the_rows_that_were_replayed_and_not_those_that_are_gone() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let line = |id: &str, more: &str| format!(r#"{{"resourceType":"Patient","id":"{id}"{more}}}"#);
    let lines = [line("a", ""), line("b", ""), line("c", r#","birthDate":"1980-02-30""#)];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    ingest(&lake, &[write_lines(&bench.path("in"), "Patient.ndjson", &lines)]).await.unwrap();
    let settings = Settings { judging: Judging::nothing(), ..Settings::default() };
    let options = ReplayOptions { runs: Vec::new(), types: Vec::new(), settings };
    pipeline::replay(&lake, &options, &Unwatched).await.unwrap();
    let fewer = write_lines(&bench.path("fewer"), "Patient.ndjson", &[lines[0], lines[2]]);
    let settings =
        Settings { judging: Judging::nothing(), max_removals: MaxRemovals::Rows(1), ..Settings::default() };
    let options = IngestOptions { paths: vec![fewer], snapshot: true, settings, ..IngestOptions::default() };
    ingest_with(&lake, options).await.unwrap();
    let before = contents(&lake).await;
    assert_eq!(before["Patient"].keys().collect::<Vec<_>>(), ["a", "c"]);
    rebuild(&lake, &[], &[]).await.unwrap();
    assert_eq!(contents(&lake).await, before);
}
