//! Files into a folder, some at a time, hashed and looked through: `cargo run --release --example download -- FOLDER PARALLEL
//! URL…`. It prints how many bytes and lines came. `benches/compare/download.py` compares it with curl.
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use std::path::Path;

use fhir_bulk_client::{BulkClient, DownloadSummary, OutputFile, Url};
use futures::{StreamExt, TryStreamExt};
use tokio::io::AsyncWriteExt;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("the folder is missing")?;
    let parallel: usize = arguments.next().ok_or("how many at a time is missing")?.parse()?;
    let urls: Vec<Url> = arguments.map(|url| url.parse()).collect::<Result<_, _>>()?;
    let base = urls.first().ok_or("there is no URL")?.join("/")?;
    let client = BulkClient::builder(base).build()?;
    let downloads = futures::stream::iter(urls.iter().enumerate()).map(|(number, url)| {
        let path = Path::new(&folder).join(format!("{number}.ndjson"));
        download(&client, url, path)
    });
    let files: Vec<DownloadSummary> = downloads.buffer_unordered(parallel.max(1)).try_collect().await?;
    let bytes: u64 = files.iter().map(|file| file.byte_count).sum();
    let lines: u64 = files.iter().map(|file| file.line_count).sum();
    println!("{bytes} bytes, {lines} lines");
    Ok(())
}

async fn download(
    client: &BulkClient,
    url: &Url,
    path: std::path::PathBuf,
) -> Result<DownloadSummary, Failure> {
    let file = OutputFile { url: url.to_string(), ..Default::default() };
    let mut download = client.download(&file, false).await?;
    let mut out = tokio::fs::File::create(path).await?;
    while let Some(bytes) = download.chunk().await? {
        out.write_all(&bytes).await?;
    }
    out.flush().await?;
    Ok(download.verify()?)
}
