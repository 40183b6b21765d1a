//! What happens where the lake's own files are not what they were.

use fhirlake::Error;
use fhirlake::lake::Lake;
use fhirlake::pipeline::{self, IngestOptions, Observer, Settings, Step};

use crate::fixture::{Bench, ask, ingest, one};

/// Cuts a raw file short as soon as the lines are about to be read.
struct Cut(std::path::PathBuf);

impl Observer for Cut {
    fn begin(&self, step: Step, _: Option<u64>) {
        if step == Step::Stage {
            for run in std::fs::read_dir(&self.0).unwrap() {
                let file = run.unwrap().path().join("Patient.0.ndjson.zst");
                std::fs::File::options().write(true).open(file).unwrap().set_len(100).unwrap();
            }
        }
    }
    fn advance(&self, _: Step, _: u64) {}
    fn message(&self, _: Step, _: &str) {}
    fn end(&self, _: Step) {}
    fn note(&self, _: &str) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_gone_is_an_error_and_never_an_empty_table() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    std::fs::remove_dir_all(bench.path("lake/tables/Patient/_delta_log")).unwrap();
    let error = ask(&lake, "SELECT count(*) FROM Patient").await.unwrap_err();
    assert!(matches!(&error, Error::QueryFailed(text) if text.contains("tables/Patient")), "{error}");
    let opened = Lake::open(&lake).await.unwrap();
    assert!(matches!(pipeline::status::status(&opened).await, Err(Error::Damaged { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_file_that_was_cut_short_blocks_the_run_until_it_is_given_up() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let identity = fhirlake::lake::identity::Identity::of_files(None, None);
    let options = IngestOptions {
        paths: vec![bench.path("small-v1/Patient.ndjson")],
        reference: false,
        settings: Settings::default(),
    };
    let cut = Cut(bench.path("lake/raw"));
    let blocked = pipeline::ingest(&lake, &identity, &options, &cut).await.unwrap_err();
    let Error::Blocked { path, .. } = &blocked else { panic!("{blocked}") };
    assert!(blocked.to_string().contains(path), "{blocked}");
    // Trying again does not pass over it.
    assert!(matches!(ingest(&lake, &[bench.path("small-v1")]).await, Err(Error::Blocked { .. })));
    std::fs::write(bench.path("lake").join(path), "{}").unwrap();
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    assert_eq!(one(&lake, "SELECT count(*) FROM Patient").await, "17");
}
