//! Files into tables: what stands, what is unchanged, what is never resurrected.

use std::collections::BTreeSet;

use fhirlake::Error;

use crate::fixture::{Bench, ask, contents, expected, export, ingest, one, part, write_lines};

#[tokio::test(flavor = "multi_thread")]
async fn an_increment_changes_adds_and_deletes_exactly_what_it_says() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1")]).await.unwrap();
    let before = contents(&lake).await;
    let report = ingest(&lake, &[bench.path("small-v2")]).await.unwrap();
    let after = contents(&lake).await;

    assert!(report.is_clean());
    let mut total = 0;
    for (name, expected) in expected(&bench) {
        let (before, after) = (&before[&name], &after[&name]);
        let added: BTreeSet<_> = after.keys().filter(|id| !before.contains_key(*id)).cloned().collect();
        let deleted: BTreeSet<_> = before.keys().filter(|id| !after.contains_key(*id)).cloned().collect();
        let changed: BTreeSet<_> = after
            .iter()
            .filter(|(id, hash)| before.get(*id).is_some_and(|b| b != *hash))
            .map(|(id, _)| id.clone())
            .collect();
        assert_eq!(added, expected.added.into_iter().collect(), "{name}");
        assert_eq!(deleted, expected.deleted.into_iter().collect(), "{name}");
        assert_eq!(changed, expected.changed.into_iter().collect(), "{name}");
        assert_eq!(after.len() - added.len() - changed.len(), expected.unchanged, "{name}");
        total += after.len();
    }
    assert_eq!(total, 6185);
    assert_eq!(one(&lake, "SELECT count(*) FROM _deletions").await, "117");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_export_that_comes_later_resurrects_nothing() {
    let bench = Bench::new();
    let (forward, backward) = (bench.lake("forward"), bench.lake("backward"));
    for (lake, order) in [(&forward, ["small-v1", "small-v2"]), (&backward, ["small-v2", "small-v1"])] {
        for name in order {
            ingest(lake, &[bench.part(name)]).await.unwrap();
        }
    }
    assert_eq!(contents(&forward).await, contents(&backward).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_loaded_before_change_nothing_and_are_not_kept_twice() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v2")]).await.unwrap();
    let before = contents(&lake).await;
    let again = ingest(&lake, &[bench.path("small-v2")]).await.unwrap();
    assert!(again.run.counts.iter().all(|c| c.inserted + c.updated + c.deleted + c.quarantined == 0));
    assert_eq!(again.run.counts.iter().map(|c| c.unchanged).sum::<i64>(), 447);
    let kept = bench.path("lake").join("raw").join(&again.run.export_id);
    let kept: Vec<_> = std::fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept, ["deleted"], "what was said of deletions is read again");
    assert_eq!(contents(&lake).await, before);
    let versions = "SELECT DISTINCT map_extract(table_versions, 'Patient') FROM _exports";
    assert_eq!(
        ask(&lake, versions).await.unwrap(),
        [["[1]"]],
        "no table of a resource type has a new version"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_lines_in_another_file_are_unchanged_and_keep_their_lineage() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let before = ask(&lake, "SELECT id, __export_id, __raw_offset FROM Patient ORDER BY id").await.unwrap();
    let mut lines = std::fs::read(bench.path("small-v1/Patient.ndjson")).unwrap();
    lines.insert(0, b'\n');
    std::fs::write(bench.path("again.ndjson"), lines).unwrap();
    let report = ingest(&lake, &[bench.path("again.ndjson")]).await.unwrap();
    assert_eq!(report.run.counts[0].unchanged, 17);
    assert_eq!(
        ask(&lake, "SELECT id, __export_id, __raw_offset FROM Patient ORDER BY id").await.unwrap(),
        before
    );
}

const OLD: &str =
    r#"{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"2026-01-01T00:00:00Z"},"gender":"male"}"#;
const NEW: &str = r#"{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"2026-03-01T00:00:00+01:00"},"gender":"female"}"#;
const DELETED: &str = r#"{"resourceType":"Bundle","type":"transaction","meta":{"lastUpdated":"2026-02-01T00:00:00Z"},"entry":[{"request":{"method":"DELETE","url":"Patient/p"}}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_twice_in_one_run_is_one_row_of_the_later_version() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("twice"), "Patient.ndjson", &[OLD, NEW, OLD]);
    let report = ingest(&lake, &[folder]).await.unwrap();
    let counts = &report.run.counts[0];
    assert_eq!((counts.file_count, counts.inserted, counts.unchanged), (3, 1, 2));
    assert_eq!(one(&lake, "SELECT gender FROM Patient").await, "female");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_covers_what_is_older_and_lets_newer_versions_in() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let deleted = write_lines(&bench.path("deleted-first"), "deleted/Bundle.ndjson", &[DELETED]);
    ingest(&lake, &[deleted]).await.unwrap();
    let old = write_lines(&bench.path("old"), "Patient.ndjson", &[OLD]);
    ingest(&lake, &[old]).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "0");
    let new = write_lines(&bench.path("new"), "Patient.ndjson", &[NEW]);
    let report = ingest(&lake, &[new]).await.unwrap();
    assert_eq!(report.run.counts[0].inserted, 1);
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_gives_the_files_their_time_and_the_lake_its_watermark() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("exported"), "Patient.ndjson", &[OLD]);
    let manifest = r#"{"transactionTime":"2026-01-02T00:00:00.000+02:00","request":"https://ehr.example.org/fhir/$export?_type=Patient","requiresAccessToken":false,"output":[],"error":[]}"#;
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
    let report = ingest(&lake, &[folder]).await.unwrap();
    assert_eq!(report.run.transaction_time, "2026-01-02T00:00:00.000+02:00");
    assert_eq!(report.run.watermarks["*"], "2026-01-02T00:00:00.000+02:00");
    let kept = bench.path("lake").join("raw").join(&report.run.export_id).join("manifest.json");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), manifest);
}

