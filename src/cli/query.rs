//! `fhirlake query`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::options::LakeOption;
use super::{Done, print};
use crate::lake::Lake;
use crate::query::{Format, Pin, Session, format};

const EXAMPLES: &str = "\
Examples:
  fhirlake query --lake lake 'SELECT gender, count(*) AS patients FROM patients GROUP BY gender'
  fhirlake query --lake lake --format csv 'SELECT id, birthDate FROM Patient' > patients.csv
  fhirlake query --lake lake 'DESCRIBE observations'

Tables have the names of resource types (Patient, Observation), views those of `fhirlake views list`; names are
case-sensitive and need no quotes.";

/// Answers SQL over the lake's tables and views
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Query {
    #[command(flatten)]
    lake: LakeOption,
    /// The statement
    sql: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: Format,
    /// The file that the answer goes to [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The newest version of every table, also where the run that made it is not finished
    #[arg(long)]
    latest: bool,
}

impl Query {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let lake = Lake::open(&self.lake.lake).await?;
        let session = Session::open(&lake, if self.latest { Pin::Latest } else { Pin::LastRun }).await?;
        let answer = session.run(&self.sql).await?;
        let mut to: Box<dyn Write + Send> = match &self.output {
            Some(path) => {
                let file = std::fs::File::create(path)
                    .with_context(|| format!("cannot create {}", path.display()))?;
                Box::new(std::io::BufWriter::new(file))
            }
            None => Box::new(std::io::BufWriter::new(std::io::stdout())),
        };
        let written = format::write(self.format, answer, &mut to).await?;
        to.flush()?;
        if written.truncated {
            print::note(&format!(
                "only the first {} rows are shown; --format csv or ndjson gives all",
                written.rows
            ));
        }
        Ok(Done::Clean)
    }
}
