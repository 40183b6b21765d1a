//! The sample data, lakes made of it, and what they hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use fhir_bulk_client::{BulkClient, Level};
use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};
use fhir_definitions::FhirVersion;
use fhirlake::lake::Lake;
use fhirlake::lake::identity::Identity;
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, ExportOptions, IngestOptions, Report, Settings};
use fhirlake::query::{Pin, Session};
use futures::TryStreamExt;
use tempfile::TempDir;

/// The sample data, unpacked, and room for lakes beside them.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for archive in [
            &include_bytes!("../../sample/small-v1.tar.gz")[..],
            &include_bytes!("../../sample/small-v2.tar.gz")[..],
        ] {
            tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(folder.path()).unwrap();
        }
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder with the files of some types of the sample: enough where how much there is does not matter.
    pub fn part(&self, name: &str) -> PathBuf {
        let folder = self.path(&format!("part-{name}"));
        std::fs::create_dir_all(folder.join("deleted")).unwrap();
        for file in
            PART.map(|name| format!("{name}.ndjson")).into_iter().chain(["deleted/Bundle.ndjson".to_owned()])
        {
            let source = self.path(name).join(&file);
            if source.exists() {
                std::fs::copy(source, folder.join(file)).unwrap();
            }
        }
        folder
    }

    pub fn lake(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub async fn server(&self) -> BulkServer {
        let dataset = Dataset::open(&self.path("small-v1")).unwrap();
        let options = ServerOptions { poll_rounds: 0, rows_per_file: 500, ..ServerOptions::default() };
        BulkServer::start(dataset, options).await.unwrap()
    }

    pub fn change(&self, server: &BulkServer) {
        server.update(|data| data.apply(&self.path("small-v2"))).unwrap();
    }
}

/// The types of [`Bench::part`].
pub const PART: [&str; 6] = ["Condition", "Device", "Encounter", "Immunization", "Location", "Patient"];

pub fn part() -> ExportOptions {
    ExportOptions { types: PART.map(str::to_owned).to_vec(), ..system() }
}

/// A lake of a FHIR version without resources.
pub async fn empty_lake(lake: &str, version: FhirVersion) {
    let identity = Identity::of_files(None, None).of_version(Some(version));
    Lake::admit(lake, &identity).await.unwrap().record_identity().await.unwrap();
}

pub async fn ingest(lake: &str, paths: &[PathBuf]) -> fhirlake::Result<Report> {
    let settings = Settings::default();
    ingest_with(lake, IngestOptions { paths: paths.to_vec(), settings, ..IngestOptions::default() }).await
}

/// Ingests with settings of its own.
pub async fn ingest_with(lake: &str, options: IngestOptions) -> fhirlake::Result<Report> {
    let mut reports = pipeline::ingest(lake, &Identity::of_files(None, None), &options, &Unwatched).await?;
    Ok(reports.pop().unwrap())
}

pub fn system() -> ExportOptions {
    ExportOptions::default()
}

pub fn group(id: &str) -> ExportOptions {
    ExportOptions { level: Level::Group(id.to_owned()), ..system() }
}

pub fn client(server: &BulkServer) -> BulkClient {
    let interval = std::time::Duration::from_millis(10);
    BulkClient::builder(server.base_url()).min_interval(interval).max_poll_interval(interval).build().unwrap()
}

pub async fn export(server: &BulkServer, lake: &str, options: &ExportOptions) -> fhirlake::Result<Report> {
    let identity = Identity::of_server(server.base_url(), None);
    Ok(pipeline::export(lake, &identity, &mut client(server), options, &Unwatched).await?.pop().unwrap())
}

/// An answer, each cell as text.
pub async fn ask(lake: &str, sql: &str) -> fhirlake::Result<Vec<Vec<String>>> {
    let lake = Lake::open(lake).await?;
    rows(&Session::open(&lake, Pin::LastRun).await?, sql).await
}

/// An answer of an open session, each cell as text.
pub async fn rows(session: &Session, sql: &str) -> fhirlake::Result<Vec<Vec<String>>> {
    as_text(session.run(sql).await?).await
}

/// An answer, each cell as text.
pub async fn as_text(answer: SendableRecordBatchStream) -> fhirlake::Result<Vec<Vec<String>>> {
    let batches: Vec<_> = answer.try_collect().await.map_err(|e| fhirlake::Error::Query(e.to_string()))?;
    let options =
        FormatOptions::default().with_null("NULL").with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
    let mut all = Vec::new();
    for batch in &batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        all.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()),
        );
    }
    Ok(all)
}

/// An answer of one cell.
pub async fn one(lake: &str, sql: &str) -> String {
    ask(lake, sql).await.unwrap().remove(0).remove(0)
}

/// Every row of every resource type's table: id → hash of its line. Two lakes with the same contents are equal.
pub async fn contents(lake: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for name in tables(lake).await {
        let rows = ask(lake, &format!("SELECT id, __row_hash FROM {name}")).await.unwrap();
        let count = rows.len();
        let by_id: BTreeMap<_, _> = rows.into_iter().map(|mut row| (row.remove(0), row.remove(0))).collect();
        assert_eq!(by_id.len(), count, "{name} has an id twice");
        all.insert(name, by_id);
    }
    all
}

/// The resource types that have a table.
pub async fn tables(lake: &str) -> Vec<String> {
    let lake = Lake::open(lake).await.unwrap();
    let names = lake.root.folders("tables").await.unwrap();
    names.into_iter().filter(|name| !name.starts_with('_')).collect()
}

/// Type → ids of the small-v2 archive's list of what changed.
pub fn expected(bench: &Bench) -> BTreeMap<String, Expected> {
    serde_json::from_slice(&std::fs::read(bench.path("small-v2/expected.json")).unwrap()).unwrap()
}

#[derive(Debug, serde::Deserialize)]
pub struct Expected {
    pub changed: Vec<String>,
    pub added: Vec<String>,
    pub deleted: Vec<String>,
    pub unchanged: usize,
}

/// The answers to questions, as they were found by other means.
#[derive(serde::Deserialize)]
pub struct Known {
    pub answers: Vec<Answer>,
}

/// The answer to a question, every cell as text.
#[derive(serde::Deserialize)]
pub struct Answer {
    pub name: String,
    pub question: String,
    pub rows: Vec<Vec<String>>,
}

/// Writes lines to a file of a folder, which is created.
pub fn write_lines(folder: &Path, name: &str, lines: &[&str]) -> PathBuf {
    std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    std::fs::write(folder.join(name), lines.iter().map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    folder.to_owned()
}
