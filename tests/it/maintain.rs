//! Maintenance changes files, and nothing that anybody reads.

use std::time::Duration;

use delta_upsert::{data_file, removed};
use fhirlake::lake::exports::Exports;
use fhirlake::lake::{Lake, table};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, MaintainOptions};

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
    assert!(pipeline::vacuum(&lake, day, &Unwatched).await.unwrap().is_empty(), "all of it is of today");
    for (run, rows) in of_runs.iter().enumerate() {
        assert_eq!(rows_of_run(&lake, run).await.unwrap(), *rows);
    }
    let done = pipeline::vacuum(&lake, Duration::ZERO, &Unwatched).await.unwrap();
    assert!(done.iter().any(|table| table.table == "Patient" && table.files >= 2), "{done:?}");
    assert!(!orphan.exists());
    assert_eq!(contents(&lake).await, before);
    assert_eq!(rows_of_run(&lake, 2).await.unwrap(), of_runs[2]);
    assert!(rows_of_run(&lake, 0).await.is_err(), "its files are gone");
    // Keys went with their files, and the next run finds its rows by those that are left.
    let report = ingest(&lake, &[bench.part("small-v1"), bench.part("small-v2")]).await.unwrap();
    assert_eq!(report.run.counts.iter().map(|count| count.inserted + count.updated).sum::<i64>(), 0);
    assert!(
        pipeline::vacuum(&lake, Duration::ZERO, &Unwatched)
            .await
            .unwrap()
            .iter()
            .all(|table| table.table.starts_with('_'))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_leaves_the_files_of_a_run_that_was_interrupted() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let plan = std::fs::read(bench.path("lake/_runs/ingest/1/plan.json")).unwrap();
    let mut plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    plan["seq"] = 2.into();
    std::fs::create_dir_all(bench.path("lake/_runs/ingest/2")).unwrap();
    std::fs::write(bench.path("lake/_runs/ingest/2/plan.json"), plan.to_string()).unwrap();
    let staged = bench.path("lake/tables/Patient/part-ingest-2-abc-00000.parquet");
    std::fs::write(&staged, "staged").unwrap();
    pipeline::vacuum(&lake, Duration::ZERO, &Unwatched).await.unwrap();
    assert!(staged.exists());
}
