//! `fhirlake export`.

use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use fhir_bulk_client::{BulkClient, Level, Secret, Url};

use super::options::{
    LakeOption, RemovalsOption, ReportFormat, RunOptions, UpsertOption, ValidationOptions, VersionOption,
};
use super::progress::Shown;
use super::{Done, report};
use crate::config::{Config, parse_duration};
use crate::error::Error;
use crate::lake::identity::Identity;
use crate::pipeline::{self, ExportOptions, Settings, Since};
use crate::raw::Encoding;

const EXAMPLES: &str = "\
Examples:
  Everything, and from then on what changed:
    fhirlake export --server https://ehr.example.org/fhir --lake lake --bearer-token \"$TOKEN\"
  A Group's patients and conditions:
    fhirlake export --server https://ehr.example.org/fhir --lake lake --level group --group diabetes \\
      --type Patient --type Condition
  Everything again:
    fhirlake export --server https://ehr.example.org/fhir --lake lake --full";

/// Exports a FHIR server into the lake: everything the first time, then what changed since
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// The FHIR base URL
    #[arg(long, value_name = "URL", env = "FHIRLAKE_SERVER")]
    server: Url,
    #[command(flatten)]
    lake: LakeOption,
    /// Whose data
    #[arg(long, value_enum, default_value = "system", env = "FHIRLAKE_LEVEL")]
    level: LevelName,
    /// The Group's id, with --level group
    #[arg(long, value_name = "ID", required_if_eq("level", "group"), env = "FHIRLAKE_GROUP")]
    group: Option<String>,
    /// Only this resource type; may be repeated, or several separated by commas
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', env = "FHIRLAKE_TYPE")]
    types: Vec<String>,
    /// Only what changed since an instant; `auto` is the end of the last export
    #[arg(long, value_name = "INSTANT|auto", default_value = "auto", env = "FHIRLAKE_SINCE")]
    since: String,
    /// Everything, whatever was exported before
    #[arg(long, env = "FHIRLAKE_FULL", value_parser = FalseyValueParser::new())]
    full: bool,
    /// The access token, sent to the server's origin only
    #[arg(long, value_name = "TOKEN", env = "FHIRLAKE_BEARER_TOKEN", hide_env_values = true)]
    bearer_token: Option<String>,
    /// Files that are downloaded at a time
    #[arg(long, value_name = "N", default_value = "4", env = "FHIRLAKE_PARALLEL", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// The longest pause between two questions for the export's status, whatever the server asks for
    #[arg(long, value_name = "DURATION", default_value = "5m", env = "FHIRLAKE_MAX_POLL_INTERVAL", value_parser = parse_duration)]
    max_poll_interval: Duration,
    /// The lake's short name for the server, the column __source [default: the host's name]
    #[arg(long, value_name = "NAME", env = "FHIRLAKE_ALIAS")]
    alias: Option<String>,
    /// How raw files are kept: compressed with zstd in frames that can be read one by one, or as they came
    #[arg(long, value_enum, default_value = "zstd", env = "FHIRLAKE_RAW")]
    raw: Encoding,
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
enum LevelName {
    /// Everything on the server
    System,
    /// A Group's members
    Group,
    /// All patients
    Patient,
}

impl Export {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        let level = match (self.level, self.group) {
            (LevelName::Group, Some(group)) => Level::Group(group),
            (LevelName::Group, None) => return Err(refused("--level group needs --group ID")),
            (_, Some(_)) => return Err(refused("--group goes with --level group")),
            (LevelName::System, None) => Level::System,
            (LevelName::Patient, None) => Level::Patient,
        };
        let since = match self.since.as_str() {
            "auto" if self.full => Since::Full,
            "auto" => Since::Watermark,
            _ if self.full => {
                return Err(refused("--full is everything, --since a part of it: leave one out"));
            }
            instant => Since::At(instant.to_owned()),
        };
        let mut client = BulkClient::builder(self.server.clone())
            .max_poll_interval(self.max_poll_interval)
            .user_agent(concat!("fhirlake/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = self.bearer_token {
            client = client.bearer_token(Secret::new(token));
        }
        let client = client.build().map_err(Error::from)?;
        let identity = Identity::of_server(self.server, self.alias)
            .with_tables(&config.tables)
            .with_upsert(self.upsert.upsert);
        let parallel = usize::from(self.parallel);
        let settings = Settings {
            judging: self.validation.judging(config)?,
            max_removals: self.removals.max_removals,
            ..self.run.settings(self.raw, config)
        };
        let options = ExportOptions {
            level,
            types: self.types,
            since,
            fhir_version: self.version.fhir_version,
            parallel,
            settings,
        };
        let done = pipeline::export(&self.lake.lake, &identity, &client, &options, &Shown::default()).await?;
        report::show_all(&done, self.format)
    }
}

fn refused(text: &str) -> anyhow::Error {
    Error::Refused(text.to_owned()).into()
}
