//! `fhirlake rebuild`.

use clap::Args;

use super::options::{LakeOption, ReportFormat, RunOptions};
use super::progress::Shown;
use super::{Done, report};
use crate::config::Config;
use crate::pipeline::{self, RebuildOptions};
use crate::raw::Encoding;

const EXAMPLES: &str = "\
Examples:
  The table of patients, with the columns that [tables.Patient] in fhirlake.toml asks for:
    fhirlake rebuild --lake lake --tables Patient
  All tables:
    fhirlake rebuild --lake lake";

/// Makes tables anew from the raw files: the same rows, in the columns that are configured now
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Rebuild {
    #[command(flatten)]
    lake: LakeOption,
    /// Only these resource types; may be repeated, or several separated by commas [default: all]
    #[arg(long, value_name = "TYPE", value_delimiter = ',', env = "FHIRLAKE_TABLES")]
    tables: Vec<String>,
    #[command(flatten)]
    run: RunOptions,
    /// How the run is reported
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
}

impl Rebuild {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        let settings = self.run.settings(Encoding::default(), config);
        let options = RebuildOptions { types: self.tables, tables: config.tables.clone(), settings };
        let done = pipeline::rebuild(&self.lake.lake, &options, &Shown::default()).await?;
        report::show_all(&[done], self.format)
    }
}
