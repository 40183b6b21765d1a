//! Folders that are wrong: said where, and nothing changed.

use std::path::Path;

use fhir_bulk_server::{Dataset, DatasetError};
use tempfile::TempDir;

use crate::client::folder;

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn a_wrong_line_is_named_by_file_and_line() {
    for (content, reason) in [
        ("{\"resourceType\":\"Patient\",\"id\":\"1\"}\n\n{\n", "is not JSON"),
        ("{}\r\n", "has no resourceType"),
        ("{\"resourceType\":\"Patient\"}", "has no id"),
        (
            "{\"resourceType\":\"Patient\",\"id\":\"1\",\"meta\":{\"lastUpdated\":\"2026\"}}",
            "no FHIR instant",
        ),
        (
            "{\"resourceType\":\"Patient\",\"id\":\"1\"}\n{\"resourceType\":\"Patient\",\"id\":\"1\"}\n",
            "repeats",
        ),
    ] {
        let folder = folder_with(&[("Patient.ndjson", content)]);
        let message = Dataset::open(folder.path()).unwrap_err().to_string();
        let line = content.trim_end().matches('\n').count() + 1;
        assert!(message.contains(reason), "{message}");
        assert!(message.contains(&format!("Patient.ndjson line {line}")), "{message}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = Dataset::open(Path::new("no/such/folder")).unwrap_err();
    assert!(matches!(&error, DatasetError::Read { path, .. } if path == Path::new("no/such/folder")));
}

#[test]
fn other_files_are_left_alone() {
    let folder = folder_with(&[("expected.json", "[]"), ("deleted/Bundle.ndjson", "not read by open")]);
    assert!(Dataset::open(folder.path()).is_ok());
}

#[test]
fn a_wrong_deletion_is_named() {
    let bundle = |meta: &str, entry: &str| {
        format!(r#"{{"resourceType":"Bundle","type":"transaction"{meta},"entry":[{{"request":{entry}}}]}}"#)
    };
    let at = r#","meta":{"lastUpdated":"2026-02-01T00:00:00Z"}"#;
    for (line, reason) in [
        (r#"{"resourceType":"Bundle","type":"collection"}"#.to_owned(), "not a Bundle of type transaction"),
        (bundle("", r#"{"method":"DELETE","url":"Patient/p1"}"#), "no meta.lastUpdated"),
        (bundle(at, r#"{"method":"PUT","url":"Patient/p1"}"#), "no DELETE"),
        (bundle(at, r#"{"method":"DELETE","url":"Patient?identifier=1"}"#), "not Type/id"),
    ] {
        let changes = folder_with(&[("deleted/Bundle.ndjson", &line)]);
        let mut dataset = Dataset::open(&folder("base")).unwrap();
        let message = dataset.apply(changes.path()).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn a_change_that_no_client_would_ever_see_is_refused() {
    let early = r#"{"resourceType":"Patient","id":"new","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;
    let changes = folder_with(&[("Patient.ndjson", early)]);
    let mut dataset = Dataset::open(&folder("base")).unwrap();
    let error = dataset.apply(changes.path()).unwrap_err();
    assert!(matches!(error, DatasetError::NotLater { .. }), "{error}");
    // Nothing was changed: the same folder as in every other test still applies as if it were the first.
    assert!(dataset.apply(&folder("changes")).unwrap().created.keys().eq(["Observation"]));
}

#[test]
fn applying_the_same_folder_twice_changes_nothing_the_second_time() {
    let mut dataset = Dataset::open(&folder("base")).unwrap();
    dataset.apply(&folder("changes")).unwrap();
    assert_eq!(dataset.apply(&folder("changes")).unwrap(), Default::default());
}

#[tokio::test]
async fn a_file_that_is_overwritten_later_does_not_reach_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Basic.ndjson");
    std::fs::write(&file, "{\"resourceType\":\"Basic\",\"id\":\"b\",\"language\":\"de\"}\n").unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let server = fhir_bulk_server::BulkServer::start(dataset, Default::default()).await.unwrap();
    std::fs::write(&file, "x").unwrap();
    let read = crate::client::get(&server, "Basic/b").send().await.unwrap().text().await.unwrap();
    assert!(read.contains("\"language\":\"de\""));
}
