//! Maintenance changes files, and nothing that anybody reads.

use fhirlake::lake::{Lake, table};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, MaintainOptions};

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