/// A manifest of that time, without promises.
fn manifest(folder: &std::path::Path, transaction_time: &str) {
    let manifest = format!(
        r#"{{"transactionTime":"{transaction_time}","request":"https://ehr.example.org/fhir/$export","requiresAccessToken":false,"output":[],"error":[]}}"#
    );
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_words_of_a_deletion_delete_again_at_a_later_time() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let version = |month: u32| {
        format!(
            r#"{{"resourceType":"Patient","id":"p","meta":{{"lastUpdated":"2026-0{month}-01T00:00:00Z"}}}}"#
        )
    };
    let deleted = DELETED.replace(r#","meta":{"lastUpdated":"2026-02-01T00:00:00Z"}"#, "");
    for month in 1..=4 {
        let folder = bench.path(&format!("month-{month}"));
        match month % 2 {
            1 => write_lines(&folder, "Patient.ndjson", &[&version(month)]),
            _ => write_lines(&folder, "deleted/Bundle.ndjson", &[&deleted]),
        };
        manifest(&folder, &format!("2026-0{month}-02T00:00:00Z"));
        ingest(&lake, &[folder]).await.unwrap();
        assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, (month % 2).to_string(), "{month}");
    }
    assert_eq!(one(&lake, "SELECT count(*) FROM _deletions").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wrong_with_files_is_told_again_when_they_come_again() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[OLD, "{}"]);
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}"#;
    write_lines(&folder, "error/OperationOutcome.ndjson", &[outcome]);
    manifest(&folder, "2026-05-01T00:00:00Z");
    for time in ["first", "second"] {
        let report = ingest(&lake, std::slice::from_ref(&folder)).await.unwrap();
        assert!(!report.is_clean() && report.run.watermarks.is_empty(), "{time}");
        assert_eq!(report.run.counts[0].quarantined, 1, "{time}");
        assert_eq!(report.run.outcomes.len(), 1, "{time}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_ends_within_a_line_holds_the_watermark() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[OLD]);
    let cut = format!("{OLD}\n{}", &NEW[..NEW.len() - 9]);
    std::fs::write(folder.join("Patient.ndjson"), cut).unwrap();
    manifest(&folder, "2026-05-01T00:00:00Z");
    let report = ingest(&lake, &[folder]).await.unwrap();
    assert!(report.run.watermarks.is_empty());
    assert!(report.warnings.iter().any(|text| text.contains("ends within a line")), "{:?}", report.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_a_lake_gives_its_data_stays() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let server = bench.server().await;
    export(&server, &lake, &part()).await.unwrap();
    assert_eq!(ask(&lake, "SELECT DISTINCT __source FROM Condition").await.unwrap(), [["local"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subsetted_resource_never_takes_the_place_of_a_complete_one() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let subsetted = NEW.replace(
        r#"+01:00""#,
        r#"+01:00","tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]"#,
    );
    let complete = write_lines(&bench.path("complete"), "Patient.ndjson", &[OLD]);
    let partial = write_lines(&bench.path("partial"), "Patient.ndjson", &[&subsetted]);
    ingest(&lake, &[complete]).await.unwrap();
    ingest(&lake, &[partial]).await.unwrap();
    assert_eq!(one(&lake, "SELECT gender FROM Patient").await, "male");
    assert_eq!(one(&lake, "SELECT gender FROM `_partial/Patient`").await, "female");
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_files_are_the_same_resources() {
    use std::io::Write;
    let bench = Bench::new();
    let plain = std::fs::read(bench.path("small-v1/Patient.ndjson")).unwrap();
    let folder = bench.path("compressed");
    std::fs::create_dir(&folder).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&plain).unwrap();
    std::fs::write(folder.join("Patient.ndjson.gz"), gz.finish().unwrap()).unwrap();
    let devices = std::fs::read(bench.path("small-v1/Device.ndjson")).unwrap();
    std::fs::write(folder.join("Device.ndjson.zst"), zstd::encode_all(&devices[..], 3).unwrap()).unwrap();
    let report = ingest(&bench.lake("lake"), &[folder]).await.unwrap();
    let counts: Vec<_> = report.run.counts.iter().map(|c| (c.resource_type.as_str(), c.inserted)).collect();
    assert_eq!(counts, [("Device", 33), ("Patient", 17)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_ndjson_is_refused_before_a_lake_is_made() {
    let bench = Bench::new();
    std::fs::write(bench.path("table.ndjson"), "id,name\n1,x\n").unwrap();
    let refused = ingest(&bench.lake("lake"), &[bench.path("table.ndjson")]).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    assert!(!bench.path("lake").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_last_updated_the_later_snapshot_stands_in_whatever_order_they_come() {
    let bench = Bench::new();
    let snapshot = |day: u32, gender: &str| {
        let line = format!(r#"{{"resourceType":"Patient","id":"p","gender":"{gender}"}}"#);
        let folder = write_lines(&bench.path(&format!("day-{day}")), "Patient.ndjson", &[&line]);
        let manifest = format!(
            r#"{{"transactionTime":"2026-05-0{day}T00:00:00Z","request":"https://ehr.example.org/fhir/$export","requiresAccessToken":false,"output":[{{"type":"Patient","url":"https://ehr.example.org/1","count":1}}],"error":[]}}"#
        );
        std::fs::write(folder.join("manifest.json"), manifest).unwrap();
        folder
    };
    let days = [snapshot(1, "male"), snapshot(2, "other"), snapshot(3, "female")];
    for (n, order) in [[0, 2, 1], [2, 1, 0], [0, 1, 2]].into_iter().enumerate() {
        let lake = bench.lake(&format!("lake-{n}"));
        ingest(&lake, &[days[order[0]].clone(), days[order[1]].clone()]).await.unwrap();
        ingest(&lake, &[days[order[2]].clone()]).await.unwrap();
        assert_eq!(one(&lake, "SELECT gender FROM Patient").await, "female", "{order:?}");
        assert_eq!(
            one(&lake, "SELECT count(*) FROM _exports").await,
            "3",
            "each manifest is a run of its own"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_manifest_promises_and_the_folder_lacks_holds_the_watermark() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("exported"), "Patient.ndjson", &[OLD]);
    let manifest = r#"{"transactionTime":"2026-05-01T00:00:00Z","request":"https://ehr.example.org/fhir/$export","requiresAccessToken":false,"output":[{"type":"Patient","url":"https://ehr.example.org/1","count":2},{"type":"Observation","url":"https://ehr.example.org/2"}],"error":[]}"#;
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
    let report = ingest(&lake, std::slice::from_ref(&folder)).await.unwrap();
    assert!(!report.is_clean() && report.run.watermarks.is_empty());
    assert!(report.warnings.iter().any(|text| text.starts_with("Patient: ")), "{:?}", report.warnings);
    assert!(report.warnings.iter().any(|text| text.starts_with("Observation: ")), "{:?}", report.warnings);

    std::fs::write(folder.join("manifest.json"), manifest.replace("2026-05-01T00:00:00Z", "yesterday"))
        .unwrap();
    assert!(matches!(ingest(&lake, &[folder]).await, Err(Error::Refused(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_neither_blank_nor_a_resource_is_counted_once_and_quarantined() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[OLD, "\u{c}", " \t\r", "\u{feff}"]);
    let report = ingest(&lake, &[folder]).await.unwrap();
    let counts = &report.run.counts[0];
    assert_eq!((counts.file_count, counts.inserted, counts.quarantined), (3, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_no_finer_than_a_microsecond() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let fine = OLD.replace("2026-01-01T00:00:00Z", "2026-02-01T00:00:00.0000009Z");
    let folder = write_lines(&bench.path("in"), "Patient.ndjson", &[&fine]);
    write_lines(&folder, "deleted/Bundle.ndjson", &[DELETED]);
    ingest(&lake, &[folder]).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_runs_is_left_alone() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let opened = fhirlake::lake::Lake::open(&lake).await.unwrap();
    let held = fhirlake::pipeline::run::lease(&opened.root, "ingest").await.unwrap();
    let refused = ingest(&lake, &[bench.path("small-v1/Device.ndjson")]).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(text) if text.contains("another process")), "{refused}");
    drop(held);
    ingest(&lake, &[bench.path("small-v1/Device.ndjson")]).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM Device").await, "33");
}
