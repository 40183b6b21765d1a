//! Views as Delta tables: the same rows as the views, whatever the history, and no more work than there is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::prelude::SessionContext;
use delta_upsert::IdHash;
use fhir_definitions::FhirVersion;
use fhirlake::Error;
use fhirlake::lake::identity::{Identity, UpsertMode};
use fhirlake::lake::stage::Judging;
use fhirlake::lake::{Lake, materialized, table};
use fhirlake::materialize::{How, MaterializeOptions, Materialized, materialize};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{
    self, IngestOptions, MaintainOptions, RebuildOptions, Settings, VacuumOptions, status,
};
use fhirlake::query::{Calls, Only, Pin, Session, SessionOptions, calls};
use fhirlake::views::{self, Folder};

use crate::fixture::{Bench, as_text, ingest, ingest_with, rows, write_lines};

/// Options for some views; for all, where none is named.
pub fn some_views(names: &[&str]) -> MaterializeOptions {
    MaterializeOptions {
        views: names.iter().map(|name| (*name).to_owned()).collect(),
        folder: Folder::default(),
        vocabulary: None,
        value_sets: Arc::default(),
        full: false,
        memory: 512 << 20,
    }
}

/// The rows of the table of a view, sorted, as a reader of Delta has them.
pub async fn stored(lake: &Lake, view: &str) -> Vec<Vec<String>> {
    let stored = materialized::all(&lake.root).await.unwrap();
    let stored = stored.into_iter().find(|stored| stored.view == view).unwrap();
    let context = SessionContext::new();
    let frame = context.read_table(Arc::new(table::scan(&stored.table).unwrap())).unwrap();
    sorted(as_text(frame.execute_stream().await.unwrap()).await.unwrap())
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

/// Compares every table with its view.
pub async fn check_tables(location: &str, options: &MaterializeOptions) {
    let lake = Lake::open(location).await.unwrap();
    let (views, vocabulary) = (options.folder.clone(), options.vocabulary.clone());
    let value_sets = Arc::clone(&options.value_sets);
    let of_session = SessionOptions { views, vocabulary, value_sets, ..SessionOptions::at(Pin::LastRun) };
    let session = Session::open_with(&lake, of_session).await.unwrap();
    let all = materialized::all(&lake.root).await.unwrap();
    assert!(!all.is_empty());
    for view in all.into_iter().map(|stored| stored.view) {
        let expected = sorted(rows(&session, &format!("SELECT * FROM {view}")).await.unwrap());
        assert_eq!(stored(&lake, &view).await, expected, "{view}");
    }
}

/// Materializes, and compares every table with its view.
pub async fn materialized_as_the_views(
    lake: &str,
    options: &MaterializeOptions,
) -> BTreeMap<String, Materialized> {
    let done = materialize(lake, options, &Unwatched).await.unwrap();
    check_tables(lake, options).await;
    done.into_iter().map(|view| (view.view.clone(), view)).collect()
}

async fn ingest_as(lake: &str, mode: UpsertMode, path: PathBuf) {
    let identity = Identity::of_files(None, None).with_upsert(Some(mode));
    let options = IngestOptions { paths: vec![path], ..IngestOptions::default() };
    pipeline::ingest(lake, &identity, &options, &Unwatched).await.unwrap();
}

/// The views that were brought up to date by what changed.
fn incremental(done: &BTreeMap<String, Materialized>) -> BTreeSet<&str> {
    done.values().filter(|view| view.how == How::Incremental).map(|view| view.view.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_of_the_library_has_its_rows_after_each_step_of_a_history() {
    let bench = Bench::new();
    let some = ["conditions", "observations", "labs", "patients", "claim_items", "problem_list", "claims"];
    for (mode, names) in [(UpsertMode::DeletionVectors, &[][..]), (UpsertMode::CopyOnWrite, &some)] {
        let (lake, all) = (bench.lake(&format!("{mode:?}")), some_views(names));
        ingest_as(&lake, mode, bench.path("small-v1")).await;
        let done = materialized_as_the_views(&lake, &all).await;
        assert_eq!(done.len(), if names.is_empty() { views::names().len() } else { names.len() });
        assert!(done.values().all(|view| view.how == How::Full && view.why == "it is new"));
        check_statistics(&lake, done.keys());

        ingest_as(&lake, mode, bench.path("small-v2")).await;
        let done = materialized_as_the_views(&lake, &all).await;
        let by_change = incremental(&done);
        for name in ["conditions", "observations", "labs", "patients", "claim_items"] {
            assert!(by_change.contains(name), "{name}: {:?}", done[name]);
        }
        assert!(done.values().all(|view| view.removed < 250), "{done:?}");

        // One more of what the sample has, and one that is there again as it was.
        let condition = std::fs::read_to_string(bench.path("small-v1/Condition.ndjson")).unwrap();
        let line = condition.lines().next().unwrap();
        let id = line.split_once(r#""id":""#).unwrap().1.split_once('"').unwrap().0;
        let later = line.replacen(id, "one-more", 1);
        let path = write_lines(&bench.path(&format!("later-{mode:?}")), "Condition.ndjson", &[&later]);
        ingest_as(&lake, mode, path).await;
        let done = materialized_as_the_views(&lake, &all).await;
        assert_eq!(incremental(&done), ["conditions"].into());
        let conditions = &done["conditions"];
        assert_eq!((conditions.inserted, conditions.removed), (1, 0), "{conditions:?}");
        assert_eq!(conditions.why, "1 of Condition changed");
        assert_eq!(done["problem_list"].how, How::Full);
        assert_eq!(done["patients"].how, How::UpToDate);

        // Nothing has changed, and nothing is written.
        for view in materialize(&lake, &all, &Unwatched).await.unwrap() {
            assert_eq!((view.how, view.version), (How::UpToDate, done[&view.view].version), "{view:?}");
        }
    }
}

/// The first commit of a table says nothing of a patient but ids and times.
fn check_statistics<'v>(lake: &str, views: impl Iterator<Item = &'v String>) {
    let mut seen = BTreeSet::new();
    for view in views {
        let log = Path::new(lake).join(format!("views/{view}/_delta_log/{:020}.json", 1));
        for line in std::fs::read_to_string(log).unwrap().lines() {
            let action: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(stats) = action["add"]["stats"].as_str() else { continue };
            let stats: serde_json::Value = serde_json::from_str(stats).unwrap();
            seen.extend(stats["minValues"].as_object().unwrap().keys().cloned());
        }
    }
    let is_allowed =
        |name: &String| name.ends_with("_id") || name.ends_with("_time") || name == "last_updated";
    assert!(seen.contains("patient_id") && seen.iter().all(is_allowed), "{seen:?}");
}

/// The rows of views whose rows are of some resources, computed for these alone and taken out of all rows.
async fn check_keys(location: &str) -> usize {
    let lake = Lake::open(location).await.unwrap();
    let session = Session::open(&lake, Pin::LastRun).await.unwrap();
    let mut compared = 0;
    for view in views::all().iter().filter(|view| view.is_of(FhirVersion::R4)) {
        let Some(key) = &view.key else { continue };
        let ids = rows(&session, &format!("SELECT id FROM {}", key.resource)).await.unwrap();
        let ids = ids.into_iter().map(|mut row| row.remove(0));
        let some: BTreeSet<String> = ids.enumerate().filter(|(n, _)| n % 3 == 1).map(|(_, id)| id).collect();
        let hashes: HashSet<IdHash> = some.iter().map(|id| IdHash::of(id)).collect();
        let only = Some(Only { table: key.resource.clone(), ids: Arc::new(hashes) });
        let options = SessionOptions { only, ..SessionOptions::at(Pin::LastRun) };
        let of_some = Session::open_with(&lake, options).await.unwrap();
        let sql = format!("SELECT * FROM {}", view.name);
        let mut all = rows(&session, &sql).await.unwrap();
        let column = view.columns.iter().position(|column| column.name == key.column).unwrap();
        all.retain(|row| some.contains(&row[column]));
        compared += all.len();
        assert_eq!(sorted(rows(&of_some, &sql).await.unwrap()), sorted(all), "{}", view.name);
    }
    compared
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_some_resources_are_those_that_the_whole_view_has_of_them() {
    let bench = Bench::new();
    let sample = bench.lake("sample");
    ingest(&sample, &[bench.path("small-v1")]).await.unwrap();
    assert!(check_keys(&sample).await > 1000);
    let edge = bench.lake("edge");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/edge");
    let settings = Settings { judging: Judging::nothing(), ..Settings::default() };
    let options = IngestOptions { paths: vec![files], settings, ..IngestOptions::default() };
    ingest_with(&edge, options).await.unwrap();
    assert!(check_keys(&edge).await > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_are_looked_for_where_the_table_is_decoded() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let opened = Lake::open(&lake).await.unwrap();
    let only = Only { table: "Encounter".to_owned(), ids: Arc::default() };
    let options = SessionOptions { only: Some(only), ..SessionOptions::at(Pin::LastRun) };
    let session = Session::open_with(&opened, options).await.unwrap();
    let plan = rows(&session, "EXPLAIN FORMAT INDENT SELECT * FROM encounters").await.unwrap();
    let lines = plan.last().unwrap()[1].lines();
    let places: Vec<&str> = lines.filter(|line| line.contains("is_among_ids")).map(str::trim_start).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(places.iter().all(|line| line.starts_with("DataSourceExec")), "{places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_view_of_the_library_depends_on_more_than_tables() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let session = Session::open(&Lake::open(&lake).await.unwrap(), Pin::LastRun).await.unwrap();
    let omop = views::omop::all().iter().map(|view| format!("omop.{}", view.name));
    for name in views::names().into_iter().map(str::to_owned).chain(omop) {
        assert!(calls(&session, &name).await.unwrap() == Calls::default(), "{name}");
    }
}

/// What the commit of a version of a view's table says: the rows of its files, and how many its vectors take out.
fn written(lake: &str, view: &str, version: u64) -> Vec<(u64, u64)> {
    let log = Path::new(lake).join(format!("views/{view}/_delta_log/{version:020}.json"));
    let text = std::fs::read_to_string(log).unwrap();
    let actions = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let adds = actions.filter_map(|action| action.get("add").cloned());
    adds.map(|add| {
        let stats: serde_json::Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
        let masked = add["deletionVector"]["cardinality"].as_u64().unwrap_or_default();
        (stats["numRecords"].as_u64().unwrap(), masked)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_follows_what_has_changed() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1")]).await.unwrap();
    let views = some_views(&["observations", "claims", "providers"]);
    let before = materialized_as_the_views(&lake, &views).await;

    // A blood pressure has two values: rows of one id, of which one changes.
    let observations = std::fs::read_to_string(bench.path("small-v1/Observation.ndjson")).unwrap();
    let line = observations.lines().find(|line| line.contains(r#""8462-4""#)).unwrap();
    let mut resource: serde_json::Value = serde_json::from_str(line).unwrap();
    resource["component"][0]["valueQuantity"]["value"] = 1.into();
    resource["meta"] = serde_json::json!({"lastUpdated": "2030-01-01T00:00:00Z"});
    let path = write_lines(&bench.path("later"), "Observation.ndjson", &[&resource.to_string()]);
    ingest(&lake, &[path]).await.unwrap();
    let done = materialized_as_the_views(&lake, &views).await;
    let observations = &done["observations"];
    assert_eq!((observations.how, observations.inserted, observations.removed), (How::Incremental, 2, 2));
    assert_eq!((done["claims"].how, done["providers"].how), (How::UpToDate, How::UpToDate));
    let rows = before["observations"].rows;
    let mut written_rows = written(&lake, "observations", observations.version.unwrap());
    written_rows.sort_unstable();
    assert_eq!(written_rows, [(2, 0), (rows, 2)]);

    // A practitioner is in rows of other views: all of them are computed, and those that differ are written.
    let practitioners = std::fs::read_to_string(bench.path("small-v1/Practitioner.ndjson")).unwrap();
    let mut resource: serde_json::Value =
        serde_json::from_str(practitioners.lines().next().unwrap()).unwrap();
    resource["name"][0]["family"] = "Another".into();
    resource["meta"] = serde_json::json!({"lastUpdated": "2030-01-01T00:00:00Z"});
    let path = write_lines(&bench.path("later"), "Practitioner.ndjson", &[&resource.to_string()]);
    ingest(&lake, &[path.join("Practitioner.ndjson")]).await.unwrap();
    let done = materialized_as_the_views(&lake, &views).await;
    let providers = &done["providers"];
    assert_eq!((providers.how, providers.why.as_str()), (How::Full, "Practitioner changed"));
    assert_eq!((providers.inserted, providers.removed), (1, 1));
    assert_eq!((done["claims"].inserted, done["claims"].removed), (0, 0));
    assert!(written(&lake, "claims", done["claims"].version.unwrap()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_definition_is_brought_up_to_date_by_what_changed() {
    let bench = Bench::new();
    let (lake, folder) = (bench.lake("lake"), bench.path("views"));
    let names = r#"{"resource":"Patient","name":"names","select":[
        {"column":[{"name":"patient","path":"getResourceKey()"}]},
        {"forEach":"name","column":[{"name":"family","path":"family"},{"name":"given","path":"given","collection":true}]}]}"#;
    write_lines(&folder, "names.json", &[&names.replace('\n', " ")]);
    let options = MaterializeOptions { folder: Folder::read(&folder).unwrap(), ..some_views(&["names"]) };
    ingest(&lake, &[bench.path("small-v1")]).await.unwrap();
    materialized_as_the_views(&lake, &options).await;
    ingest(&lake, &[bench.path("small-v2")]).await.unwrap();
    let done = materialized_as_the_views(&lake, &options).await;
    assert_eq!(done["names"].how, How::Incremental);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_omop_follow_the_lake_and_the_vocabulary() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let vocabulary = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/omop/vocabulary");
    let with = MaterializeOptions {
        vocabulary: Some(vocabulary),
        ..some_views(&["omop.person", "omop.measurement"])
    };
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.path(name)]).await.unwrap();
        let done = materialized_as_the_views(&lake, &with).await;
        assert!(done["omop.measurement"].rows > 100 && done["omop.person"].rows > 10, "{done:?}");
    }
    assert!(materialized_as_the_views(&lake, &with).await.values().all(|view| view.how == How::UpToDate));
    let without = MaterializeOptions { vocabulary: None, ..with };
    let done = materialized_as_the_views(&lake, &without).await;
    assert_eq!(done["omop.measurement"].why, "its definition has changed");
    // Nothing of a person comes out of the vocabulary.
    assert_eq!(done["omop.person"].how, How::UpToDate);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_knows_what_changed_all_is_compared() {
    let bench = Bench::new();
    let (lake, views) = (bench.lake("lake"), some_views(&["conditions", "patients"]));
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    materialized_as_the_views(&lake, &views).await;
    // A rebuild makes rows anew, and calls none of it a change.
    let options = RebuildOptions {
        types: vec!["Patient".to_owned()],
        tables: BTreeMap::new(),
        settings: Settings::default(),
    };
    pipeline::rebuild(&lake, &options, &Unwatched).await.unwrap();
    let done = materialized_as_the_views(&lake, &views).await;
    assert_eq!((done["patients"].why.as_str(), done["patients"].inserted), ("Patient was rebuilt", 0));

    ingest(&lake, &[bench.part("small-v2")]).await.unwrap();
    let options = MaintainOptions { fold: true, ..Default::default() };
    pipeline::maintain(&lake, &options, &Unwatched).await.unwrap();
    let options = VacuumOptions { types: Vec::new(), retention: Duration::ZERO };
    pipeline::vacuum(&lake, &options, &Unwatched).await.unwrap();
    let done = materialized_as_the_views(&lake, &views).await;
    assert_eq!(done["conditions"].why, "nobody knows any more what of Condition changed");
    assert!(done["conditions"].inserted > 0 && done["conditions"].inserted < 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_of_the_tables_changes_no_row_and_the_next_change_is_small() {
    let bench = Bench::new();
    let (lake, views) = (bench.lake("lake"), some_views(&["conditions"]));
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
        materialized_as_the_views(&lake, &views).await;
    }
    let options = MaintainOptions { fold: true, ..Default::default() };
    let done = pipeline::maintain(&lake, &options, &Unwatched).await.unwrap();
    let conditions = done.iter().find(|table| table.table == "views/conditions").unwrap();
    assert!(conditions.files_before > conditions.files_after && conditions.rows_folded > 0);
    check_tables(&lake, &views).await;
    let options = VacuumOptions { types: Vec::new(), retention: Duration::ZERO };
    let done = pipeline::vacuum(&lake, &options, &Unwatched).await.unwrap();
    assert!(done.iter().any(|table| table.table == "views/conditions" && table.files > 0), "{done:?}");
    check_tables(&lake, &views).await;
    // The files of keys are those of the files that are left.
    let condition = r#"{"resourceType":"Condition","id":"new","subject":{"reference":"Patient/p"}}"#;
    ingest(&lake, &[write_lines(&bench.path("new"), "Condition.ndjson", &[condition])]).await.unwrap();
    let changed = status::status(&Lake::open(&lake).await.unwrap()).await.unwrap().views;
    assert_eq!((changed.len(), changed[0].changed.as_slice()), (1, &["Condition".to_owned()][..]));
    let done = materialized_as_the_views(&lake, &views).await;
    assert_eq!((done["conditions"].how, done["conditions"].inserted), (How::Incremental, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_written_again_where_that_is_asked_for() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let views = some_views(&["conditions"]);
    let first = materialized_as_the_views(&lake, &views).await;
    let again = materialized_as_the_views(&lake, &MaterializeOptions { full: true, ..views }).await;
    let rows = first["conditions"].rows;
    assert_eq!((again["conditions"].inserted, again["conditions"].removed), (rows, rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_another_version_skips_what_is_not_for_it_and_refuses_it_by_name() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let identity = Identity::of_files(None, None).of_version(Some(FhirVersion::R5));
    Lake::admit(&lake, &identity).await.unwrap().record_identity().await.unwrap();
    let own = "-- name: own\n-- description: x\n-- fhir: R4\n-- grain: SELECT 1\n-- columns:\n--   id STRING: y\nSELECT id FROM Patient";
    let folder = write_lines(&bench.path("views"), "own.sql", &[own]);
    let all = || MaterializeOptions { folder: Folder::read(&folder).unwrap(), ..some_views(&[]) };
    for view in materialize(&lake, &all(), &Unwatched).await.unwrap() {
        assert_eq!(view.how == How::Skipped, view.view == "own", "{}", view.view);
    }
    let named = MaterializeOptions { views: vec!["own".to_owned()], ..all() };
    let refused = materialize(&lake, &named, &Unwatched).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("not for FHIR R5")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_rows_do_not_have_is_found_out_before_anything_is_written() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let own = "-- name: own\n-- description: x\n-- fhir: R4\n-- grain: SELECT 1\n-- key: patient_id of Patient\n-- columns:\n--   patient_id STRING: y\n--   n BIGINT: z\nSELECT id AS patient_id, 1 AS n FROM Patient UNION ALL SELECT CAST(NULL AS STRING), count(*) FROM Patient";
    let folder = write_lines(&bench.path("views"), "own.sql", &[own]);
    let options = MaterializeOptions { folder: Folder::read(&folder).unwrap(), ..some_views(&["own"]) };
    let first = materialized_as_the_views(&lake, &options).await;
    let patient = r#"{"resourceType":"Patient","id":"new"}"#;
    ingest(&lake, &[write_lines(&bench.path("new"), "Patient.ndjson", &[patient])]).await.unwrap();
    let refused = materialize(&lake, &options, &Unwatched).await.unwrap_err();
    assert!(
        refused.to_string().contains("the view own: its key, patient_id of Patient, does not hold"),
        "{refused}"
    );
    let stored = materialized::all(&Lake::open(&lake).await.unwrap().root).await.unwrap();
    assert_eq!(stored[0].table.rows().unwrap(), first["own"].rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_and_other_peoples_tables_are_refused() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let root = Lake::open(&lake).await.unwrap().root;
    let lease = materialized::lease(&root).await.unwrap();
    let refused = materialize(&lake, &some_views(&["conditions"]), &Unwatched).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("another process")), "{refused}");
    drop(lease);
    std::fs::create_dir_all(bench.path("lake/views")).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(bench.path("lake/tables/Condition"))
        .arg(bench.path("lake/views/conditions"))
        .status();
    assert!(copied.unwrap().success());
    let refused = materialize(&lake, &some_views(&["conditions"]), &Unwatched).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("has not made")), "{refused}");
}
