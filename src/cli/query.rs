//! `fhirlake query`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use clap::builder::FalseyValueParser;
use datafusion::execution::SendableRecordBatchStream;

use super::options::{LakeOption, VocabularyOption};
use super::{Done, print};
use crate::lake::Lake;
use crate::query::{Format, Pin, Session, Written, format};

const EXAMPLES: &str = "\
Examples:
  fhirlake query --lake lake 'SELECT gender, count(*) AS patients FROM patients GROUP BY gender'
  fhirlake query --lake lake --format csv 'SELECT id, birthDate FROM Patient' > patients.csv
  fhirlake query --lake lake 'DESCRIBE observations'
  fhirlake query --lake lake --vocabulary athena/ 'SELECT * FROM omop.condition_occurrence LIMIT 10'

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
    /// The newest version of every table, also where the run that made it is not finished
    #[arg(long, env = "FHIRLAKE_LATEST", value_parser = FalseyValueParser::new())]
    latest: bool,
    #[command(flatten)]
    vocabulary: VocabularyOption,
}

/// How an answer is written, and where to.
#[derive(Debug, Args)]
pub struct AnswerOptions {
    /// How the answer is written
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: Format,
    /// The file that the answer goes to [default: stdout]
    #[arg(short, long, value_name = "FILE", env = "FHIRLAKE_OUTPUT")]
    output: Option<PathBuf>,
}

impl Query {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let lake = Lake::open(&self.lake.lake).await?;
        let pin = if self.latest { Pin::Latest } else { Pin::LastRun };
        let session = Session::open_with(&lake, pin, self.vocabulary.folder()).await?;
        self.answer.write(session.run(&self.sql).await?).await
    }
}

impl AnswerOptions {
    /// Writes an answer.
    pub async fn write(&self, answer: SendableRecordBatchStream) -> anyhow::Result<Done> {
        let written = match &self.output {
            Some(path) => to_file(path, self.format, answer).await?,
            None => {
                let mut to = std::io::BufWriter::new(std::io::stdout());
                let written = format::write(self.format, answer, &mut to).await?;
                to.flush()?;
                written
            }
        };
        if written.truncated {
            print::note(&format!(
                "only the first {} rows are shown; --format csv or ndjson gives all",
                written.rows
            ));
        }
        Ok(Done::Clean)
    }
}

/// Writes the answer beside the file and renames it: a query that fails leaves the file as it was.
async fn to_file(path: &Path, format: Format, answer: SendableRecordBatchStream) -> anyhow::Result<Written> {
    let cannot = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    let mut to = std::io::BufWriter::new(file);
    let written = format::write(format, answer, &mut to).await?;
    to.into_inner().map_err(std::io::IntoInnerError::into_error)?.persist(path).with_context(cannot)?;
    Ok(written)
}
