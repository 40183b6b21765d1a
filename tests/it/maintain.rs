//! Maintenance changes files, and nothing that anybody reads.

use std::path::Path;
use std::time::{Duration, SystemTime};

use delta_upsert::{data_file, removed};
use fhirlake::Error;
use fhirlake::lake::exports::Exports;
use fhirlake::lake::{Lake, table};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, MaintainOptions, VacuumOptions, Vacuumed};

use futures::StreamExt;

use crate::fixture::{Bench, contents, ingest, one};

#[tokio::test(flavor = "multi_thread")]
async fn files_come_together_and_every_reader_sees_the_same() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.path(name)]).await.unwrap();
    }
    let before = contents(&lake).await;
    let options = MaintainOptions { fold: true, ..MaintainOptions::default() };
    let done = pipeline::maintain(&lake, &options, &Unwatched).await.unwrap();
    assert!(done.iter().any(|table| table.rows_folded > 0 && table.files_after == 1), "{done:?}");
    assert_eq!(contents(&lake).await, before);
    let opened = Lake::open(&lake).await.unwrap();
    let observations = table::open(&opened.root, "Observation").await.unwrap().unwrap();
    assert_eq!(observations.files().unwrap().len(), 1);
    // Queries read the new files, and the next run finds its rows in them.
    let pinned =
        one(&lake, "SELECT max(CAST(seq AS BIGINT)) FROM _exports WHERE pipeline = 'maintain'").await;
    assert_eq!(pinned, "1");
    let report = ingest(&lake, &[bench.path("small-v1"), bench.path("small-v2")]).await.unwrap();
    assert_eq!(report.run.counts.iter().map(|count| count.inserted + count.updated).sum::<i64>(), 0);
    assert_eq!(contents(&lake).await, before);
    assert!(pipeline::maintain(&lake, &options, &Unwatched).await.unwrap().is_empty());
}

/// How many rows the lake's tables had when a run had finished.
async fn rows_of_run(lake: &str, run: usize) -> fhirlake::Result<i64> {
    let opened = Lake::open(lake).await?;
    let exports = Exports::read(&opened.root).await?;
    let mut rows = 0;
    for (name, version) in &exports.0[run].table_versions {
        let table = table::open_at(&opened.root, name, u64::try_from(*version).ok()).await?.unwrap();
        for file in table.files()? {
            let mut batches = data_file::read(&table, &file, Some(&["id", "export_id"])).await?;
            while let Some(batch) = batches.next().await {
                rows += batch.map_err(|e| fhirlake::Error::Query(e.to_string()))?.num_rows() as i64;
            }
            rows -= removed(&table, &file).await?.len() as i64;
        }
    }
    Ok(rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_leaves_what_runs_within_retention_need_and_nothing_else() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    let options = MaintainOptions { fold: true, ..MaintainOptions::default() };
    pipeline::maintain(&lake, &options, &Unwatched).await.unwrap();
    let orphan = bench.path("lake/tables/Patient/part-ingest-1-orphan-00000.parquet");
    std::fs::write(&orphan, "of a run that was killed").unwrap();
    let mut of_runs = Vec::new();
    for run in 0..3 {
        of_runs.push(rows_of_run(&lake, run).await.unwrap());
    }
    let (before, day) = (contents(&lake).await, Duration::from_secs(24 * 3600));
    assert!(vacuum(&lake, day).await.unwrap().is_empty(), "all of it is of today");
    for (run, rows) in of_runs.iter().enumerate() {
        assert_eq!(rows_of_run(&lake, run).await.unwrap(), *rows);
    }
    let done = vacuum(&lake, Duration::ZERO).await.unwrap();
    assert!(done.iter().any(|table| table.table == "Patient" && table.files >= 2), "{done:?}");
    assert!(!orphan.exists());
    assert_eq!(contents(&lake).await, before);
    assert_eq!(rows_of_run(&lake, 2).await.unwrap(), of_runs[2]);
    assert!(rows_of_run(&lake, 0).await.is_err(), "its files are gone");
    // Keys went with their files, and the next run finds its rows by those that are left.
    let report = ingest(&lake, &[bench.part("small-v1"), bench.part("small-v2")]).await.unwrap();
    assert_eq!(report.run.counts.iter().map(|count| count.inserted + count.updated).sum::<i64>(), 0);
    assert!(vacuum(&lake, Duration::ZERO).await.unwrap().iter().all(|table| table.table.starts_with('_')));
}

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn vacuum(lake: &str, retention: Duration) -> fhirlake::Result<Vec<Vacuumed>> {
    pipeline::vacuum(lake, &VacuumOptions { types: Vec::new(), retention }, &Unwatched).await
}

/// Makes a file older than it is.
fn age(path: &Path, by: Duration) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

/// Makes all files of a folder older than they are, and the commits in it.
fn age_all(folder: &Path, by: Duration) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age_all(&path, by);
            continue;
        }
        if path.parent().unwrap().ends_with("_delta_log") && path.extension().unwrap() == "json" {
            date(&path, chrono::Utc::now() - by);
        }
        age(&path, by);
    }
}

