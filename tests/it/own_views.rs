//! Views of one's own as Delta tables: what changes them, and what is wrong with them.

use fhirlake::lake::{Lake, materialized};
use fhirlake::materialize::{How, MaterializeOptions, materialize};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::query::{Pin, Session, ValueSets};
use fhirlake::views::Folder;

use crate::changes::feed_of;
use crate::fixture::{Bench, ask, ingest, rows, write_lines};
use crate::materialize::{materialized_as_the_views, some_views, stored};
use crate::view_definitions::answered;

fn sql_of(name: &str, columns: &str, select: &str) -> String {
    let columns: String = columns.split(", ").map(|column| format!("--   {column}: it\n")).collect();
    format!(
        "-- name: {name}\n-- description: x\n-- fhir: R4\n-- grain: SELECT 1\n-- key: id of Patient\n-- columns:\n{columns}{select}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_whose_sql_has_changed_is_computed_whole() {
    let bench = Bench::new();
    let (lake, folder) = (bench.lake("lake"), bench.path("views"));
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let write = |select: &str, columns: &str| {
        let path = write_lines(&folder, "people.sql", &[&sql_of("people", columns, select)]);
        // The view above it is the same, and means something else.
        let above = sql_of("adults", "id STRING", "SELECT id FROM people");
        write_lines(&folder, "adults.sql", &[&above]);
        MaterializeOptions { folder: Folder::read(&path).unwrap(), ..some_views(&["people", "adults"]) }
    };
    let two = "id STRING, sex STRING";
    let people = write("SELECT id, gender AS sex FROM Patient", two);
    let first = materialized_as_the_views(&lake, &people).await;
    assert_eq!(materialized_as_the_views(&lake, &people).await["people"].how, How::UpToDate);

    let people = write("SELECT id, gender AS sex FROM Patient WHERE gender = 'female'", two);
    let done = materialized_as_the_views(&lake, &people).await;
    for name in ["people", "adults"] {
        assert_eq!((done[name].how, done[name].why.as_str()), (How::Full, "its definition has changed"));
        assert_eq!((done[name].inserted, done[name].removed), (0, first[name].rows - done[name].rows));
    }

    let people = write(
        "SELECT id, gender AS sex, birthDate AS born FROM Patient",
        "id STRING, sex STRING, born STRING",
    );
    let done = materialized_as_the_views(&lake, &people).await;
    assert_eq!(done["people"].inserted, first["people"].rows);

    let today = write(
        "SELECT id, gender AS sex, current_date() > DATE '2000-01-01' AS born FROM Patient",
        "id STRING, sex STRING, born BOOLEAN",
    );
    materialized_as_the_views(&lake, &today).await;
    let again = materialized_as_the_views(&lake, &today).await;
    assert_eq!((again["people"].how, again["people"].inserted), (How::Full, 0));
    assert_eq!(again["people"].why, "its rows depend on more than tables");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_set_that_has_changed_makes_the_views_that_ask_for_it_be_computed() {
    let bench = Bench::new();
    let (lake, folder) = (bench.lake("lake"), bench.path("views"));
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let women = sql_of("women", "id STRING", "SELECT id FROM Patient WHERE in_value_set(gender, 'Asked')");
    let above = sql_of("above", "id STRING", "SELECT id FROM women");
    let other = sql_of("other", "id STRING", "SELECT id FROM Patient");
    for (name, sql) in [("women.sql", women), ("above.sql", above), ("other.sql", other)] {
        write_lines(&folder, name, &[&sql]);
    }
    let with = |at: &str, code: &str| {
        let set = format!(
            r#"{{"resourceType":"ValueSet","name":"Asked","compose":{{"include":[{{"system":"s","concept":[{{"code":"{code}"}}]}}]}}}}"#
        );
        let sets = write_lines(&bench.path(at), "asked.json", &[&set]);
        MaterializeOptions {
            folder: Folder::read(&folder).unwrap(),
            value_sets: ValueSets::read(&[sets.clone(), sets.join("asked.json")]).unwrap().into(),
            ..some_views(&["women", "above", "other"])
        }
    };
    let first = materialized_as_the_views(&lake, &with("sets", "female")).await;
    // The same codes from another place are the same.
    let again = materialized_as_the_views(&lake, &with("elsewhere", "female")).await;
    assert!(again.values().all(|view| view.how == How::UpToDate), "{again:?}");
    let men = materialized_as_the_views(&lake, &with("sets", "male")).await;
    for name in ["women", "above"] {
        assert_eq!((men[name].how, men[name].why.as_str()), (How::Full, "its definition has changed"));
        assert_eq!(men[name].removed, first["women"].rows);
    }
    assert_eq!(men["women"].inserted + first["women"].rows, first["other"].rows);
    assert_eq!(men["other"].how, How::UpToDate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_several_that_cannot_be_computed_leaves_its_table_and_the_others_go_on() {
    let bench = Bench::new();
    let (lake, folder) = (bench.lake("lake"), bench.path("views"));
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let views = |select: &str| {
        write_lines(&folder, "a.sql", &[&sql_of("a", "id STRING", select)]);
        write_lines(&folder, "b.sql", &[&sql_of("b", "id STRING", "SELECT id FROM Patient")]);
        MaterializeOptions { folder: Folder::read(&folder).unwrap(), ..some_views(&["a", "b"]) }
    };
    materialized_as_the_views(&lake, &views("SELECT id FROM Patient")).await;
    let new =
        write_lines(&bench.path("new"), "Patient.ndjson", &[r#"{"resourceType":"Patient","id":"new"}"#]);
    ingest(&lake, &[new]).await.unwrap();
    let done = materialize(&lake, &views("SELECT idd AS id FROM Patient"), &Unwatched).await.unwrap();
    assert_eq!((done[0].how, done[1].how, done[1].inserted), (How::Failed, How::Incremental, 1));
    assert!(done[0].why.contains("the view a: ") && done[0].why.contains("idd"), "{}", done[0].why);
    let root = Lake::open(&lake).await.unwrap();
    assert_eq!(stored(&root, "a").await.len() + 1, stored(&root, "b").await.len());

    let folder = folder.to_str().unwrap();
    let (code, out, said) =
        answered(&["views", "materialize", "--lake", &lake, "--views", folder, "--format", "json", "a", "b"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(out.contains(r#""how": "failed""#), "{out}");
    assert!(said.contains("1 of 2 views are not up to date, and their tables are as they were: a"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_change_feed_of_new_columns_has_every_row_as_gone_and_come() {
    let bench = Bench::new();
    let (lake, folder) = (bench.lake("lake"), bench.path("views"));
    let with = |columns: &str, select: &str| {
        write_lines(&folder, "people.sql", &[&sql_of("people", columns, select)]);
        MaterializeOptions { folder: Folder::read(&folder).unwrap(), ..some_views(&["people"]) }
    };
    let before = with("id STRING, n BIGINT", "SELECT id, length(gender) AS n FROM Patient");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.path(&format!("{name}/Patient.ndjson"))]).await.unwrap();
        materialize(&lake, &before, &Unwatched).await.unwrap();
    }
    let root = Lake::open(&lake).await.unwrap().root;
    let open = || async { materialized::open(&root, "people").await.unwrap().unwrap() };
    let had = open().await.version();
    materialize(
        &lake,
        &with(
            "id STRING, n BIGINT, sex STRING",
            "SELECT id, length(gender) AS n, gender AS sex FROM Patient",
        ),
        &Unwatched,
    )
    .await
    .unwrap();
    let rows = ask(&lake, "SELECT id FROM Patient").await.unwrap().into_iter().flatten();
    let mut both: Vec<String> =
        rows.flat_map(|id| ["delete", "insert"].map(|side| format!("{id} {side}"))).collect();
    both.sort_unstable();
    assert_eq!(feed_of(&open().await, had + 1).await, both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_not_the_views_is_refused_with_its_name() {
    let bench = Bench::new();
    let (lake, folder) = (bench.lake("lake"), bench.path("views"));
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    for (columns, select, said) in [
        (
            "id STRING",
            "SELECT id, gender FROM Patient",
            "the view people: its header names the columns id, and it has id, gender",
        ),
        (
            "id STRING, sex INT",
            "SELECT id, gender AS sex FROM Patient",
            "the view people: Arrow error: Cast error: ",
        ),
        ("id STRING, sex TEXT", "SELECT id, gender AS sex FROM Patient", "the column sex of the type TEXT"),
        ("name STRING", "SELECT gender AS name FROM Patient", "its key id is no column of texts that it has"),
        ("id STRING", "SELECT id FROM Condition", "its key is of Patient, which it does not read"),
        ("id STRING, Id STRING", "SELECT id, gender AS Id FROM Patient", "two columns of the name Id"),
        (
            "id STRING",
            "SELECT id FROM Patient WHERE age_at(birthDate, concat('2024-6', '-1')) > 1",
            "2024-6-1 is no date of FHIR",
        ),
    ] {
        write_lines(&folder, "people.sql", &[&sql_of("people", columns, select)]);
        let options =
            MaterializeOptions { folder: Folder::read(&folder).unwrap(), ..some_views(&["people"]) };
        let error = materialize(&lake, &options, &Unwatched).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        let opened = Lake::open(&lake).await.unwrap();
        let id =
            rows(&Session::open(&opened, Pin::LastRun).await.unwrap(), "SELECT min(id) FROM Patient").await;
        assert!(!error.contains(&id.unwrap()[0][0]), "{error}");
    }
}
