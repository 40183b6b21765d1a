//! `fhirlake export`.

use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use fhir_bulk_client::Level;

use super::options::{
    LakeOption, RemovalsOption, ReportFormat, RunOptions, UpsertOption, ValidationOptions, VersionOption,
};
use super::progress::Shown;
use super::server::ServerOptions;
use super::{Done, report};
use crate::config::{Config, parse_duration};
use crate::error::Error;
use crate::lake::identity::Identity;
use crate::pipeline::{self, ExportOptions, OnServerError, Query, Settings, Since};
use crate::raw::Encoding;

const EXAMPLES: &str = "\
Examples:
  Everything, and from then on what changed:
    fhirlake export --server https://ehr.example.org/fhir --lake lake --client-id lake --key key.pem
  A Group's patients and conditions:
    fhirlake export --server https://ehr.example.org/fhir --lake lake --level group --group diabetes \\
      --type Patient --type Condition
  Laboratory results:
    fhirlake export --server https://ehr.example.org/fhir --lake lake --type Observation \\
      --type-filter 'Observation?category=laboratory'
  Everything again:
    fhirlake export --server https://ehr.example.org/fhir --lake lake --full";

/// Exports a FHIR server into the lake: everything the first time, then what changed since
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    #[command(flatten)]
    server: ServerOptions,
    #[command(flatten)]
    lake: LakeOption,
    #[command(flatten)]
    what: What,
    /// Files that are downloaded at a time
    #[arg(long, value_name = "N", default_value = "4", env = "FHIRLAKE_PARALLEL", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// What an error means that the server reports in the export: the run goes on, or is refused before anything is changed
    #[arg(long, value_enum, default_value = "continue", env = "FHIRLAKE_ON_SERVER_ERROR")]
    on_server_error: OnServerError,
    /// Delete the server's job of the run that was interrupted, and give the run up
    #[arg(long, env = "FHIRLAKE_CANCEL", value_parser = FalseyValueParser::new())]
    cancel: bool,
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

/// What is exported.
#[derive(Debug, Args)]
struct What {
    /// Whose data
    #[arg(long, value_enum, default_value = "system", env = "FHIRLAKE_LEVEL")]
    level: LevelName,
    /// The Group's id, with --level group: see `fhirlake groups list`
    #[arg(long, value_name = "ID", env = "FHIRLAKE_GROUP")]
    group: Option<String>,
    /// Only this resource type; may be repeated, or several separated by commas
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', env = "FHIRLAKE_TYPE")]
    types: Vec<String>,
    /// Only what changed since an instant; `auto` is the end of the last export
    #[arg(long, value_name = "INSTANT|auto", default_value = "auto", env = "FHIRLAKE_SINCE")]
    since: String,
    /// Ask for changes from so long before the last export, where the server's clock or index lags behind; what is there
    /// already changes nothing
    #[arg(long, value_name = "DURATION", env = "FHIRLAKE_SINCE_OVERLAP", value_parser = parse_duration)]
    since_overlap: Option<Duration>,
    /// Only what changed before an instant; the watermark stays
    #[arg(long, value_name = "INSTANT", env = "FHIRLAKE_UNTIL")]
    until: Option<String>,
    /// Everything, whatever was exported before
    #[arg(long, env = "FHIRLAKE_FULL", value_parser = FalseyValueParser::new())]
    full: bool,
    /// Only what a search finds, as in 'Observation?category=laboratory'; several of one type are alternatives
    #[arg(long = "type-filter", value_name = "TYPE?QUERY", env = "FHIRLAKE_TYPE_FILTER")]
    type_filters: Vec<String>,
    /// Only these elements: resources in parts have tables of their own; may be repeated, or several separated by commas
    #[arg(long, value_name = "ELEMENT", value_delimiter = ',', env = "FHIRLAKE_ELEMENTS")]
    elements: Vec<String>,
    /// Only this patient; may be repeated, or several separated by commas; the watermark stays
    #[arg(long = "patient", value_name = "ID", value_delimiter = ',', env = "FHIRLAKE_PATIENT")]
    patients: Vec<String>,
    /// Also what belongs to it, as in LatestProvenanceResources; may be repeated
    #[arg(long, value_name = "CODE", value_delimiter = ',', env = "FHIRLAKE_INCLUDE_ASSOCIATED_DATA")]
    include_associated_data: Vec<String>,
    /// Have files by patient or another type, where the server does that
    #[arg(long, value_name = "TYPE", env = "FHIRLAKE_ORGANIZE_OUTPUT_BY")]
    organize_output_by: Option<String>,
    /// A further parameter of the kick-off; may be repeated; the watermark stays
    #[arg(long = "param", value_name = "NAME=VALUE", env = "FHIRLAKE_PARAM", value_parser = parameter)]
    parameters: Vec<(String, String)>,
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
        let mut client = self.server.client()?;
        let (level, since) = (self.what.level()?, self.what.since()?);
        let identity = Identity::of_server(self.server.server.clone(), self.alias)
            .of_client(self.server.client_id())
            .with_tables(&config.tables)
            .with_upsert(self.upsert.upsert);
        if self.cancel {
            pipeline::cancel(&self.lake.lake, &client, &level, &Shown::default()).await?;
            return Ok(Done::Clean);
        }
        let settings = Settings {
            judging: self.validation.judging(config)?,
            max_removals: self.removals.max_removals,
            ..self.run.settings(self.raw, config)
        };
        let options = ExportOptions {
            level,
            since,
            since_overlap: self.what.since_overlap.unwrap_or_default(),
            query: self.what.query(),
            types: self.what.types,
            ids_only: false,
            fhir_version: self.version.fhir_version,
            parallel: usize::from(self.parallel),
            on_server_error: self.on_server_error,
            settings,
        };
        let done =
            pipeline::export(&self.lake.lake, &identity, &mut client, &options, &Shown::default()).await?;
        report::show_all(&done, self.format)
    }
}

impl What {
    fn level(&self) -> anyhow::Result<Level> {
        Ok(match (self.level, &self.group) {
            (LevelName::Group, Some(group)) => Level::Group(group.clone()),
            (LevelName::Group, None) => return Err(refused("--level group needs --group ID")),
            (_, Some(_)) => return Err(refused("--group goes with --level group")),
            (LevelName::System, None) => Level::System,
            (LevelName::Patient, None) => Level::Patient,
        })
    }

    fn since(&self) -> anyhow::Result<Since> {
        Ok(match self.since.as_str() {
            "auto" if self.full => Since::Full,
            "auto" => Since::Watermark,
            _ if self.full => {
                return Err(refused("--full is everything, --since a part of it: leave one out"));
            }
            instant => Since::At(instant.to_owned()),
        })
    }

    fn query(&self) -> Query {
        Query {
            until: self.until.clone(),
            type_filters: self.type_filters.clone(),
            elements: self.elements.clone(),
            patients: self.patients.clone(),
            include_associated_data: self.include_associated_data.clone(),
            organize_output_by: self.organize_output_by.clone(),
            parameters: self.parameters.clone(),
        }
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.ok_or("write a name, =, and a value, as in _typePostFetchFilterUrl=x")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

fn refused(text: &str) -> anyhow::Error {
    Error::Refused(text.to_owned()).into()
}
