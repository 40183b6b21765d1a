//! A whole export into a folder: `cargo run --example export -- http://127.0.0.1:8080/fhir FOLDER [TYPE]…`
//!
//! Called again after an error, it goes on where it ended.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

use std::path::PathBuf;

use fhir_bulk_client::{BulkClient, ExportRequest, FolderOptions, Level, Secret};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().ok_or("the FHIR base is missing")?.parse()?;
    let folder = PathBuf::from(arguments.next().ok_or("the folder is missing")?);
    let mut builder = BulkClient::builder(base).max_poll_interval(std::time::Duration::from_secs(5));
    if let Ok(token) = std::env::var("TOKEN") {
        builder = builder.bearer_token(Secret::new(token));
    }
    let mut client = builder.build()?;
    let check = client.check().await?;
    check.deviations.iter().for_each(|deviation| eprintln!("{deviation}"));
    client.adopt(&check);
    let level = std::env::var("GROUP").map_or(Level::System, Level::Group);
    let request = ExportRequest { level, types: arguments.collect(), ..Default::default() };
    let shown = |progress: &fhir_bulk_client::Progress| eprintln!("{progress:?}");
    let report = client.export_to(&request, &folder, FolderOptions::default(), shown).await?;
    println!("{report:#?}");
    Ok(())
}
