//! `fhirlake watermark`.

use clap::{Args, Subcommand};

use super::options::{LakeOption, ReportFormat};
use super::{Done, print};
use crate::lake::Lake;
use crate::pipeline::watermark::{self, Move, Watermark as Mark};

const EXAMPLES: &str = "\
Examples:
  fhirlake watermark list --lake lake
  What changed since November is asked for again:
    fhirlake watermark rewind --lake lake system 2026-11-01T00:00:00Z";

/// Up to when the lake has what its pipelines bring, and to say it otherwise
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Watermark {
    #[command(subcommand)]
    command: WatermarkCommand,
}

#[derive(Debug, Subcommand)]
enum WatermarkCommand {
    /// All watermarks
    List {
        #[command(flatten)]
        lake: LakeOption,
        /// How they are listed
        #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
        format: ReportFormat,
    },
    /// Moves watermarks anywhere: what lies between is not asked for, if it is forward
    Set(Which),
    /// Moves watermarks back: what changed since then is asked for again
    Rewind(Which),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    lake: LakeOption,
    /// The pipeline: system, patient, group-ID
    #[arg(value_name = "PIPELINE")]
    pipeline: String,
    /// The instant, as the server will be asked
    #[arg(value_name = "INSTANT")]
    at: String,
    /// Only that of this type, as `list` names it [default: all of the pipeline]
    #[arg(long = "type", value_name = "TYPE", env = "FHIRLAKE_TYPE")]
    resource_type: Option<String>,
}

impl Watermark {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        match self.command {
            WatermarkCommand::List { lake, format } => {
                let marks = watermark::list(&Lake::open(&lake.lake).await?).await?;
                match format {
                    ReportFormat::Json => print::data(&serde_json::to_string_pretty(&marks)?)?,
                    ReportFormat::Table => print::data(&for_people(&marks))?,
                }
            }
            WatermarkCommand::Set(which) => which.set(false).await?,
            WatermarkCommand::Rewind(which) => which.set(true).await?,
        }
        Ok(Done::Clean)
    }
}

impl Which {
    async fn set(self, back: bool) -> anyhow::Result<()> {
        let change = Move { pipeline: self.pipeline, resource_type: self.resource_type, at: self.at, back };
        let marks = watermark::set(&self.lake.lake, &change).await?;
        print::data(&for_people(&marks))
    }
}

fn for_people(marks: &[Mark]) -> String {
    let row = |mark: &Mark| vec![mark.pipeline.clone(), mark.resource_type.clone(), mark.at.clone()];
    print::table(&["pipeline", "type", "watermark"], &marks.iter().map(row).collect::<Vec<_>>())
}
