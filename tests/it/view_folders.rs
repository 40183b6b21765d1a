//! Folders of views on the command line, and views beside each other: over a lake, over files.

use std::path::Path;

use fhir_definitions::Definitions;
use fhir_sql::ViewDefinition;
use fhirlake::lake::Lake;
use fhirlake::query::{Pin, Session, definition, ndjson};
use futures::TryStreamExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::Bench;
use crate::view_definitions::{answered, sorted, write};

const PATIENTS: &str = r#"{"resourceType":"ViewDefinition","name":"people","status":"active","resource":"Patient","select":[{"column":[
{"name":"id","path":"getResourceKey()"},{"name":"birth_date","path":"birthDate"},{"name":"gender","path":"gender"}]}]}"#;
const NAMES: &str = r#"{"resource":"Patient","select":[{"column":[{"name":"id","path":"id"}]},
{"forEach":"name","column":[{"name":"family","path":"family"},{"name":"given","path":"given.join(' ')"}]}]}"#;
const VALUES: &str = r#"{"resource":"Observation","select":[{"column":[{"name":"id","path":"id"},
{"name":"patient_id","path":"subject.getReferenceKey(Patient)"},{"name":"status","path":"status"},
{"name":"value","path":"value.ofType(Quantity).value"},{"name":"unit","path":"value.ofType(Quantity).unit"},
{"name":"code","path":"code.coding.first().code"}]}]}"#;
const PER_PERSON: &str = "-- name: per_person\n-- description: How many values a person has.\n-- fhir: R4\n-- grain: SELECT 2\n\
-- columns:\n--   id STRING: id\n--   n BIGINT: how many\n\
SELECT p.id, count(v.id) AS n FROM people p LEFT JOIN values_ v ON v.patient_id = p.id GROUP BY p.id";

fn views(bench: &Bench) -> String {
    let folder = bench.path("views");
    write(
        &folder,
        &[
            ("people.json", PATIENTS),
            ("names.json", NAMES),
            ("values_.json", VALUES),
            ("per_person.sql", PER_PERSON),
            ("notes.txt", "no view"),
        ],
    );
    folder.to_str().unwrap().to_owned()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn views_of_a_folder_ask_for_the_value_sets_that_are_named() {
    let bench = Bench::new();
    let (lake, files, folder) = (bench.lake("lake"), bench.path("small-v1"), bench.path("views"));
    let files = files.to_str().unwrap();
    assert_eq!(answered(&["ingest", "--lake", &lake, files]).0, Some(0));
    let women = PER_PERSON.split("SELECT p.id").next().unwrap().to_owned()
        + "SELECT gender AS id, count(*) AS n FROM people WHERE in_value_set(gender, 'Asked') GROUP BY gender";
    let set = r#"{"resourceType":"ValueSet","name":"Asked","compose":{"include":[{"system":"s","concept":[{"code":"female"}]}]}}"#;
    write(&folder, &[("people.json", PATIENTS), ("per_person.sql", &women)]);
    write(&bench.path("sets"), &[("asked.json", set)]);
    let (folder, sets) = (folder.to_str().unwrap(), bench.path("sets/asked.json"));
    for over in [["--lake", &lake], ["--ndjson", files]] {
        let to = bench.path("answers");
        let run = ["views", "run", folder, over[0], over[1], "--format", "csv", "-o", to.to_str().unwrap()];
        let (code, _, said) = answered(&run);
        assert_eq!(code, Some(2));
        assert!(said.contains("the value set Asked is not loaded"), "{said}");
        let with = [&run[..], &["--value-set", sets.to_str().unwrap()]].concat();
        let (code, _, said) = answered(&with);
        assert_eq!(code, Some(0), "{said}");
        let answer = read(&to, "per_person.csv");
        assert!(answer.starts_with("id,n\nfemale,") && answer.lines().count() == 2, "{answer}");
    }
}

#[test]
fn a_folder_of_views_becomes_a_folder_of_files() {
    let bench = Bench::new();
    let (lake, files, views) = (bench.lake("lake"), bench.path("small-v1"), views(&bench));
    let files = files.to_str().unwrap();
    assert_eq!(answered(&["ingest", "--lake", &lake, files]).0, Some(0));
    let [of_lake, of_files] = ["of-lake", "below/of-files"].map(|name| bench.path(name));
    let run = |over: [&str; 2], to: &Path| {
        answered(&["views", "run", &views, over[0], over[1], "--format", "csv", "-o", to.to_str().unwrap()])
    };
    let (code, out, report) = run(["--lake", &lake], &of_lake);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{report}");
    let (code, _, report_of_files) = run(["--ndjson", files], &of_files);
    assert_eq!(code, Some(0), "{report_of_files}");

    let names = ["names", "people", "per_person", "values_"];
    for (line, name) in report.lines().skip(1).zip(names) {
        let file = format!("{name}.csv");
        let csv = read(&of_lake, &file);
        assert_eq!(sorted(&csv), sorted(&read(&of_files, &file)), "{name}");
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells[..2], [name, &(csv.lines().count() - 1).to_string()], "{report}");
    }
    assert_eq!(report.lines().count(), 5, "{report}");
    assert_eq!(std::fs::read_dir(&of_lake).unwrap().count(), 4);
    // The same as each view by itself.
    let values = Path::new(&views).join("values_.json");
    let (_, alone, _) =
        answered(&["views", "run", values.to_str().unwrap(), "--lake", &lake, "--format", "csv"]);
    assert_eq!(sorted(&alone), sorted(&read(&of_lake, "values_.csv")));
    let people = read(&of_lake, "people.csv").lines().count();
    assert_eq!(read(&of_lake, "per_person.csv").lines().count(), people);
}

