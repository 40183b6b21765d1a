//! `fhirlake views`.

mod export;
mod materialize;
mod run;

use clap::{Args, Subcommand};
use fhir_definitions::FhirVersion;

use self::export::ExportViews;
use self::materialize::Materialize;
use self::run::Run;
use super::options::{ReportFormat, VersionOption};
use super::{Done, print};
use crate::config::Config;
use crate::views::{self, omop};

const EXAMPLES: &str = "\
Examples:
  fhirlake views list
  fhirlake views show observations
  fhirlake views show omop.person
  fhirlake views run blood-pressure.json --lake lake
  fhirlake views run blood-pressure.json --ndjson export/ --format csv -o blood-pressure.csv
  fhirlake views run my-views/ --lake lake --format parquet -o answers/
  fhirlake views export --dialect duckdb --lake lake -o views.sql
  fhirlake views materialize --lake lake --all";

/// The SQL views: what there is, and what it says; ViewDefinitions, run; and views written as tables
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Views {
    #[command(subcommand)]
    command: ViewsCommand,
}

#[derive(Debug, Subcommand)]
enum ViewsCommand {
    /// All views, with what a row of each is
    List {
        /// How they are listed
        #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
        format: ReportFormat,
    },
    /// A view's SQL, with its columns
    Show {
        /// The view's name
        name: String,
        #[command(flatten)]
        version: VersionOption,
    },
    /// The rows of a ViewDefinition, or of a folder of views, over a lake or over NDJSON without one
    #[command(after_help = run::EXAMPLES, mut_arg("output", run::output_help))]
    Run(Box<Run>),
    Export(Box<ExportViews>),
    Materialize(Box<Materialize>),
}

impl Views {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        match self.command {
            ViewsCommand::List { format: ReportFormat::Json } => {
                let mut all = Vec::new();
                for view in views::all() {
                    all.push(serde_json::to_value(view)?);
                }
                for view in omop::all() {
                    let mut view = serde_json::to_value(view)?;
                    view["schema"] = omop::SCHEMA.into();
                    all.push(view);
                }
                print::data(&serde_json::to_string_pretty(&all)?)?;
            }
            ViewsCommand::List { format: ReportFormat::Table } => {
                let mut own: Vec<_> = views::all()
                    .iter()
                    .map(|view| vec![view.name.clone(), view.description.clone()])
                    .collect();
                own.dedup();
                let of_omop = omop::all()
                    .iter()
                    .map(|view| vec![format!("{}.{}", omop::SCHEMA, view.name), view.description.clone()]);
                let rows: Vec<_> = own.into_iter().chain(of_omop).collect();
                print::data(&print::table(&["view", "description"], &rows))?;
            }
            ViewsCommand::Run(run) => return run.run().await,
            ViewsCommand::Export(export) => return export.run().await,
            ViewsCommand::Materialize(command) => return command.run(config).await,
            ViewsCommand::Show { name, version } => {
                let in_omop = name.strip_prefix("omop.").and_then(omop::find);
                let sql = match in_omop {
                    Some(view) => &view.sql,
                    None => &views::get(&name, version.fhir_version.unwrap_or(FhirVersion::R4))?.sql,
                };
                print::data(sql.trim_end())?;
            }
        }
        Ok(Done::Clean)
    }
}
