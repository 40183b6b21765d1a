//! How long each of many small files of one manifest takes: `cargo run --release --example many_files`. The time for each
//! should not grow with their number.
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use fhir_bulk_client::{BulkClient, ExportRequest, FolderOptions};
use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for files in [1_000, 2_000, 5_000, 10_000, 20_000] {
        let data = tempfile::tempdir()?;
        let line = |number| {
            format!(
                "{{\"resourceType\":\"Patient\",\"id\":\"p{number}\",\"meta\":{{\"lastUpdated\":\"2026-01-01T00:00:00Z\"}}}}\n"
            )
        };
        std::fs::write(data.path().join("Patient.ndjson"), (0..files).map(line).collect::<String>())?;
        let options = ServerOptions { rows_per_file: 1, retry_after: 0, ..Default::default() };
        let server = BulkServer::start(Dataset::open(data.path())?, options).await?;
        let folder = tempfile::tempdir()?;
        let client = BulkClient::builder(server.base_url()).build()?;
        let options = FolderOptions { parallel: 16, ..Default::default() };
        let report = client.export_to(&ExportRequest::default(), folder.path(), options, |_| ()).await?;
        let each = report.downloading.as_secs_f64() * 1e6 / f64::from(files);
        println!("{files:>6} files: {:>6.2} s, {each:>4.0} µs each", report.downloading.as_secs_f64());
        server.shutdown().await;
    }
    Ok(())
}
