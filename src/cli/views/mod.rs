//! `fhirlake views`.

mod materialize;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use fhir_definitions::{Definitions, FhirVersion};

use self::materialize::Materialize;
use super::answer::AnswerOptions;
use super::options::{ReportFormat, VersionOption};
use super::{Done, print};
use crate::config::Config;
use crate::error::Error;
use crate::lake::Lake;
use crate::query::{Pin, Session, definition, ndjson};
use crate::views::{self, omop};

const EXAMPLES: &str = "\
Examples:
  fhirlake views list
  fhirlake views show observations
  fhirlake views show omop.person
  fhirlake views run blood-pressure.json --lake lake
  fhirlake views run blood-pressure.json --ndjson export/ --format csv -o blood-pressure.csv
  fhirlake views materialize --lake lake --all";

const RUN_EXAMPLES: &str = "\
Examples:
  fhirlake views run blood-pressure.json --lake lake
  fhirlake views run blood-pressure.json --lake lake --format ndjson
  fhirlake views run blood-pressure.json --ndjson export/ --format csv -o blood-pressure.csv

A ViewDefinition is that of SQL on FHIR (https://sql-on-fhir.org). `fhirlake query --views FOLDER` selects from several.";

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
    },
    /// The rows of a ViewDefinition, over a lake or over NDJSON without one
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<Run>),
    Materialize(Box<Materialize>),
}

#[derive(Debug, Args)]
struct Run {
    /// The ViewDefinition, a file of JSON
    file: PathBuf,
    /// The lake's folder
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_LAKE", required_unless_present = "ndjson")]
    lake: Option<String>,
    /// A folder of NDJSON, or one file of it, that is read instead of a lake (.ndjson, .ndjson.gz, .ndjson.zst)
    #[arg(long, value_name = "PATH", env = "FHIRLAKE_NDJSON")]
    ndjson: Option<PathBuf>,
    #[command(flatten)]
    version: VersionOption,
    #[command(flatten)]
    answer: AnswerOptions,
    /// The newest version of every table, also where the run that made it is not finished
    #[arg(long, env = "FHIRLAKE_LATEST", value_parser = FalseyValueParser::new())]
    latest: bool,
}

impl Run {
    async fn run(self) -> anyhow::Result<Done> {
        let view = views::definition::read(&self.file)?;
        let answer = match (&self.ndjson, &self.lake) {
            (Some(path), _) => {
                let version = self.version.fhir_version.unwrap_or(FhirVersion::R4);
                let files = ndjson::files(path)?;
                definition::run_over_files(&view, Definitions::of(version), &files).await?
            }
            (None, Some(lake)) => {
                let lake = Lake::open(lake).await?;
                let pin = if self.latest { Pin::Latest } else { Pin::LastRun };
                Session::open(&lake, pin).await?.run_view(&view).await?
            }
            (None, None) => return Err(Error::Refused("say --lake or --ndjson".to_owned()).into()),
        };
        self.answer.write(answer).await?;
        Ok(Done::Clean)
    }
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
                let own = views::all().iter().map(|view| vec![view.name.clone(), view.description.clone()]);
                let of_omop = omop::all()
                    .iter()
                    .map(|view| vec![format!("{}.{}", omop::SCHEMA, view.name), view.description.clone()]);
                let rows: Vec<_> = own.chain(of_omop).collect();
                print::data(&print::table(&["view", "description"], &rows))?;
            }
            ViewsCommand::Run(run) => return run.run().await,
            ViewsCommand::Materialize(command) => return command.run(config).await,
            ViewsCommand::Show { name } => {
                let in_omop = name.strip_prefix("omop.").and_then(omop::find);
                let sql = match in_omop {
                    Some(view) => &view.sql,
                    None => &views::get(&name)?.sql,
                };
                print::data(sql.trim_end())?;
            }
        }
        Ok(Done::Clean)
    }
}
