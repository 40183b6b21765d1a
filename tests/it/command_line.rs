//! The program as a script sees it: help, exit codes, what goes where.

use std::process::{Command, Output};

use crate::fixture::{Bench, write_lines};

fn fhirlake(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fhirlake")).args(arguments).env_remove("FHIRLAKE_LAKE").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the program; its exit code, and what it says on stderr.
fn said(arguments: &[&str]) -> (Option<i32>, String) {
    let ended = fhirlake(arguments);
    (ended.status.code(), text(&ended.stderr))
}

#[test]
fn help_says_what_there_is_with_examples() {
    for command in [
        &[][..],
        &["demo"],
        &["export"],
        &["ingest"],
        &["query"],
        &["quality"],
        &["status"],
        &["views"],
        &["views", "export"],
        &["raw"],
        &["rebuild"],
        &["changes"],
        &["maintain"],
    ] {
        let arguments: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = text(&fhirlake(&arguments).stdout);
        let name = if command.is_empty() { "fhirlake".to_owned() } else { command.join("_") };
        insta::assert_snapshot!(format!("help_{name}"), help);
    }
}

#[test]
fn views_become_tables_and_a_script_reads_what_was_done() {
    let help = text(&fhirlake(&["views", "materialize", "--help"]).stdout);
    insta::assert_snapshot!("help_views_materialize", help);
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let patients = bench.path("small-v1/Patient.ndjson");
    assert_eq!(fhirlake(&["ingest", "--lake", &lake, patients.to_str().unwrap()]).status.code(), Some(0));
    for how in ["full", "up-to-date"] {
        let ended = fhirlake(&["views", "materialize", "--lake", &lake, "patients", "--format", "json"]);
        let done: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!((&done[0]["how"], &done[0]["table"]), (&how.into(), &"views/patients".into()), "{done}");
        assert_eq!((&done[0]["rows"], &done[0]["version"]), (&17.into(), &1.into()), "{done}");
    }
    let (code, error) = said(&["views", "materialize", "--lake", &lake, "patient"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("there is no view patient; there are patients, "), "{error}");
    for arguments in [&[][..], &["--all", "patients"]] {
        let all: Vec<&str> =
            ["views", "materialize", "--lake", &lake].iter().chain(arguments).copied().collect();
        assert_eq!(said(&all).0, Some(2), "{arguments:?}");
    }
    let file = std::fs::metadata(bench.path("lake/views/patients/_delta_log")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077, 0, "for its owner only");
}

#[test]
fn an_unknown_flag_or_command_is_an_error() {
    for arguments in [
        &["export", "--sincee", "x"][..],
        &["ingest", "--snapshot", "x"],
        &["serve"],
        &["query", "--lake", "x", "SELECT 1", "--format", "xml"],
    ] {
        assert_eq!(said(arguments).0, Some(2), "{arguments:?}");
    }
}

#[test]
fn flags_of_a_vacuum_and_of_other_maintenance_are_told_apart() {
    for (arguments, flag) in [
        (&["--vacuum", "--server", "https://ehr.example.org"][..], "--server"),
        (&["--vacuum", "--max-removals", "3"], "--max-removals"),
        (&["--vacuum", "--bearer-token", "x"], "--bearer-token"),
        (&["--retention", "3d"], "--retention"),
    ] {
        let all: Vec<&str> = ["maintain", "--lake", "none"].iter().chain(arguments).copied().collect();
        let (code, error) = said(&all);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(error.contains(flag) && error.contains("--vacuum"), "{error}");
    }
}

#[test]
fn bad_input_says_what_where_and_what_to_do() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let patients = bench.path("small-v1/Patient.ndjson");
    assert_eq!(fhirlake(&["ingest", "--lake", &lake, patients.to_str().unwrap()]).status.code(), Some(0));

    let (code, error) = said(&["query", "--lake", &lake, "SELECT birthdate FROM Patient"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("birthdate"), "{error}");
    let (code, error) = said(&["query", "--lake", &bench.lake("none"), "SELECT 1"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("there is no lake at"), "{error}");
    let (code, error) = said(&["ingest", "--lake", &lake, &bench.lake("nothing.ndjson")]);
    assert_eq!(code, Some(2));
    assert!(error.contains("nothing.ndjson"), "{error}");
    let file = patients.to_str().unwrap();
    let (code, error) = said(&["ingest", "--lake", &format!("{file}/lake"), file]);
    assert_eq!(code, Some(1));
    assert!(error.contains("cannot create the lake's folder"), "{error}");
    let (code, error) =
        said(&["export", "--server", "http://127.0.0.1:1/fhir", "--lake", &lake, "--group", "x"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("--level group"), "{error}");
    let (code, error) = said(&["raw", "get", "--lake", &lake, "Patient/nobody"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("no Patient of that id"), "{error}");
}

#[test]
fn quality_runs_what_there_is_for_the_version_of_the_lake() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quality/data-r5");
    let ingest = ["ingest", "--lake", &lake, "--fhir-version", "R5", "--validate", "none", data];
    assert_eq!(fhirlake(&ingest).status.code(), Some(0));
    let ended = fhirlake(&["quality", "--lake", &lake, "--format", "json"]);
    assert_eq!(ended.status.code(), Some(3), "{}", text(&ended.stderr));
    let outcomes: Vec<serde_json::Value> = serde_json::from_slice(&ended.stdout).unwrap();
    let names: Vec<&str> = outcomes.iter().filter_map(|outcome| outcome["name"].as_str()).collect();
    let expected = [
        "unresolved_references",
        "duplicate_patients",
        "duplicate_observations",
        "missing_codes",
        "implausible_dates",
        "completeness",
    ];
    assert_eq!(names, expected);
    let (code, error) = said(&["quality", "--lake", &lake, "omop_id_collisions"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("omop_id_collisions is not for FHIR R5, but for R4, R4B"), "{error}");
}

#[test]
fn quarantined_lines_are_exit_code_3() {
    let bench = Bench::new();
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &["{}"]);
    let (code, error) = said(&["ingest", "--lake", &bench.lake("lake"), folder.to_str().unwrap()]);
    assert_eq!(code, Some(3));
    assert!(error.contains("_quarantine"), "{error}");
}

#[test]
fn a_quarantined_line_is_listed_and_shown_as_fhir_says_it_and_as_it_came() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let bad = r#"{"resourceType":"Patient","id":"a b"}"#;
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &["{}", bad]);
    fhirlake(&["ingest", "--lake", &lake, folder.to_str().unwrap()]);
    let listed = fhirlake(&["quarantine", "list", "--lake", &lake, "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(
        (listed[1]["line_number"].as_i64(), listed[1]["issue_code"].as_str()),
        (Some(2), Some("value"))
    );
    let place = format!("{}:2", listed[1]["raw_file"].as_str().unwrap());
    let shown = fhirlake(&["quarantine", "show", "--lake", &lake, &place]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["issue"][0]["expression"][0], "Patient.id");
    let line = fhirlake(&["quarantine", "show", "--lake", &lake, "--show", "line", &place]);
    assert_eq!(text(&line.stdout), format!("{bad}\n"));
    assert_eq!(said(&["quarantine", "show", "--lake", &lake, "raw/x:1"]).0, Some(2));
}

#[test]
fn status_says_what_lives_in_rest() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let line = r#"{"resourceType":"Patient","id":"p","_birthDate":{"id":"b"},"address":[{"extension":[{"url":"x"}]},{"extension":[]}]}"#;
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[line]);
    // FHIR has no empty arrays.
    fhirlake(&["ingest", "--lake", &lake, "--validate", "none", folder.to_str().unwrap()]);
    let status = fhirlake(&["status", "--lake", &lake, "--format", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["tables"][0]["rest"], serde_json::json!({"_birthDate": 1, "address.extension": 2}));
    let shown = text(&fhirlake(&["status", "--lake", &lake]).stdout);
    assert!(shown.contains("Patient  address.extension                 2"), "{shown}");
}

#[test]
fn answers_go_to_stdout_in_the_format_that_is_asked_for() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let line = r#"{"resourceType":"Patient","id":"p","birthDate":"1970-05-06","gender":"female"}"#;
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[line]);
    let report = fhirlake(&["ingest", "--lake", &lake, folder.to_str().unwrap(), "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (report["counts"][0]["inserted"].as_i64(), report["status"].as_str()),
        (Some(1), Some("finished"))
    );

    let sql = "SELECT patient_id, birth_date, birth_year FROM patients";
    let query = |format: &str, sql: &str| {
        text(&fhirlake(&["query", "--lake", &lake, "--format", format, sql]).stdout)
    };
    assert_eq!(query("csv", sql), "patient_id,birth_date,birth_year\np,1970-05-06,1970\n");
    assert_eq!(
        query("ndjson", sql),
        "{\"patient_id\":\"p\",\"birth_date\":\"1970-05-06\",\"birth_year\":1970}\n"
    );
    assert_eq!(
        query("json", sql).trim(),
        r#"[{"patient_id":"p","birth_date":"1970-05-06","birth_year":1970}]"#
    );
    let table = query("table", sql);
    assert!(table.starts_with("+-") && table.contains("| p          | 1970-05-06 | 1970       |"), "{table}");
    let nothing = format!("{sql} WHERE false");
    assert_eq!(query("csv", &nothing), "patient_id,birth_date,birth_year\n");
    assert_eq!(query("json", &nothing).trim(), "[]");
    assert_eq!(query("ndjson", &nothing), "");

    assert_eq!(text(&fhirlake(&["raw", "get", "--lake", &lake, "Patient/p"]).stdout), format!("{line}\n"));
    let status = fhirlake(&["status", "--lake", &lake, "--format", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["tables"][0]["name"], "Patient");
    let views = fhirlake(&["views", "list", "--format", "json"]);
    let views: serde_json::Value = serde_json::from_slice(&views.stdout).unwrap();
    let all = fhirlake::views::all().len() + fhirlake::views::omop::all().len();
    assert_eq!(views.as_array().unwrap().len(), all);
}

#[test]
fn a_query_that_fails_leaves_its_output_file_and_tells_no_values() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    fhirlake(&["ingest", "--lake", &lake, bench.path("small-v1/Patient.ndjson").to_str().unwrap()]);
    let kept = bench.path("keep.csv");
    std::fs::write(&kept, "kept").unwrap();
    let to_kept = |sql: &str| {
        said(&["query", "--lake", &lake, "--format", "csv", "--output", kept.to_str().unwrap(), sql])
    };
    let (code, error) = to_kept("SELECT name FROM Patient");
    assert_eq!(code, Some(2), "{error}");
    let (code, error) = to_kept("SELECT CAST(name[1]['family'] AS INT) FROM Patient ORDER BY id LIMIT 1");
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("Cannot cast string … to"), "{error}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "kept");
    assert_eq!(to_kept("SELECT count(*) AS n FROM Patient"), (Some(0), String::new()));
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "n\n17\n");
    let twice = said(&[
        "query",
        "--lake",
        &lake,
        "--format",
        "ndjson",
        "SELECT a.id, b.id FROM Patient a JOIN Patient b USING (id)",
    ]);
    assert_eq!(twice.0, Some(2), "{}", twice.1);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    fhirlake(&["ingest", "--lake", &lake, bench.path("small-v1/Observation.ndjson").to_str().unwrap()]);
    for format in ["csv", "ndjson", "json", "table"] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_fhirlake"))
            .args([
                "query",
                "--lake",
                &lake,
                "--format",
                format,
                "SELECT id, __raw_file, __export_id FROM Observation",
            ])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(process.stdout.take());
        let ended = process.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), text(&ended.stderr).as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn an_address_with_a_password_in_it_is_refused_everywhere() {
    let bench = Bench::new();
    let file = bench.path("small-v1/Patient.ndjson");
    let base = "http://user:s3cr3t@ehr.example.org/fhir";
    let (code, error) =
        said(&["ingest", "--lake", &bench.lake("lake"), "--server-base", base, file.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(!error.contains("s3cr3t"), "{error}");
    assert!(!bench.path("lake").exists());
}

#[test]
fn a_demos_lake_takes_nothing_else() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    assert_eq!(fhirlake(&["demo", "--lake", &lake]).status.code(), Some(0));
    let (code, error) = said(&["ingest", "--lake", &lake, bench.path("small-v1").to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(error.contains("choose another --lake"), "{error}");
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let file = bench.path("small-v1/Patient.ndjson");
    fhirlake(&["ingest", "--lake", &bench.lake("lake"), file.to_str().unwrap()]);
    let mut open = vec![bench.path("lake")];
    let mut files = 0;
    while let Some(path) = open.pop() {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files += 1;
        }
    }
    assert!(files > 5);
}
