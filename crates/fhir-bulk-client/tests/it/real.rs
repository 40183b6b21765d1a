//! The embedded server that the data of a test is served by.

use std::path::PathBuf;
use std::time::Duration;

use fhir_bulk_client::{Builder, BulkClient};
use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};
use tempfile::TempDir;

/// The server and the folder that clients of a test write to.
pub struct Real {
    pub server: BulkServer,
    pub folder: TempDir,
    _data: TempDir,
}

/// Settings of the server that suit a test.
pub fn options() -> ServerOptions {
    ServerOptions { retry_after: 0, rows_per_file: 40, ..ServerOptions::default() }
}

impl Real {
    /// Two patients and 100 observations.
    pub async fn start(options: ServerOptions) -> Self {
        Self::with_observations(options, 100).await
    }

    pub async fn with_observations(options: ServerOptions, observations: usize) -> Self {
        let data = tempfile::tempdir().unwrap();
        let patient = |number: usize| {
            format!(
                "{{\"resourceType\":\"Patient\",\"id\":\"p{number}\",\"meta\":{{\"lastUpdated\":\"2026-01-01T00:00:00Z\"}}}}\n"
            )
        };
        let observation = |number: usize| {
            format!(
                "{{\"resourceType\":\"Observation\",\"id\":\"o{number}\",\"meta\":{{\"lastUpdated\":\"2026-01-02T00:00:00Z\"}},\
                 \"status\":\"final\",\"subject\":{{\"reference\":\"Patient/p{}\"}},\"valueQuantity\":{{\"value\":7.40}},\
                 \"code\":{{\"text\":\"é\u{2028}𝄞\"}}}}\n",
                number % 2
            )
        };
        let write = |name: &str, text: String| std::fs::write(data.path().join(name), text).unwrap();
        write("Patient.ndjson", (0..2).map(patient).collect());
        write("Observation.ndjson", (0..observations).map(observation).collect());
        let dataset = Dataset::open(data.path()).unwrap();
        let server = BulkServer::start(dataset, options).await.unwrap();
        Self { server, folder: tempfile::tempdir().unwrap(), _data: data }
    }

    /// Settings for a client, with pauses that suit a test.
    pub fn client(&self) -> Builder {
        let pause = Duration::from_millis(2);
        BulkClient::builder(self.server.base_url())
            .min_interval(pause)
            .max_poll_interval(2 * pause)
            .max_busy_wait(Duration::from_millis(200))
            .retries(3)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of all files of a type, in order of their names.
    pub fn lines(&self, type_: &str) -> Vec<String> {
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        let of_type = |path: &&PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&format!("{type_}.")) && name.ends_with(".ndjson")
        };
        let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
        let all: Vec<String> = names.iter().filter(of_type).map(text).collect();
        all.iter()
            .flat_map(|text| text.split('\n'))
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect()
    }
}
