//! ViewDefinitions on the command line and in sessions: over a lake, over files, beside SQL.

use std::path::Path;
use std::process::Command;

use crate::fixture::Bench;

const BLOOD_PRESSURE: &str = r#"{"resourceType":"ViewDefinition","name":"blood_pressure","status":"active",
"resource":"Observation","fhirVersion":["4.0.1"],"constant":[{"name":"loinc_panel","valueCode":"85354-9"}],
"select":[{"column":[{"name":"patient_id","path":"subject.getReferenceKey(Patient)"},{"name":"taken","path":"effective.ofType(dateTime)"}]},
{"forEach":"component","column":[{"name":"code","path":"code.coding.first().code"},{"name":"value","path":"value.ofType(Quantity).value"}]}],
"where":[{"path":"code.coding.exists(code = %loinc_panel)"}]}"#;

const MEANS: &str = "-- name: means\n-- description: The mean of each code.\n-- fhir: R4\n-- grain: SELECT 2\n\
-- columns:\n--   code STRING: code\n--   mean DOUBLE: mean\nSELECT code, avg(value) AS mean FROM blood_pressure GROUP BY code";

pub fn answered(arguments: &[&str]) -> (Option<i32>, String, String) {
    let program = env!("CARGO_BIN_EXE_fhirlake");
    let ended = Command::new(program).args(arguments).env_remove("FHIRLAKE_LAKE").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

pub fn sorted(csv: &str) -> Vec<&str> {
    let mut lines: Vec<_> = csv.lines().collect();
    lines.sort_unstable();
    lines
}

pub fn write(folder: &Path, files: &[(&str, &str)]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn a_view_has_the_same_rows_over_a_lake_and_over_its_files() {
    let bench = Bench::new();
    let (lake, files) = (bench.lake("lake"), bench.path("small-v1"));
    let (files, folder) = (files.to_str().unwrap(), bench.path("views"));
    write(&folder, &[("bp.json", BLOOD_PRESSURE), ("means.sql", MEANS)]);
    let view = folder.join("bp.json");
    let view = view.to_str().unwrap();
    assert_eq!(answered(&["ingest", "--lake", &lake, files]).0, Some(0));

    let (code, of_lake, error) = answered(&["views", "run", view, "--lake", &lake, "--format", "csv"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let (_, of_files, _) = answered(&["views", "run", view, "--ndjson", files, "--format", "csv"]);
    assert!(of_lake.lines().count() > 10, "{of_lake}");
    assert_eq!(sorted(&of_lake), sorted(&of_files));

    // What SQL finds in the table itself.
    let sql = "SELECT count(*) AS n FROM (SELECT unnest(component) FROM Observation WHERE array_any_match(code.coding, c -> c['code'] = '85354-9'))";
    let (_, counted, error) = answered(&["query", "--lake", &lake, "--format", "csv", sql]);
    assert_eq!(counted.trim(), format!("n\n{}", of_lake.lines().count() - 1), "{error}");

    // By name, in SQL, and in other views.
    let views = folder.to_str().unwrap();
    let query = |sql: &str| answered(&["query", "--lake", &lake, "--views", views, "--format", "csv", sql]);
    let (_, named, _) = query("SELECT * FROM blood_pressure");
    assert_eq!(sorted(&named), sorted(&of_lake));
    let (code, means, error) = query("SELECT code, round(mean) FROM means ORDER BY code");
    assert_eq!((code, means.lines().count()), (Some(0), 3), "{error}");
}

#[test]
fn compressed_files_and_bad_lines_are_told_apart() {
    let bench = Bench::new();
    let folder = bench.path("files");
    write(
        &folder,
        &[(
            "Patient.ndjson",
            "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\n{\"resourceType\":\"Patient\",\"id\":\"b\"}",
        )],
    );
    let zstd = zstd::encode_all(&b"{\"resourceType\":\"Patient\",\"id\":\"c\"}\n"[..], 1).unwrap();
    std::fs::write(folder.join("Patient.2.ndjson.zst"), zstd).unwrap();
    write(
        &folder,
        &[(
            "all.ndjson",
            "{\"resourceType\":\"Observation\",\"id\":\"o\"}\n{\"resourceType\":\"Patient\",\"id\":\"d\"}\n",
        )],
    );
    let view = bench.path("ids.json");
    std::fs::write(&view, r#"{"resource":"Patient","select":[{"column":[{"name":"id","path":"id"}]}]}"#)
        .unwrap();
    let arguments =
        ["views", "run", view.to_str().unwrap(), "--ndjson", folder.to_str().unwrap(), "--format", "csv"];
    let (code, ids, error) = answered(&arguments);
    assert_eq!((code, sorted(&ids)), (Some(0), vec!["a", "b", "c", "d", "id"]), "{error}");

    write(
        &folder,
        &[("Patient.3.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"e\"}\n{\"resourceType\":\"Patient\"")],
    );
    let (code, _, error) = answered(&arguments);
    assert_eq!(code, Some(1));
    assert!(error.contains("line 2 of ") && error.contains("Patient.3.ndjson"), "{error}");
}

#[test]
fn a_view_that_is_wrong_is_refused_with_its_place() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let patients = bench.path("small-v1/Patient.ndjson");
    assert_eq!(answered(&["ingest", "--lake", &lake, patients.to_str().unwrap()]).0, Some(0));
    let folder = bench.path("views");
    let wrong = BLOOD_PRESSURE.replace("component", "componant");
    let circle = |name: &str, other: &str| MEANS.replace("means", name).replace("blood_pressure", other);
    write(&folder, &[("bp.json", &wrong), ("a.sql", &circle("a", "b")), ("b.sql", &circle("b", "a"))]);
    let view = folder.join("bp.json");
    let (code, _, error) = answered(&["views", "run", view.to_str().unwrap(), "--lake", &lake]);
    assert_eq!(code, Some(2));
    assert!(
        error.contains("select[1].forEach:\ncomponant\n^ Observation has no element componant"),
        "{error}"
    );
    let views = folder.to_str().unwrap();
    let (code, _, error) = answered(&["query", "--lake", &lake, "--views", views, "SELECT * FROM a"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("views select from each other in a circle: a → b → a"), "{error}");
}
