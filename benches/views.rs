//! ViewDefinitions over a lake and over its NDJSON: the sample data, or the folder that FHIRLAKE_BENCH_DATA names. Throughput is
//! that of the bytes of NDJSON that the rows come from.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that fails has failed")]

use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fhir_definitions::Definitions;
use fhir_sql::ViewDefinition;
use fhirlake::lake::Lake;
use fhirlake::lake::identity::Identity;
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, IngestOptions, Settings};
use fhirlake::query::{Pin, Session, definition, ndjson};
use futures::TryStreamExt;
use tempfile::TempDir;

const PATIENT: &str = r#"{"resource":"Patient","select":[{"column":[
{"name":"id","path":"getResourceKey()"},{"name":"gender","path":"gender"},{"name":"birth_date","path":"birthDate"},
{"name":"dead","path":"deceased.exists()"},{"name":"race",
"path":"extension('http://hl7.org/fhir/us/core/StructureDefinition/us-core-race').extension('ombCategory').value.ofType(Coding).code.first()"}]},
{"forEachOrNull":"name.where(use = 'official').first()","column":[
{"name":"family","path":"family"},{"name":"given","path":"given.join(' ')"}]}]}"#;

const OBSERVATION: &str = r#"{"resource":"Observation","where":[{"path":"status = 'final'"}],"select":[{"column":[
{"name":"id","path":"getResourceKey()"},{"name":"patient_id","path":"subject.getReferenceKey(Patient)"},
{"name":"at","path":"effective.ofType(dateTime)"},{"name":"value","path":"value.ofType(Quantity).value"},
{"name":"unit","path":"value.ofType(Quantity).unit"}]},
{"forEach":"code.coding.where(system = 'http://loinc.org')","column":[
{"name":"code","path":"code"},{"name":"display","path":"display"}]}]}"#;

/// The folder of files, and what keeps it there.
fn data() -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(named) = std::env::var_os("FHIRLAKE_BENCH_DATA") {
        return (named.into(), folder);
    }
    let archive = &include_bytes!("../sample/small-v1.tar.gz")[..];
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(folder.path()).unwrap();
    (folder.path().join("small-v1"), folder)
}

async fn lake(files: &[PathBuf], at: &Path) -> Lake {
    let options =
        IngestOptions { paths: files.to_vec(), settings: Settings::default(), ..IngestOptions::default() };
    let identity = Identity::of_files(None, None);
    pipeline::ingest(at.to_str().unwrap(), &identity, &options, &Unwatched).await.unwrap();
    Lake::open(at.to_str().unwrap()).await.unwrap()
}

fn run(c: &mut Criterion) {
    let (folder, _kept) = data();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = tempfile::tempdir().unwrap();
    let types = [("patient", "Patient", PATIENT), ("observation", "Observation", OBSERVATION)];
    let file = |name: &str| folder.join(format!("{name}.ndjson"));
    let files: Vec<PathBuf> = types.iter().map(|(_, name, _)| file(name)).collect();
    let lake = runtime.block_on(lake(&files, &place.path().join("lake")));
    let session = runtime.block_on(Session::open(&lake, Pin::LastRun)).unwrap();
    let mut group = c.benchmark_group("views");
    group.sample_size(10);
    for (name, resource_type, view) in types {
        let view = ViewDefinition::parse(view).unwrap();
        let file = file(resource_type);
        group.throughput(Throughput::Bytes(file.metadata().unwrap().len()));
        group.bench_function(format!("{name}/lake"), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    session.run_view(&view).await.unwrap().try_collect::<Vec<_>>().await.unwrap()
                })
            });
        });
        group.bench_function(format!("{name}/ndjson"), |b| {
            let files = ndjson::files(&file).unwrap();
            b.iter(|| {
                runtime.block_on(async {
                    let answer = definition::run_over_files(&view, Definitions::r4(), &files).await.unwrap();
                    answer.try_collect::<Vec<_>>().await.unwrap()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, run);
criterion_main!(benches);
