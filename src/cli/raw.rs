//! `fhirlake raw`.

use std::io::Write;

use clap::{Args, Subcommand};

use super::Done;
use super::options::LakeOption;
use crate::lake::Lake;
use crate::query::lineage;
use crate::query::{Pin, Session};

/// The raw bytes behind the tables
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fhirlake raw get --lake lake Patient/123")]
pub struct Raw {
    #[command(subcommand)]
    command: RawCommand,
}

#[derive(Debug, Subcommand)]
enum RawCommand {
    /// A resource's line, byte for byte as the server sent it
    Get {
        #[command(flatten)]
        lake: LakeOption,
        /// The resource: TYPE/ID
        #[arg(value_name = "TYPE/ID")]
        resource: String,
    },
}

impl Raw {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let RawCommand::Get { lake, resource } = self.command;
        let lake = Lake::open(&lake.lake).await?;
        let session = Session::open(&lake, Pin::LastRun).await?;
        let line = lineage::raw_line(&lake, &session, &resource).await?;
        let mut out = std::io::stdout().lock();
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        out.flush()?;
        Ok(Done::Clean)
    }
}
