//! Says how fast the lines of NDJSON files (of R4) are read, turned into rows, and judged while they are:
//! `cargo run --release -p fhir-arrow --example validate -- <file or folder> [<times>]`. Each step is done so many times,
//! and the fastest counts. What is found is counted by kind.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir_arrow::{Findings, Flattener, LineError, Reader, TableSchema, ValidationLevel, Validator, scan};
use fhir_definitions::Definitions;

const BATCH_ROWS: usize = 8192;
const LEVELS: [ValidationLevel; 3] =
    [ValidationLevel::None, ValidationLevel::Structure, ValidationLevel::Full];

#[derive(Default)]
struct Measured {
    bytes: usize,
    rows: usize,
    scan: Duration,
    /// Reading and flattening, with each level of validation.
    levels: [Duration; 3],
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("the file or folder is missing")?;
    let times = std::env::args().nth(2).map_or(Ok(1), |times| times.parse())?;
    let validators = LEVELS.map(|level| Validator::new(Definitions::r4(), level));
    let mut kinds = BTreeMap::<(&str, &str), usize>::new();
    let mut total = Measured::default();
    for path in files(Path::new(&path))? {
        let bytes = std::fs::read(path)?;
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let Some(first) = lines.first() else { continue };
        let resource_type = scan(first)?.resource_type;
        let mut measured = Measured {
            bytes: bytes.len(),
            rows: lines.len(),
            scan: Duration::MAX,
            levels: [Duration::MAX; 3],
        };
        let schema = Arc::new(TableSchema::new(Definitions::r4(), &resource_type)?);
        // In turns, so that what else the machine does is spread over all.
        for _ in 0..times {
            let scanned = timed(|| lines.iter().try_for_each(|line| scan(line).map(drop)))?;
            measured.scan = measured.scan.min(scanned);
            for (validator, fastest) in validators.iter().zip(&mut measured.levels) {
                *fastest = timed(|| load(&lines, &schema, validator))?.min(*fastest);
            }
        }
        count(&lines, &validators[2], &mut kinds)?;
        print(&resource_type, &measured);
        total.bytes += measured.bytes;
        total.rows += measured.rows;
        total.scan += measured.scan;
        total.levels.iter_mut().zip(measured.levels).for_each(|(total, time)| *total += time);
    }
    print("all", &total);
    for ((severity, kind), count) in kinds {
        println!("{count:8} {severity} {kind}");
    }
    Ok(())
}

fn files(path: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<_> = entries.collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    Ok(files)
}

fn print(name: &str, measured: &Measured) {
    let rate = |time: Duration| measured.bytes as f64 / time.as_secs_f64() / 1e6;
    let [without, structure, full] = measured.levels;
    let more = |time: Duration| (time.as_secs_f64() / without.as_secs_f64() - 1.0) * 100.0;
    println!(
        "{name:28} {:8} rows {:7.1} MB  scan {:5.0} MB/s  flatten {:5.0} MB/s  structure {:5.0} MB/s ({:+3.0} %)  full {:5.0} MB/s ({:+3.0} %)",
        measured.rows,
        measured.bytes as f64 / 1e6,
        rate(measured.scan),
        rate(without),
        rate(structure),
        more(structure),
        rate(full),
        more(full),
    );
}

fn timed(step: impl FnOnce() -> Result<(), LineError>) -> Result<Duration, LineError> {
    let start = Instant::now();
    step()?;
    Ok(start.elapsed())
}

fn load(lines: &[&[u8]], schema: &Arc<TableSchema>, validator: &Validator) -> Result<(), LineError> {
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    let mut flattener = Flattener::new(Arc::clone(schema), None);
    for chunk in lines.chunks(BATCH_ROWS) {
        for line in chunk {
            let resource = reader.read(line)?;
            validator.validate(&resource, &mut findings);
            flattener.append_resource(&resource, line.len())?;
        }
        drop(flattener.finish());
    }
    Ok(())
}

fn count(
    lines: &[&[u8]],
    validator: &Validator,
    kinds: &mut BTreeMap<(&'static str, &'static str), usize>,
) -> Result<(), LineError> {
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    for line in lines {
        validator.validate(&reader.read(line)?, &mut findings);
        for finding in &findings {
            *kinds.entry((finding.severity.as_str(), finding.kind.as_str())).or_default() += 1;
        }
    }
    Ok(())
}
