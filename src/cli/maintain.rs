//! `fhirlake maintain`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::options::{LakeOption, ReportFormat, RunOptions};
use super::progress::Shown;
use super::{Done, print};
use crate::config::Config;
use crate::pipeline::{self, MaintainOptions};
use crate::raw::Encoding;

const EXAMPLES: &str = "\
Examples:
  fhirlake maintain --lake lake
  For readers without deletion vectors' sake, all masked rows leave their files:
    fhirlake maintain --lake lake --fold";

/// Puts small files together, and takes masked rows out of theirs: queries get faster, no row changes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Maintain {
    #[command(flatten)]
    lake: LakeOption,
    /// Only the tables of these resource types; may be repeated, or several separated by commas
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', env = "FHIRLAKE_TYPE")]
    types: Vec<String>,
    /// Take every masked row out, not only where they are a tenth of their file
    #[arg(long, env = "FHIRLAKE_FOLD", value_parser = FalseyValueParser::new())]
    fold: bool,
    #[command(flatten)]
    run: RunOptions,
    /// How it is reported
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
}

impl Maintain {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        let settings = self.run.settings(Encoding::default(), config);
        let options = MaintainOptions { types: self.types, fold: self.fold, settings };
        let done = pipeline::maintain(&self.lake.lake, &options, &Shown::default()).await?;
        match self.format {
            ReportFormat::Json => print::data(&serde_json::to_string_pretty(&done)?)?,
            ReportFormat::Table => {
                let row = |table: &pipeline::Maintained| {
                    let numbers =
                        [table.files_before, table.files_after, table.rows_folded, table.bytes_written];
                    let cells = [table.table.clone()].into_iter().chain(numbers.map(|n| n.to_string()));
                    cells.collect::<Vec<_>>()
                };
                let header = ["table", "files", "become", "rows taken out", "bytes written"];
                print::data(&print::table(&header, &done.iter().map(row).collect::<Vec<_>>()))?;
                for table in done.iter().filter(|table| table.lost) {
                    print::note(&format!("{}: another commit came first; run again", table.table));
                }
            }
        }
        Ok(Done::Clean)
    }
}
