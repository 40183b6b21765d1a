//! Turns every line of a folder's `<Type>*.ndjson` files into a row and back, compares both, and says how fast each
//! step was: `cargo run --release -p fhir-arrow --example roundtrip -- <folder> [<times>]`. Each step is done so many
//! times, and the fastest counts.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir_arrow::{Flattener, TableSchema, scan, unflatten};
use fhir_definitions::Definitions;

const BATCH_ROWS: usize = 8192;

#[derive(Default)]
struct Measured {
    bytes: usize,
    rows: usize,
    rest: usize,
    scan: Duration,
    flatten: Duration,
    unflatten: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("the folder is missing")?;
    let times = std::env::args().nth(2).map_or(Ok(1), |times| times.parse())?;
    let mut all = BTreeMap::<String, Measured>::new();
    let mut different = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            different += file(&path, times, &mut all)?;
        }
    }
    let mut total = Measured::default();
    for (name, measured) in &all {
        print(name, measured);
        total.bytes += measured.bytes;
        total.rows += measured.rows;
        total.rest += measured.rest;
        total.scan += measured.scan;
        total.flatten += measured.flatten;
        total.unflatten += measured.unflatten;
    }
    print("all", &total);
    if different > 0 {
        return Err(format!("{different} resources are not what they were").into());
    }
    Ok(())
}

fn print(name: &str, measured: &Measured) {
    let rate = |time: Duration| measured.bytes as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{name:28} {:8} rows {:9.1} MB  rest in {:7} rows  scan {:6.0} MB/s  flatten {:6.0} MB/s  unflatten {:6.0} MB/s",
        measured.rows,
        measured.bytes as f64 / 1e6,
        measured.rest,
        rate(measured.scan),
        rate(measured.flatten),
        rate(measured.unflatten),
    );
}

/// Does something so many times; the last result, and the time of the fastest.
fn fastest<T>(times: usize, mut step: impl FnMut() -> T) -> (T, Duration) {
    let mut timed = || {
        let start = Instant::now();
        (step(), start.elapsed())
    };
    (1..times).fold(timed(), |(_, fastest), _| {
        let (result, time) = timed();
        (result, time.min(fastest))
    })
}

fn file(path: &Path, times: usize, all: &mut BTreeMap<String, Measured>) -> Result<usize, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let Some(first) = lines.first() else { return Ok(0) };
    let resource_type = scan(first)?.resource_type;
    let schema = Arc::new(TableSchema::new(Definitions::r4(), &resource_type)?);
    let measured = all.entry(resource_type.into_owned()).or_default();
    measured.bytes += bytes.len();
    measured.rows += lines.len();

    let (scanned, time) = fastest(times, || lines.iter().try_for_each(|line| scan(line).map(drop)));
    scanned?;
    measured.scan += time;

    let mut flattener = Flattener::new(Arc::clone(&schema), None);
    let mut different = 0;
    for chunk in lines.chunks(BATCH_ROWS) {
        let (batch, time) = fastest(times, || {
            chunk.iter().try_for_each(|line| flattener.append(line)).map(|()| flattener.finish())
        });
        let batch = batch?;
        measured.flatten += time;
        let rest = batch.column(batch.num_columns() - 1);
        measured.rest += rest.len() - rest.null_count();

        let (resources, time) = fastest(times, || {
            (0..chunk.len()).map(|row| unflatten(&schema, &batch, row)).collect::<Result<Vec<_>, _>>()
        });
        measured.unflatten += time;
        for (line, resource) in chunk.iter().zip(resources?) {
            let before: serde_json::Value = serde_json::from_slice(line)?;
            let after: serde_json::Value = serde_json::from_str(&resource)?;
            different += usize::from(before != after);
        }
    }
    Ok(different)
}