#[test]
fn a_folder_without_a_folder_to_write_to_is_refused_with_what_to_do() {
    let bench = Bench::new();
    let (views, files) = (views(&bench), bench.path("small-v1/Patient.ndjson"));
    let base = ["views", "run", views.as_str(), "--ndjson", files.to_str().unwrap()];
    let (code, _, error) = answered(&base);
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("names, people, per_person, values_") && error.contains("say -o FOLDER"),
        "{error}"
    );
    let to = bench.path("to");
    let to = to.to_str().unwrap();
    let (code, _, error) = answered(&[&base[..], &["-o", to]].concat());
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("say --format csv, json, ndjson, parquet or arrow"), "{error}");

    let (code, _, error) = answered(&[&base[..], &["-o", views.as_str(), "--format", "json"]].concat());
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("say another folder with -o"), "{error}");
    assert_eq!(std::fs::read_to_string(Path::new(&views).join("names.json")).unwrap(), NAMES);

    let wrong = NAMES.replace("family", "famly");
    write(Path::new(&views), &[("wrong.json", &wrong)]);
    let (code, _, error) = answered(&[&base[..], &["-o", to, "--format", "parquet"]].concat());
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("the view wrong: select[1].column[0].path:\nfamly\n^ HumanName has no element"),
        "{error}"
    );
    assert!(!Path::new(to).exists(), "nothing is written where a view is wrong");
}

