//! `fhirlake ingest`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use fhir_bulk_client::{Url, checked_base};

use super::options::{
    LakeOption, RemovalsOption, ReportFormat, RunOptions, UpsertOption, ValidationOptions, VersionOption,
};
use super::progress::Shown;
use super::{Done, report};
use crate::config::Config;
use crate::error::Error;
use crate::lake::identity::Identity;
use crate::pipeline::{self, IngestOptions, Settings};
use crate::raw::Encoding;

const EXAMPLES: &str = "\
Examples:
  A folder of NDJSON, as an export leaves it (*.ndjson, *.ndjson.gz, *.ndjson.zst, deleted/, error/, manifest.json):
    fhirlake ingest --lake lake exported/
  One file:
    fhirlake ingest --lake lake Patient.ndjson.gz";

/// Loads NDJSON files that are here already
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Ingest {
    #[command(flatten)]
    lake: LakeOption,
    /// Files and folders, in this order
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The FHIR base URL of the server that the files come from: absolute references to it are resolved
    #[arg(long, value_name = "URL", env = "FHIRLAKE_SERVER_BASE")]
    server_base: Option<Url>,
    /// The lake's short name for the server, the column __source [default: local]
    #[arg(long, value_name = "NAME", env = "FHIRLAKE_ALIAS")]
    alias: Option<String>,
    /// The files are all that there is: resources of the lake that are not in them are removed
    #[arg(long, env = "FHIRLAKE_SNAPSHOT", value_parser = FalseyValueParser::new())]
    snapshot: bool,
    /// How raw files are kept
    #[arg(long, value_enum, default_value = "zstd", env = "FHIRLAKE_RAW")]
    raw: RawOption,
    #[command(flatten)]
    version: VersionOption,
    #[command(flatten)]
    upsert: UpsertOption,
    #[command(flatten)]
    validation: ValidationOptions,
    #[command(flatten)]
    removals: RemovalsOption,
    #[command(flatten)]
    run: RunOptions,
    /// How the run is reported
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RawOption {
    /// Compressed with zstd in frames that can be read one by one
    Zstd,
    /// As they came
    Plain,
    /// Where they are: the lake refers to them and keeps no copy (plain files and seekable zstd)
    Reference,
}

impl Ingest {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        let server = self.server_base.map(checked_base).transpose().map_err(Error::from)?;
        let identity = Identity::of_files(server, self.alias)
            .of_version(self.version.fhir_version)
            .with_tables(&config.tables)
            .with_upsert(self.upsert.upsert);
        let encoding = if self.raw == RawOption::Plain { Encoding::Plain } else { Encoding::Zstd };
        let options = IngestOptions {
            paths: self.paths,
            reference: self.raw == RawOption::Reference,
            snapshot: self.snapshot,
            settings: Settings {
                judging: self.validation.judging(config)?,
                max_removals: self.removals.max_removals,
                ..self.run.settings(encoding, config)
            },
        };
        let reports = pipeline::ingest(&self.lake.lake, &identity, &options, &Shown::default()).await?;
        report::show_all(&reports, self.format)
    }
}
