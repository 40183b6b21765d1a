//! `fhirlake query`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Done;
use super::answer::AnswerOptions;
use super::options::{LakeOption, VocabularyOption};
use crate::lake::Lake;
use crate::query::{Pin, Session, SessionOptions};
use crate::views::Folder;

const EXAMPLES: &str = "\
Examples:
  fhirlake query --lake lake 'SELECT gender, count(*) AS patients FROM patients GROUP BY gender'
  fhirlake query --lake lake --format csv 'SELECT id, birthDate FROM Patient' > patients.csv
  fhirlake query --lake lake 'DESCRIBE observations'
  fhirlake query --lake lake --vocabulary athena/ 'SELECT * FROM omop.condition_occurrence LIMIT 10'
  fhirlake query --lake lake --views my-views 'SELECT count(*) FROM my_view'

Tables have the names of resource types (Patient, Observation), views those of `fhirlake views list`; names are
case-sensitive and need no quotes. The schema omop has the tables of the OMOP CDM 5.4.";

/// Answers SQL over the lake's tables and views
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Query {
    #[command(flatten)]
    lake: LakeOption,
    /// The statement
    sql: String,
    #[command(flatten)]
    answer: AnswerOptions,
    /// A folder of views of your own: ViewDefinitions (.json) and SQL (.sql), each selectable by its name
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_VIEWS")]
    views: Option<PathBuf>,
    /// The newest version of every table, also where the run that made it is not finished
    #[arg(long, env = "FHIRLAKE_LATEST", value_parser = FalseyValueParser::new())]
    latest: bool,
    #[command(flatten)]
    vocabulary: VocabularyOption,
}

impl Query {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let lake = Lake::open(&self.lake.lake).await?;
        let pin = if self.latest { Pin::Latest } else { Pin::LastRun };
        let views = self.views.as_deref().map(Folder::read).transpose()?.unwrap_or_default();
        let vocabulary = self.vocabulary.folder().map(Path::to_owned);
        let options = SessionOptions { views, vocabulary, ..SessionOptions::at(pin) };
        let session = Session::open_with(&lake, options).await?;
        self.answer.write(session.run(&self.sql).await?).await?;
        Ok(Done::Clean)
    }
}