#[test]
fn a_view_that_fails_on_its_data_does_not_take_the_others_with_it() {
    let bench = Bench::new();
    let (files, folder, to) = (bench.path("files"), bench.path("views"), bench.path("to"));
    write(
        &files,
        &[(
            "Patient.ndjson",
            "{\"resourceType\":\"Patient\",\"id\":\"a\",\"name\":[{\"family\":\"Doe\"},{\"family\":\"Roe\"}]}\n",
        )],
    );
    let one = r#"{"resource":"Patient","select":[{"column":[{"name":"family","path":"name.family"}]}]}"#;
    write(&folder, &[("one.json", one), ("names.json", NAMES)]);
    let [folder, files, to_text] = [&folder, &files, &to].map(|path| path.to_str().unwrap());
    let (code, _, error) =
        answered(&["views", "run", folder, "--ndjson", files, "--format", "ndjson", "-o", to_text]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("the view one") && error.contains("a resource has several values"), "{error}");
    assert!(!error.contains("Doe"), "{error}");
    assert_eq!(read(&to, "names.ndjson").lines().count(), 2);
    assert!(!to.join("one.ndjson").exists());

    // A line that is no resource is one for no view.
    write(
        &bench.path("files"),
        &[("Patient.2.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"b\"}\n{\"resourceType\":\"Patient\"")],
    );
    std::fs::remove_file(to.join("names.ndjson")).unwrap();
    let (code, _, error) =
        answered(&["views", "run", folder, "--ndjson", files, "--format", "ndjson", "-o", to_text]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("line 2 of ") && error.contains("Patient.2.ndjson"), "{error}");
    assert!(error.contains("2 of 2 views have no answer"), "{error}");
    assert!(!to.join("names.ndjson").exists());
}

#[test]
fn what_sql_says_of_a_views_columns_is_asked_of_the_table() {
    let bench = Bench::new();
    let (lake, views) = (bench.lake("lake"), views(&bench));
    assert_eq!(answered(&["ingest", "--lake", &lake, bench.path("small-v1").to_str().unwrap()]).0, Some(0));
    let query = |sql: &str| {
        let (code, out, error) =
            answered(&["query", "--lake", &lake, "--views", &views, "--format", "csv", sql]);
        assert_eq!(code, Some(0), "{sql}: {error}");
        out
    };
    let all = query("SELECT id, patient_id, unit FROM values_ ORDER BY id");
    let row = all.lines().skip(1).find(|line| !line.ends_with(',')).unwrap();
    let [id, patient, unit] = <[&str; 3]>::try_from(row.split(',').collect::<Vec<_>>()).unwrap();
    for (condition, column, wanted) in [
        (format!("id = '{id}'"), 0, id),
        (format!("patient_id IN ('{patient}')"), 1, patient),
        (format!("unit = '{unit}'"), 2, unit),
    ] {
        let found = query(&format!("SELECT id, patient_id, unit FROM values_ WHERE {condition} ORDER BY id"));
        let expected: Vec<&str> =
            all.lines().skip(1).filter(|line| line.split(',').nth(column) == Some(wanted)).collect();
        assert!(!expected.is_empty());
        assert_eq!(found.lines().skip(1).collect::<Vec<_>>(), expected, "{condition}");
        let plan = query(&format!("EXPLAIN SELECT value FROM values_ WHERE {condition}"));
        let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap_or(&plan);
        assert!(scan.contains("predicate="), "{condition}: {plan}");
    }
    // What has no value is none of the table's business, where the column is not the table's.
    let none = query("SELECT count(*) AS n FROM values_ WHERE unit IS NULL");
    assert_eq!(none.trim(), format!("n\n{}", all.lines().skip(1).filter(|line| line.ends_with(',')).count()));
    let plan = query("EXPLAIN SELECT id FROM values_ WHERE patient_id IS NULL");
    assert!(
        !plan.lines().any(|line| line.contains("DataSourceExec") && line.contains("predicate=")),
        "{plan}"
    );
}

