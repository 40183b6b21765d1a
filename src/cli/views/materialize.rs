//! `fhirlake views materialize`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::cli::options::{LakeOption, ReportFormat, RunOptions, ValueSetOption, VocabularyOption};
use crate::cli::progress::Shown;
use crate::cli::{Done, print};
use crate::config::Config;
use crate::error::Error;
use crate::materialize::{How, MaterializeOptions, Materialized, materialize};
use crate::raw::Encoding;
use crate::views::Folder;

const EXAMPLES: &str = "\
Examples:
  fhirlake views materialize --lake lake conditions labs
  fhirlake views materialize --lake lake --all
  fhirlake views materialize --lake lake --all --vocabulary athena/
  fhirlake views materialize --lake lake --views my-views my_view

A view becomes the Delta table views/NAME in the lake's folder (omop.person: views/omop/person).
Run again, the command brings the tables up to what the last finished run has left. Where each
row of a view is of one resource (its header has a key), and only the table of these has changed,
the rows of the changed resources alone are computed; otherwise all, and what differs is written.
Where nothing has changed, nothing is. A view that cannot be computed leaves its table as it was,
and the others are brought up to date; the exit code is then not 0.";

/// Writes views as Delta tables, which any reader opens, and brings them up to date
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Materialize {
    #[command(flatten)]
    lake: LakeOption,
    /// The views, by the names that `fhirlake views list` shows, or of the folder
    #[arg(value_name = "VIEW", required_unless_present = "all", conflicts_with = "all")]
    names: Vec<String>,
    /// Every view that the lake's FHIR version has, and those of the folder; with --vocabulary also the tables of omop
    #[arg(long, env = "FHIRLAKE_ALL", value_parser = FalseyValueParser::new())]
    all: bool,
    /// A folder of views of your own: ViewDefinitions (.json) and SQL (.sql), each by its name
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_VIEWS")]
    views: Option<PathBuf>,
    #[command(flatten)]
    vocabulary: VocabularyOption,
    #[command(flatten)]
    value_sets: ValueSetOption,
    /// Write every row again, whatever the tables have
    #[arg(long, env = "FHIRLAKE_FULL", value_parser = FalseyValueParser::new())]
    full: bool,
    #[command(flatten)]
    run: RunOptions,
    /// How it is reported
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
}

impl Materialize {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        let options = MaterializeOptions {
            views: self.names,
            folder: self.views.as_deref().map(Folder::read).transpose()?.unwrap_or_default(),
            vocabulary: self.vocabulary.folder().map(Path::to_owned),
            value_sets: self.value_sets.read()?,
            full: self.full,
            memory: self.run.settings(Encoding::default(), config).memory,
        };
        let done = materialize(&self.lake.lake, &options, &Shown::default()).await?;
        match self.format {
            ReportFormat::Json => print::data(&serde_json::to_string_pretty(&done)?)?,
            ReportFormat::Table => print::data(&for_people(&done))?,
        }
        let failed: Vec<&str> =
            done.iter().filter(|view| view.how == How::Failed).map(|view| view.view.as_str()).collect();
        if failed.is_empty() {
            return Ok(Done::Clean);
        }
        let reason = format!(
            "{} of {} views are not up to date, and their tables are as they were: {}",
            failed.len(),
            done.len(),
            failed.join(", ")
        );
        Err(Error::QueryFailed(reason).into())
    }
}

fn for_people(done: &[Materialized]) -> String {
    let row = |view: &Materialized| {
        let how = match view.how {
            How::Incremental => "incremental",
            How::Full => "full",
            How::UpToDate => "up to date",
            How::Skipped => "skipped",
            How::Failed => "failed",
        };
        let how = if view.why.is_empty() { how.to_owned() } else { format!("{how}: {}", view.why) };
        vec![
            view.view.clone(),
            view.rows.to_string(),
            view.inserted.to_string(),
            view.removed.to_string(),
            view.version.map_or_else(|| "-".to_owned(), |version| version.to_string()),
            format!("{:.1}", view.seconds),
            how,
        ]
    };
    let header = ["view", "rows", "inserted", "removed", "version", "seconds", "how"];
    print::table(&header, &done.iter().map(row).collect::<Vec<_>>())
}
