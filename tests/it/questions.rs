//! Questions over nested data without UNNEST: the tables of items, the functions, and the examples, against answers that were
//! found by other means (`tests/questions/answers.py`).

use std::path::{Path, PathBuf};
use std::process::Command;

use fhir_definitions::FhirVersion;
use fhirlake::lake::Lake;
use fhirlake::lake::identity::Identity;
use fhirlake::lake::stage::Judging;
use fhirlake::pipeline::{IngestOptions, Settings};
use fhirlake::query::{Pin, Session, SessionOptions, ValueSets};

use crate::fixture::{Bench, Known, ask, empty_lake, ingest, ingest_with, one, rows, tables, write_lines};
use crate::views::{check, slt_files};

const TABLES: [&str; 4] = ["codings", "identifiers", "refs", "extensions"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn known() -> Known {
    serde_json::from_str(include_str!("../questions/answers.json")).unwrap()
}

/// A lake of the sample, with what came later.
async fn sample(bench: &Bench) -> String {
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.path(name)]).await.unwrap();
    }
    lake
}

/// A lake of a folder of edge cases, not all of which are valid.
async fn edge(bench: &Bench, folder: &str) -> String {
    let lake = bench.lake("lake");
    let settings = Settings { judging: Judging::nothing(), ..Settings::default() };
    let options = IngestOptions { paths: vec![root(folder)], settings, ..IngestOptions::default() };
    assert!(ingest_with(&lake, options).await.unwrap().is_clean());
    lake
}

