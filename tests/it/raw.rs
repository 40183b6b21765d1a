//! The raw store: kept compressed, kept plain, or left where the files are. The rows are the same.

use std::path::{Path, PathBuf};

use fhirlake::Error;
use fhirlake::lake::Lake;
use fhirlake::pipeline::{IngestOptions, Settings};
use fhirlake::query::{Pin, Session, lineage};
use fhirlake::raw::Encoding;

use crate::fixture::{Bench, ask, contents, ingest_with, one};

fn options(path: PathBuf, raw: Encoding, reference: bool) -> IngestOptions {
    IngestOptions { paths: vec![path], reference, settings: Settings { raw, ..Settings::default() } }
}

async fn raw_line(lake: &str, resource: &str) -> fhirlake::Result<Vec<u8>> {
    let opened = Lake::open(lake).await?;
    let session = Session::open(&opened, Pin::LastRun).await?;
    Ok(lineage::raw_line(&opened, &session, resource).await?.to_vec())
}

fn first_patient(folder: &Path) -> (String, Vec<u8>) {
    let content = std::fs::read(folder.join("Patient.ndjson")).unwrap();
    let line = content.split(|byte| *byte == b'\n').next().unwrap().to_vec();
    let id = fhir_arrow::scan(&line).unwrap().id.into_owned();
    (format!("Patient/{id}"), line)
}

#[tokio::test(flavor = "multi_thread")]
async fn however_raw_files_are_kept_rows_and_lines_are_the_same() {
    let bench = Bench::new();
    let folder = bench.part("small-v1");
    let (patient, line) = first_patient(&folder);
    let mut expected = None;
    for (name, raw, reference) in
        [("zstd", Encoding::Zstd, false), ("plain", Encoding::Plain, false), ("left", Encoding::Zstd, true)]
    {
        let lake = bench.lake(name);
        ingest_with(&lake, options(folder.clone(), raw, reference)).await.unwrap();
        let found = contents(&lake).await;
        assert_eq!(*expected.get_or_insert_with(|| found.clone()), found, "{name}");
        assert_eq!(raw_line(&lake, &patient).await.unwrap(), line, "{name}");
    }
    let kept = async |name: &str| one(&bench.lake(name), "SELECT DISTINCT __raw_file FROM Patient").await;
    assert!(kept("zstd").await.ends_with("/Patient.0.ndjson.zst"));
    assert!(kept("plain").await.ends_with("/Patient.0.ndjson"));
    assert_eq!(kept("left").await, folder.join("Patient.ndjson").canonicalize().unwrap().to_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_left_where_it_is_and_has_changed_is_named() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let folder = bench.part("small-v1");
    let (patient, line) = first_patient(&folder);
    ingest_with(&lake, options(folder.clone(), Encoding::Zstd, true)).await.unwrap();
    assert!(!bench.path("lake/raw").exists(), "no raw bytes are copied");
    let file = folder.join("Patient.ndjson");
    let mut changed = std::fs::read(&file).unwrap();
    changed[line.len() / 2] = b'#';
    std::fs::write(&file, changed).unwrap();
    let error = raw_line(&lake, &patient).await.unwrap_err();
    assert!(matches!(&error, Error::Damaged { path, .. } if path.ends_with("Patient.ndjson")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_be_read_by_ranges_is_left_where_it_is() {
    let bench = Bench::new();
    let content = std::fs::read(bench.path("small-v1/Patient.ndjson")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, &content).unwrap();
    for (name, bytes) in [
        ("Patient.ndjson.gz", gz.finish().unwrap()),
        ("Patient.ndjson.zst", zstd::encode_all(&content[..], 3).unwrap()),
    ] {
        let file = bench.path(name);
        std::fs::write(&file, bytes).unwrap();
        let refused =
            ingest_with(&bench.lake("lake"), options(file, Encoding::Zstd, true)).await.unwrap_err();
        assert!(matches!(&refused, Error::Refused(text) if text.contains("seekable")), "{name}: {refused}");
    }
    // What a lake has kept can be read where it is.
    let (first, second) = (bench.lake("first"), bench.lake("second"));
    let report = ingest_with(&first, options(bench.part("small-v1"), Encoding::Zstd, false)).await.unwrap();
    let kept = Path::new(&first).join("raw").join(&report.run.export_id);
    ingest_with(&second, options(kept, Encoding::Zstd, true)).await.unwrap();
    assert_eq!(contents(&first).await, contents(&second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_workers_and_the_cut_of_the_input_change_no_row() {
    let bench = Bench::new();
    let mut lines: Vec<u8> = Vec::new();
    for name in ["Observation", "Patient", "Claim", "Condition"] {
        lines.extend(std::fs::read(bench.path("small-v1").join(format!("{name}.ndjson"))).unwrap());
    }
    let by_type = bench.path("by-type");
    std::fs::create_dir(&by_type).unwrap();
    for name in ["Observation", "Patient", "Claim", "Condition"] {
        std::fs::copy(
            bench.path("small-v1").join(format!("{name}.ndjson")),
            by_type.join(format!("{name}.ndjson")),
        )
        .unwrap();
    }
    let mixed = bench.path("mixed");
    std::fs::create_dir(&mixed).unwrap();
    let mut backwards: Vec<&[u8]> =
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    backwards.reverse();
    std::fs::write(mixed.join("all.ndjson"), backwards.join(&b'\n')).unwrap();
    let mut expected = None;
    for (n, (folder, memory, workers)) in
        [(&by_type, 512 << 20, 2), (&mixed, 256 << 20, 1), (&mixed, 4 << 30, 7)].into_iter().enumerate()
    {
        let lake = bench.lake(&format!("lake-{n}"));
        let settings = Settings { memory, workers, raw: Encoding::Plain, ..Settings::default() };
        let paths = vec![folder.clone()];
        ingest_with(&lake, IngestOptions { paths, reference: false, settings }).await.unwrap();
        let mut found = Vec::new();
        for name in ["Observation", "Patient", "Claim", "Condition"] {
            let rows = format!(
                "SELECT * EXCEPT (__export_id, __raw_file, __raw_offset, __ingested_at) FROM {name} ORDER BY id"
            );
            found.push(ask(&lake, &rows).await.unwrap());
        }
        assert!(*expected.get_or_insert_with(|| found.clone()) == found, "{memory} {workers}");
    }
}