/// Sets the instant that a commit says it was made at.
fn date(commit: &Path, at: chrono::DateTime<chrono::Utc>) {
    edit(commit, |action| {
        if let Some(info) = action.get_mut("commitInfo") {
            info["timestamp"] = at.timestamp_millis().into();
        }
    });
}

/// Changes each action of a commit.
fn edit(commit: &Path, change: impl Fn(&mut serde_json::Value)) {
    let mut text = String::new();
    for line in std::fs::read_to_string(commit).unwrap().lines() {
        let mut action: serde_json::Value = serde_json::from_str(line).unwrap();
        change(&mut action);
        text += &format!("{action}\n");
    }
    std::fs::write(commit, text).unwrap();
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Begins run 2 of the pipeline `ingest`, as if so long ago, and does not finish it.
fn begin_second(bench: &Bench, ago: Duration) {
    let plan = std::fs::read(bench.path("lake/_runs/ingest/1/plan.json")).unwrap();
    let mut plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    plan["seq"] = 2.into();
    plan["started_at"] = serde_json::to_value(chrono::Utc::now() - ago).unwrap();
    std::fs::create_dir_all(bench.path("lake/_runs/ingest/2")).unwrap();
    std::fs::write(bench.path("lake/_runs/ingest/2/plan.json"), plan.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_leaves_all_that_a_run_may_have_written_that_is_not_finished() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    begin_second(&bench, 3 * DAY);
    let file = |name: &str, days| {
        let path = bench.path("lake").join(name);
        std::fs::write(&path, "staged").unwrap();
        age(&path, days * DAY);
        path
    };
    let its = [
        file("tables/Patient/part-ingest-2-abc-00000.parquet", 2),
        file("tables/Patient/deletion_vector_abc.bin", 2),
        file("tables/Patient/part-other-1-abc-00000.parquet", 2),
        file("keys/Patient/part-other-2-abc-00000.keys", 2),
    ];
    let before = file("tables/Patient/deletion_vector_def.bin", 4);
    vacuum(&lake, DAY).await.unwrap();
    assert!(its.iter().all(|path| path.exists()));
    assert!(!before.exists(), "nothing that is not finished can have written it");
    let refused = vacuum(&lake, Duration::ZERO).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("is not finished")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_of_all_that_is_young_does_not_go_on_beside_a_run() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let opened = Lake::open(&lake).await.unwrap();
    let lease = pipeline::run::lease(&opened.root, "ingest").await.unwrap();
    assert!(matches!(vacuum(&lake, Duration::ZERO).await, Err(Error::Refused(_))));
    vacuum(&lake, DAY).await.unwrap();
    drop(lease);
    vacuum(&lake, Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_leaves_what_the_last_run_has_pinned_however_old_it_is() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    let before = contents(&lake).await;
    copy(&bench.path("lake/tables/_exports"), &bench.path("exports"));
    // A version that no run has pinned takes all files of the pinned one out, and is old as well.
    let options = MaintainOptions { fold: true, ..MaintainOptions::default() };
    pipeline::maintain(&lake, &options, &Unwatched).await.unwrap();
    std::fs::remove_dir_all(bench.path("lake/tables/_exports")).unwrap();
    copy(&bench.path("exports"), &bench.path("lake/tables/_exports"));
    assert_eq!(contents(&lake).await, before);
    age_all(&bench.path("lake/tables"), 3 * DAY);
    vacuum(&lake, DAY).await.unwrap();
    assert_eq!(contents(&lake).await, before, "the pinned versions can be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_a_late_clock_hides_none_that_is_within_retention() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    let options = MaintainOptions { fold: true, ..MaintainOptions::default() };
    pipeline::maintain(&lake, &options, &Unwatched).await.unwrap();
    let rows = rows_of_run(&lake, 0).await.unwrap();
    let log = bench.path("lake/tables/Patient/_delta_log");
    let newest = std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path());
    let newest = newest.filter(|path| path.extension().is_some_and(|end| end == "json")).max().unwrap();
    date(&newest, chrono::DateTime::UNIX_EPOCH);
    age(&newest, 3 * DAY);
    for entry in std::fs::read_dir(bench.path("lake/tables/Patient")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            age(&path, 3 * DAY);
        }
    }
    vacuum(&lake, DAY).await.unwrap();
    assert_eq!(rows_of_run(&lake, 0).await.unwrap(), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_log_was_cleaned_is_told_and_the_others_are_vacuumed() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    let condition = Lake::open(&lake).await.unwrap();
    let condition = table::open(&condition.root, "Condition").await.unwrap().unwrap();
    deltalake::protocol::checkpoints::create_checkpoint(condition.delta(), None).await.unwrap();
    std::fs::remove_file(bench.path("lake/tables/Condition/_delta_log/00000000000000000000.json")).unwrap();
    std::fs::remove_file(bench.path("lake/tables/Condition/_delta_log/00000000000000000001.json")).unwrap();
    for name in ["Condition", "Patient"] {
        let orphan = bench.path(&format!("lake/tables/{name}/orphan.parquet"));
        std::fs::write(&orphan, "of nobody").unwrap();
        age(&orphan, 3 * DAY);
    }
    let done = vacuum(&lake, DAY).await.unwrap();
    let of = |name: &str| done.iter().find(|table| table.table == name).unwrap();
    let skipped = of("Condition").skipped.as_deref();
    assert_eq!(skipped, Some("its log goes back to version 2 only; choose a shorter --retention"));
    assert_eq!((of("Patient").files, &of("Patient").skipped), (1, &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_of_some_types_leaves_the_other_tables_alone() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let orphans = ["Condition", "Patient"].map(|name| {
        let orphan = bench.path(&format!("lake/tables/{name}/orphan.parquet"));
        std::fs::write(&orphan, "of nobody").unwrap();
        orphan
    });
    let options = VacuumOptions { types: vec!["Patient".to_owned()], retention: Duration::ZERO };
    let done = pipeline::vacuum(&lake, &options, &Unwatched).await.unwrap();
    assert_eq!(done.iter().map(|table| table.table.as_str()).collect::<Vec<_>>(), ["Patient"]);
    assert_eq!(orphans.map(|orphan| orphan.exists()), [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_leaves_the_change_data_that_another_program_has_written_within_retention() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let data = bench.path("lake/tables/Patient/_change_data");
    std::fs::create_dir_all(&data).unwrap();
    let files = ["told.parquet", "orphan.parquet"].map(|name| data.join(name));
    for file in &files {
        std::fs::write(file, "changes").unwrap();
        age(file, 3 * DAY);
    }
    let newest = bench.path("lake/tables/Patient/_delta_log/00000000000000000001.json");
    let cdc =
        r#"{"cdc":{"path":"_change_data/told.parquet","partitionValues":{},"size":7,"dataChange":false}}"#;
    let commit = std::fs::read_to_string(&newest).unwrap();
    std::fs::write(&newest, format!("{commit}{}{cdc}\n", if commit.ends_with('\n') { "" } else { "\n" }))
        .unwrap();
    vacuum(&lake, DAY).await.unwrap();
    assert_eq!(files.map(|file| file.exists()), [true, false]);
}