async fn with_value_sets(lake: &str) -> Session {
    let lake = Lake::open(lake).await.unwrap();
    let value_sets = ValueSets::read(&[root("examples/questions/value-sets")]).unwrap().into();
    let options = SessionOptions { value_sets, ..SessionOptions::at(Pin::LastRun) };
    Session::open_with(&lake, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_have_the_answers_that_another_engine_found() {
    let bench = Bench::new();
    let lake = sample(&bench).await;
    let session = with_value_sets(&lake).await;
    let known = known().answers;
    let examples = std::fs::read_dir(root("examples/questions")).unwrap();
    let examples = examples.filter(|entry| entry.as_ref().unwrap().path().extension().is_some());
    assert_eq!(known.len(), examples.count(), "each question has an answer");
    for answer in known {
        let sql = std::fs::read_to_string(root(&format!("examples/questions/{}.sql", answer.name))).unwrap();
        assert!(sql.starts_with(&format!("-- question: {}\n", answer.question)), "{}", answer.name);
        let statement = sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        for word in ["unnest", "explode", "array_", "->"] {
            assert!(!statement.to_lowercase().contains(word), "{} has {word}", answer.name);
        }
        assert_eq!(rows(&session, &sql).await.unwrap(), answer.rows, "{}", answer.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_hold_what_is_anywhere_in_the_sample() {
    let bench = Bench::new();
    let lake = sample(&bench).await;
    let files = slt_files("tests/questions/items");
    assert_eq!(files.len(), TABLES.len());
    check(&lake, &files).await;
    for table in TABLES {
        let place = if table == "codings" { "place || '#' || coding_index" } else { "place" };
        let key = format!("resource_type || '/' || id || '#' || {place}");
        let sql = format!("SELECT count(*) = count(DISTINCT {key}), count(*) > 0 FROM {table}");
        assert_eq!(ask(&lake, &sql).await.unwrap(), [["true", "true"]], "a place is one item: {table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_hold_what_is_anywhere_in_the_edge_cases() {
    for (data, expected) in [
        ("tests/data/edge", "tests/questions/items/edge-views"),
        ("tests/questions/edge", "tests/questions/items/edge-own"),
    ] {
        let bench = Bench::new();
        let lake = edge(&bench, data).await;
        let files = slt_files(expected);
        assert_eq!(files.len(), TABLES.len());
        check(&lake, &files).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_part_of_the_rows_is_what_all_rows_have_of_it() {
    let bench = Bench::new();
    let lake = edge(&bench, "tests/questions/edge").await;
    for table in TABLES {
        let all = format!("(SELECT *, random() AS unknown FROM {table})");
        for filter in [
            "resource_type = 'Patient'",
            "resource_type <> 'Patient' AND id = 'o1'",
            "element_path LIKE 'Observation.c%'",
            "resource_type IN ('Task', 'Questionnaire') OR element_path = 'Patient.identifier'",
            "id IN ('p1', 'q1') AND place LIKE '%[1]%'",
            "resource_type = 'Patient' OR id = 'o1'",
            "resource_type = 'Basic'",
            "id IS NULL",
        ] {
            for columns in ["count(*)", "count(place)", "min(id), max(element_path), count(DISTINCT place)"] {
                let asked = |from: &str| format!("SELECT {columns} FROM {from} WHERE {filter}");
                // A column that nobody can know keeps the filter from going into the table.
                let above = asked(&format!("{all} WHERE unknown >= 0 AND")).replace("AND WHERE", "AND");
                assert_eq!(
                    ask(&lake, &asked(table)).await.unwrap(),
                    ask(&lake, &above).await.unwrap(),
                    "{table} {filter} {columns}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_are_not_asked_for_are_not_opened_and_leaves_not_read() {
    let bench = Bench::new();
    let lake = edge(&bench, "tests/questions/edge").await;
    let plan =
        ask(&lake, "EXPLAIN SELECT code FROM codings WHERE element_path = 'Observation.code'").await.unwrap();
    let plan: String = plan.concat().concat();
    assert!(plan.contains("table=codings, columns=[code], reads=[Observation: code.coding.code]"), "{plan}");
    assert!(plan.contains("projection=[code]"), "{plan}");

    std::fs::remove_dir_all(bench.path("lake/tables/Observation")).unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM codings WHERE resource_type = 'Questionnaire'").await, "4");
    let error = ask(&lake, "SELECT count(*) FROM codings").await.unwrap_err().to_string();
    assert!(error.contains("tables/Observation"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_reads_no_more_of_its_argument_than_it_needs() {
    async fn scanned(lake: &str, expression: &str) -> u64 {
        let plan =
            ask(lake, &format!("EXPLAIN ANALYZE SELECT {expression}")).await.unwrap().concat().concat();
        let bytes =
            plan.split("bytes_scanned=").nth(1).and_then(|rest| rest.split([',', ']']).next()).unwrap();
        let (number, unit) = bytes.split_once(' ').unwrap_or((bytes, ""));
        let unit = if unit.starts_with('K') { 1000.0 } else { 1.0 };
        (number.parse::<f64>().unwrap() * unit).round().abs().to_string().parse().unwrap()
    }
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson"), bench.path("small-v1/Observation.ndjson")])
        .await
        .unwrap();
    for (call, whole) in [
        ("code_in(code, 'http://loinc.org', '8480-6') FROM Observation", "code FROM Observation"),
        ("fhir_ref_id(subject) FROM Observation", "subject FROM Observation"),
        ("quantity_in(valueQuantity, 'mg/dL') FROM Observation", "valueQuantity FROM Observation"),
        ("extension(extension, 'a', 'b')['valueCode'] FROM Patient", "extension FROM Patient"),
    ] {
        let (part, whole) = (scanned(&lake, call).await, scanned(&lake, whole).await);
        assert!(part > 0 && part < whole, "{call}: {part} of {whole} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn haemoglobin_a1c_is_compared_in_any_unit() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let value = |id: &str, value: &str, code: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"4548-4"}}]}},"valueQuantity":{{"value":{value},"system":"http://unitsofmeasure.org","code":"{code}"}}}}"#
        )
    };
    // 0.09148 × 48 + 2.152 = 6.54; 47 mmol/mol are 6.45 %.
    let lines = [
        value("percent", "6.6", "%"),
        value("low", "6.4", "%"),
        value("fraction", "0.066", "1"),
        value("ifcc", "48", "mmol/mol"),
        value("ifcc-low", "47", "mmol/mol"),
        value("other", "66", "mg/dL"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let path = write_lines(&bench.path("units"), "Observation.ndjson", &lines);
    ingest(&lake, &[path]).await.unwrap();
    let sql =
        std::fs::read_to_string(root("examples/questions/02-hba1c-over-a-limit-in-any-unit.sql")).unwrap();
    let found: Vec<_> = ask(&lake, &sql).await.unwrap().into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(found, ["fraction", "ifcc", "percent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_there_in_every_fhir_version() {
    let bench = Bench::new();
    for version in FhirVersion::ALL {
        let lake = bench.lake(version.label());
        let identity = Identity::of_files(None, None).of_version(Some(*version));
        Lake::admit(&lake, &identity).await.unwrap().record_identity().await.unwrap();
        for table in TABLES.into_iter().chain(["resources"]) {
            assert_eq!(one(&lake, &format!("SELECT count(*) FROM {table}")).await, "0", "{version}");
        }
    }
}

/// Each of them opens every table of the lake, with threads of which the program has few.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_over_several_of_the_tables_ends() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1")]).await.unwrap();
    let sql = "EXPLAIN SELECT count(*) FROM refs JOIN codings ON codings.id = refs.id
        JOIN extensions ON extensions.id = refs.id JOIN identifiers ON identifiers.id = refs.id";
    for _ in 0..8 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fhirlake"));
        assert!(command.args(["query", "--lake", &lake, sql]).output().unwrap().status.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_resource_of_whatever_type_is_among_the_resources() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1")]).await.unwrap();
    ingest(&lake, &[bench.path("small-v2")]).await.unwrap();
    let names = tables(&lake).await;
    assert!(names.len() > 15);
    for name in names {
        let own = ask(&lake, &format!("SELECT id FROM {name} ORDER BY id")).await.unwrap();
        let sql = format!("SELECT id FROM resources WHERE resource_type = '{name}' ORDER BY id");
        assert_eq!(ask(&lake, &sql).await.unwrap(), own, "{name}");
    }
    // What is asked for decides what is read.
    let plan = ask(&lake, "EXPLAIN SELECT count(*) FROM resources WHERE resource_type = 'Patient'").await;
    let plan = plan.unwrap().concat().concat();
    assert!(plan.contains("Patient") && !plan.contains("Observation"), "{plan}");
    let empty = bench.lake("empty");
    empty_lake(&empty, FhirVersion::R5).await;
    assert_eq!(one(&empty, "SELECT count(DISTINCT resource_type || id) FROM resources").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_is_found_by_its_url_where_nothing_else_of_it_is_read() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    const RACE: &str = "extension(extension, 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race')";
    let has = "array_length(array_filter(extension, e -> e['url'] LIKE '%us-core-race')) > 0";
    let expected = one(&lake, &format!("SELECT count(*) FROM Patient WHERE {has}")).await;
    assert_ne!(expected, "0");
    for (asked, from) in [
        ("count(*)", format!("Patient WHERE {RACE} IS NOT NULL")),
        ("count(*)", format!("Patient WHERE {RACE}['url'] LIKE 'http%'")),
        (&format!("count({RACE}['url'])"), "Patient".to_owned()),
        (&format!("count({RACE})"), "Patient".to_owned()),
    ] {
        assert_eq!(one(&lake, &format!("SELECT {asked} FROM {from}")).await, expected, "{asked} {from}");
    }
    // Attachments have URLs, and are none.
    let error = ask(&lake, "SELECT extension(photo, 'x') FROM Patient").await.unwrap_err().to_string();
    assert!(error.contains("extension takes extensions"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_extensions_of_elements_are_among_the_others() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let program = |arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_fhirlake"))
            .current_dir(bench.path(""))
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    std::fs::write(
        bench.path("fhirlake.toml"),
        "[tables.Patient]\ncolumns = [\"address.extension\", \"photo.extension\"]\n",
    )
    .unwrap();
    let line = r#"{"resourceType":"Patient","id":"p1","address":[{"city":"a"},{"extension":[{"url":"urn:g","valueCode":"x"}]}]}"#;
    // An Attachment has a URL, which is none of an extension.
    let photos = [
        r#"{"resourceType":"Patient","id":"p2","photo":[{"url":"urn:g"}]}"#,
        r#"{"resourceType":"Patient","id":"p3","photo":[{"url":"urn:h","extension":[{"url":"urn:g","valueCode":"z"}]}]}"#,
    ];
    write_lines(&bench.path("in"), "Patient.ndjson", &[&[line][..], &photos].concat());
    program(&["ingest", "--lake", &lake, "in"]);
    for (asked, of_p3) in [("['url']", "urn:g"), ("['valueCode']", "z")] {
        let sql = format!(
            "SELECT id, extension(photo, 'urn:g'){asked}, photo[1]['url'] FROM Patient WHERE id > 'p1' ORDER BY id"
        );
        assert_eq!(ask(&lake, &sql).await.unwrap(), [["p2", "NULL", "urn:g"], ["p3", of_p3, "urn:h"]]);
    }
    let has = "SELECT count(*) FROM Patient WHERE extension(photo, 'urn:g') IS NOT NULL";
    assert_eq!(one(&lake, has).await, "1");
    assert_eq!(
        ask(&lake, "SELECT element_path, place, value_code FROM extensions WHERE id = 'p1'").await.unwrap(),
        [["Patient.address.extension", "address[2].extension[1]", "x"]]
    );
    assert_eq!(
        one(&lake, "SELECT extension(address, 'urn:g')['valueCode'] FROM Patient WHERE id = 'p1'").await,
        "x"
    );

    // The program reads a statement from a file, and value sets from files.
    std::fs::write(bench.path("asked.sql"), "-- who?\nSELECT in_value_set('44054006', 'V') AS yes").unwrap();
    let set = r#"{"resourceType":"ValueSet","name":"V","compose":{"include":[{"system":"s","concept":[{"code":"44054006"}]}]}}"#;
    std::fs::write(bench.path("v.json"), set).unwrap();
    let asked = ["query", "--lake", &lake, "--value-set", "v.json", "--format", "csv", "--file", "asked.sql"];
    assert_eq!(program(&asked), "yes\ntrue\n");
}
