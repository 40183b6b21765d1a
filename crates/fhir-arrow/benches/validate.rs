//! What validation costs beside flattening, on the sample: `cargo bench -p fhir-arrow`.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that fails has failed")]

use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fhir_arrow::{Findings, Flattener, Reader, TableSchema, ValidationLevel, Validator, scan};
use fhir_definitions::Definitions;

const BATCH_ROWS: usize = 8192;

/// The lines of one resource type.
struct Lines {
    schema: Arc<TableSchema>,
    text: Vec<u8>,
}

impl Lines {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }
}

fn sample() -> Vec<Lines> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample/small-v1.tar.gz");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(path).unwrap()));
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().extension().is_some_and(|extension| extension == "ndjson") {
            let mut text = Vec::new();
            entry.read_to_end(&mut text).unwrap();
            let first = text.split(|byte| *byte == b'\n').next().unwrap();
            let schema = TableSchema::new(Definitions::r4(), &scan(first).unwrap().resource_type).unwrap();
            files.push(Lines { schema: Arc::new(schema), text });
        }
    }
    files
}

/// Reads each line, judges it, and makes it a row.
fn load(files: &[Lines], validator: &Validator) {
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    for lines in files {
        let mut flattener = Flattener::new(Arc::clone(&lines.schema), None);
        for line in lines.iter() {
            let resource = reader.read(line).unwrap();
            validator.validate(&resource, &mut findings);
            flattener.append_resource(&resource, line.len()).unwrap();
            if flattener.len() == BATCH_ROWS {
                black_box(flattener.finish());
            }
        }
        black_box(flattener.finish());
    }
}

fn levels(c: &mut Criterion) {
    let files = sample();
    let bytes: usize = files.iter().map(|lines| lines.text.len()).sum();
    let mut group = c.benchmark_group("flatten");
    group.throughput(Throughput::Bytes(bytes as u64)).sample_size(20);
    for (name, level) in [
        ("alone", ValidationLevel::None),
        ("and structure", ValidationLevel::Structure),
        ("and full", ValidationLevel::Full),
    ] {
        let validator = Validator::new(Definitions::r4(), level);
        group.bench_function(name, |b| b.iter(|| load(&files, &validator)));
    }
    group.finish();
}

criterion_group!(benches, levels);
criterion_main!(benches);
