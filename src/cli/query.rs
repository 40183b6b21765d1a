//! `fhirlake query`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use clap::builder::FalseyValueParser;

use super::Done;
use super::answer::AnswerOptions;
use super::options::{LakeOption, ValueSetOption, VocabularyOption};
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
  fhirlake query --lake lake \"SELECT DISTINCT id FROM identifiers WHERE resource_type = 'Patient' AND type_code = 'MR'\"
  fhirlake query --lake lake --file examples/questions/04-medical-record-numbers.sql
  fhirlake query --lake lake --value-set diabetes.json \"SELECT id FROM Condition WHERE in_value_set(code, 'Diabetes')\"

Tables have the names of resource types (Patient, Observation), views those of `fhirlake views list`; names are
case-sensitive and need no quotes. The tables codings, identifiers, refs and extensions have a row for each of them, wherever in
a resource it is, and resources has a row for every resource. Functions look into nested elements: code_in, quantity_in, extension, fhir_ref_id, age_at, in_value_set. The
schema omop has the tables of the OMOP CDM 5.4.";

/// Answers SQL over the lake's tables and views
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Query {
    #[command(flatten)]
    lake: LakeOption,
    /// The statement
    #[arg(required_unless_present = "file")]
    sql: Option<String>,
    /// A file with the statement
    #[arg(long, value_name = "FILE", conflicts_with = "sql")]
    file: Option<PathBuf>,
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
    #[command(flatten)]
    value_sets: ValueSetOption,
}

impl Query {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let lake = Lake::open(&self.lake.lake).await?;
        let pin = if self.latest { Pin::Latest } else { Pin::LastRun };
        let views = self.views.as_deref().map(Folder::read).transpose()?.unwrap_or_default();
        let vocabulary = self.vocabulary.folder().map(Path::to_owned);
        let value_sets = self.value_sets.read()?;
        let options = SessionOptions { views, vocabulary, value_sets, ..SessionOptions::at(pin) };
        let session = Session::open_with(&lake, options).await?;
        let sql = self.statement()?;
        self.answer.write(session.run(&sql).await?).await?;
        Ok(Done::Clean)
    }

    fn statement(&self) -> anyhow::Result<String> {
        match (&self.file, &self.sql) {
            (Some(file), _) => std::fs::read_to_string(file).with_context(|| format!("{}", file.display())),
            (None, Some(sql)) => Ok(sql.clone()),
            (None, None) => anyhow::bail!("there is no statement"),
        }
    }
}