fn observation() -> impl Strategy<Value = Value> {
    let text = || proptest::option::of("[a-b é\\\\\"]{1,3}");
    let code = || proptest::option::of(prop::sample::select(vec!["mg", "g", "mL", "zz"]));
    let value = prop::sample::select(vec![json!(1), json!(2.50), json!(1e3), json!("5"), json!(null)]);
    let component = (text(), code(), value.clone()).prop_map(|(text, code, value)| {
        json!({"code": {"text": text, "coding": [{"system": "s", "code": code}, {"code": text}]},
            "valueQuantity": {"value": value, "code": code, "system": "http://unitsofmeasure.org"}})
    });
    let subject =
        prop::sample::select(vec!["Patient/p1", "Group/g", "#x", "urn:uuid:1", "Patient/p1/_history/2"]);
    (value, code(), prop::collection::vec(component, 0..3), subject, any::<bool>()).prop_map(
        |(value, code, components, subject, extended)| {
            let mut made = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
                "subject": {"reference": subject}, "valueQuantity": {"value": value, "code": code, "system": "http://unitsofmeasure.org"}});
            if !components.is_empty() {
                made["component"] = json!(components);
            }
            if extended {
                made["extension"] = json!([{"url": "u", "valueCode": code}, {"url": "v", "valueRatio": {"numerator": {"value": value}}}]);
                made["_status"] = json!({"extension": [{"url": "w", "valueString": "é"}]});
            }
            without_nulls(&made)
        },
    )
}

/// JSON of FHIR has no nulls as values.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        Value::Array(values) => values.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

const RANDOM: [&str; 4] = [
    r#"{"resource":"Observation","select":[{"column":[{"name":"id","path":"id"},{"name":"who","path":"subject.getReferenceKey(Patient)"},
{"name":"value","path":"value.ofType(Quantity).value"},{"name":"much","path":"value.ofType(Quantity) > 2 'mg'"}]}]}"#,
    r#"{"resource":"Observation","select":[{"column":[{"name":"id","path":"id"}]},{"forEach":"component","column":[
{"name":"at","path":"%rowIndex"},{"name":"code","path":"code.coding.where(system = 's').code.first()"},
{"name":"exists","path":"value.exists()"},{"name":"codes","path":"code.coding.count()"}]}]}"#,
    r#"{"resource":"Observation","select":[{"column":[{"name":"id","path":"id"},{"name":"u","path":"extension('u').value.ofType(code)"},
{"name":"v","path":"extension('v').value.ofType(Ratio).numerator.value"},{"name":"w","path":"status.extension('w').value.ofType(string)"}]}]}"#,
    r#"{"resource":"Observation","where":[{"path":"component.exists(value.ofType(Quantity) = 1 'g')"}],"select":[{"column":[
{"name":"id","path":"id"}],"unionAll":[{"forEachOrNull":"component","column":[{"name":"t","path":"code.text"}]},
{"column":[{"name":"t","path":"code.text"}]}]}]}"#,
];

async fn rows(answer: fhirlake::Result<datafusion::execution::SendableRecordBatchStream>) -> Vec<String> {
    let batches: Vec<_> = answer.unwrap().try_collect().await.unwrap();
    let mut json = Vec::new();
    let mut writer = datafusion::arrow::json::LineDelimitedWriter::new(&mut json);
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let mut rows: Vec<String> = String::from_utf8(json).unwrap().lines().map(str::to_owned).collect();
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_view_gives_the_same_over_the_table_and_over_the_lines(resources in prop::collection::vec(observation(), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<String> = resources.into_iter().enumerate().map(|(at, mut resource)| {
            resource["id"] = json!(format!("o{at}"));
            resource.to_string()
        }).collect();
        let file = folder.path().join("Observation.ndjson");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let lake = folder.path().join("lake");
        let lake = lake.to_str().unwrap();
        let (code, _, error) = answered(&["ingest", "--validate", "none", "--lake", lake, file.to_str().unwrap()]);
        prop_assert_eq!(code, Some(0), "{}", error);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let lake = Lake::open(lake).await.unwrap();
            let session = Session::open(&lake, Pin::LastRun).await.unwrap();
            let files = ndjson::files(&file).unwrap();
            for view in RANDOM {
                let view = ViewDefinition::parse(view).unwrap();
                let of_table = rows(session.run_view(&view).await).await;
                let of_lines = rows(definition::run_over_files(&view, Definitions::r4(), &files).await).await;
                assert_eq!(of_table, of_lines);
            }
        });
    }
}
