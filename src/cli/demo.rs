//! `fhirlake demo`: the main job in one command, on an embedded FHIR server with sample data.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use fhir_bulk_client::BulkClient;
use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};

use super::progress::Shown;
use super::{Done, print, report};
use crate::error::Error;
use crate::lake::Lake;
use crate::lake::identity::Identity;
use crate::pipeline::{self, ExportOptions, Report};
use crate::query::{Format, Pin, Session, format};

/// Synthetic patients by Synthea, and the same server's data some weeks later: see `sample/README.md`.
const BEFORE: &[u8] = include_bytes!("../../sample/small-v1.tar.gz");
const AFTER: &[u8] = include_bytes!("../../sample/small-v2.tar.gz");

/// The questions that the demo asks, each a file with a header that says it.
const QUESTIONS: [&str; 3] = [
    include_str!("../../sql/demo/1-patients-by-decade-and-sex.sql"),
    include_str!("../../sql/demo/2-commonest-conditions.sql"),
    include_str!("../../sql/demo/3-latest-hba1c.sql"),
];

const EXAMPLES: &str = "\
Examples:
  fhirlake demo
  fhirlake demo --lake /tmp/demo-lake";

/// The main job in one command: an embedded FHIR server with sample data, exported, queried, changed, exported again
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Demo {
    /// The lake's folder; an earlier demo's lake is replaced, any other is refused
    #[arg(long, value_name = "FOLDER", default_value = "fhirlake-demo", env = "FHIRLAKE_LAKE")]
    lake: PathBuf,
}

impl Demo {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        make_room(&self.lake).await?;
        let sample = tempfile::tempdir().context("cannot create a temporary folder")?;
        for archive in [BEFORE, AFTER] {
            tar::Archive::new(flate2::read::GzDecoder::new(archive))
                .unpack(sample.path())
                .context("cannot unpack the sample data")?;
        }
        let dataset = Dataset::open(&sample.path().join("small-v1"))?;
        let server = BulkServer::start(dataset, ServerOptions::default()).await?;
        let lake = self.lake.to_str().context("the lake's path is not UTF-8")?;

        print::note(&format!("1. Everything: a FHIR server with sample data runs at {}", server.base_url()));
        let first = export(&server, lake).await?;
        print::data(&report::counts(&first))?;

        print::note("\n2. Questions, in SQL over the views");
        let opened = Lake::open(lake).await?;
        for sql in QUESTIONS {
            answer(&opened, sql).await?;
        }

        server.update(|data| data.apply(&sample.path().join("small-v2")))?;
        print::note("\n3. What changed: resources were added, changed and deleted on the server");
        let second = export(&server, lake).await?;
        print::data(&report::counts(&second))?;
        server.shutdown().await;

        print::note(&format!("\nThe lake is at {}. Try next:", opened.root.location()));
        for next in next_commands(lake) {
            print::note(&format!("  {next}"));
        }
        Ok(if first.is_clean() && second.is_clean() { Done::Clean } else { Done::WithIssues })
    }
}

/// Three commands that show more.
fn next_commands(lake: &str) -> [String; 3] {
    [
        format!("fhirlake status --lake {lake}"),
        format!(
            "fhirlake query --lake {lake} 'SELECT code_display, count(*) AS n FROM observations GROUP BY code_display ORDER BY n DESC LIMIT 5'"
        ),
        "fhirlake views list".to_owned(),
    ]
}

async fn export(server: &BulkServer, lake: &str) -> anyhow::Result<Report> {
    let mut client = BulkClient::builder(server.base_url()).build().map_err(Error::from)?;
    let identity = Identity::of_server(server.base_url(), Some("demo".to_owned())).as_demo();
    let options = ExportOptions::default();
    let mut reports = pipeline::export(lake, &identity, &mut client, &options, &Shown::default()).await?;
    let report = reports.pop().context("the export has no run")?;
    for warning in &report.warnings {
        print::note(&format!("warning: {warning}"));
    }
    Ok(report)
}

async fn answer(lake: &Lake, sql: &str) -> anyhow::Result<()> {
    let question = sql.lines().find_map(|line| line.strip_prefix("-- question: ")).unwrap_or_default();
    print::data(&format!("\n{question}"))?;
    let answer = Session::open(lake, Pin::LastRun).await?.run(sql).await?;
    format::write(Format::Table, answer, &mut std::io::stdout()).await?;
    Ok(())
}

/// Removes the lake of an earlier demo.
async fn make_room(folder: &Path) -> anyhow::Result<()> {
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", folder.display())),
    };
    if is_empty {
        return Ok(());
    }
    match Lake::open(&folder.to_string_lossy()).await {
        Ok(lake) if lake.identity.demo => {
            std::fs::remove_dir_all(folder).with_context(|| format!("cannot replace {}", folder.display()))
        }
        _ => Err(Error::Refused(format!(
            "{} holds something else than a demo's lake: choose another --lake",
            folder.display()
        ))
        .into()),
    }
}
