//! What happens where the lake's own files are not what they were.

use fhirlake::Error;
use fhirlake::pipeline::{self, IngestOptions, Observer, Step};

use crate::fixture::{Bench, ingest, one};

/// Cuts a raw file short as soon as the lines are about to be read.
struct Cut(std::path::PathBuf);

impl Observer for Cut {
    fn begin(&self, step: Step, _: Option<u64>) {
        if step == Step::Check {
            for run in std::fs::read_dir(&self.0).unwrap() {
                let file = run.unwrap().path().join("Patient.0.ndjson");
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
async fn a_raw_file_that_was_cut_short_blocks_the_run_until_it_is_given_up() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let identity = fhirlake::lake::identity::Identity::of_files(None, None);
    let options = IngestOptions { paths: vec![bench.path("small-v1/Patient.ndjson")] };
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
