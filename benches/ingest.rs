//! The whole of a run, on the sample data or on the folder that FHIRLAKE_BENCH_DATA names.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that fails has failed")]

use std::path::{Path, PathBuf};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fhirlake::lake::identity::Identity;
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, IngestOptions, Settings};
use tempfile::TempDir;

/// The folder to ingest, and what keeps it there.
fn data() -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(named) = std::env::var_os("FHIRLAKE_BENCH_DATA") {
        return (named.into(), folder);
    }
    let archive = &include_bytes!("../sample/small-v1.tar.gz")[..];
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(folder.path()).unwrap();
    (folder.path().join("small-v1"), folder)
}

fn bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(std::fs::Metadata::is_file).map(|found| found.len()).sum()
}

/// The same lines in files with other hashes: every line is compared with the tables, and changes nothing.
fn again(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let mut content = std::fs::read(&path).unwrap();
            content.push(b'\n');
            std::fs::write(copy.path().join(path.file_name().unwrap()), content).unwrap();
        }
    }
    copy
}

async fn ingest(lake: &Path, folder: &Path) {
    let options =
        IngestOptions { paths: vec![folder.to_owned()], reference: false, settings: Settings::default() };
    let identity = Identity::of_files(None, None);
    pipeline::ingest(lake.to_str().unwrap(), &identity, &options, &Unwatched).await.unwrap();
}

fn whole(c: &mut Criterion) {
    let (folder, _kept) = data();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Bytes(bytes(&folder))).sample_size(10);
    group.bench_function("everything", |b| {
        b.iter_batched(
            || tempfile::tempdir().unwrap(),
            |lake| {
                runtime.block_on(ingest(lake.path(), &folder));
                lake
            },
            BatchSize::PerIteration,
        );
    });
    let unchanged = again(&folder);
    group.bench_function("nothing new", |b| {
        b.iter_batched(
            || {
                let lake = tempfile::tempdir().unwrap();
                runtime.block_on(ingest(lake.path(), &folder));
                lake
            },
            |lake| {
                runtime.block_on(ingest(lake.path(), unchanged.path()));
                lake
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, whole);
criterion_main!(benches);
