//! `fhirlake changes`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Done;
use super::answer::AnswerOptions;
use super::options::{LakeOption, RunOptions};
use crate::config::Config;
use crate::lake::Lake;
use crate::query::{ChangedSince, ChangesOptions, Pin, changes};
use crate::raw::Encoding;

const EXAMPLES: &str = "\
Examples:
  What has changed since a run that `fhirlake status` names:
    fhirlake changes --lake lake --since ingest-1
  Of the table Patient after its version 3, for a program:
    fhirlake changes --lake lake --since 3 --type Patient --format ndjson

Each row is a resource that a commit has brought (insert), replaced (update) or taken away (delete), with the run that did
it. __raw_file, __raw_offset and __raw_length say where its line is: of a delete, that of the row that went.

Of a commit that another program made, rows that it wrote again unchanged are told as updates, too. What changed in tables of
resources that the server sent in part (tables/_partial) is not told.";

/// What changed in the lake since a run: which resources came, were replaced, or went, and which run did it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Changes {
    #[command(flatten)]
    lake: LakeOption,
    /// The run after which changes are told, or a version of the tables
    #[arg(long, value_name = "RUN|VERSION", env = "FHIRLAKE_SINCE")]
    since: String,
    /// Only the tables of these resource types; may be repeated, or several separated by commas
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', env = "FHIRLAKE_TYPE")]
    types: Vec<String>,
    /// Also what a run has changed that is not finished
    #[arg(long, env = "FHIRLAKE_LATEST", value_parser = FalseyValueParser::new())]
    latest: bool,
    #[command(flatten)]
    run: RunOptions,
    #[command(flatten)]
    answer: AnswerOptions,
}

impl Changes {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        let since = match self.since.parse() {
            Ok(version) => ChangedSince::Version(version),
            Err(_) => ChangedSince::Run(self.since),
        };
        let options = ChangesOptions {
            since,
            until: if self.latest { Pin::Latest } else { Pin::LastRun },
            types: self.types,
            memory: self.run.settings(Encoding::default(), config).memory,
        };
        let lake = Lake::open(&self.lake.lake).await?;
        self.answer.write(changes(&lake, &options).await?).await?;
        Ok(Done::Clean)
    }
}
