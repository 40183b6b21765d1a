//! `fhirlake maintain`.

use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use fhir_bulk_client::Url;

use super::options::{LakeOption, RemovalsOption, ReportFormat, RunOptions};
use super::progress::Shown;
use super::server::ConnectionOptions;
use super::{Done, configured, print, report};
use crate::config::{Config, parse_duration};
use crate::error::Error;
use crate::lake::identity::Identity;
use crate::pipeline::{self, AbsencesOptions, MaintainOptions, Settings, VacuumOptions};
use crate::raw::Encoding;

const EXAMPLES: &str = "\
Examples:
  fhirlake maintain --lake lake
  For readers without deletion vectors' sake, all masked rows leave their files:
    fhirlake maintain --lake lake --fold
  Files go that only runs of more than a month ago need:
    fhirlake maintain --lake lake --vacuum --retention 30d
  What is gone from a server that never reports deletions; then, with --apply, gone from the lake:
    fhirlake maintain --lake lake --reconcile --server https://ehr.example.org/fhir";

/// The flags of the other things that the command does.
const NOT_OF_VACUUM: [&str; 16] = [
    "server",
    "max-removals",
    "bearer-token",
    "bearer-token-file",
    "basic",
    "client-id",
    "key",
    "client-secret-file",
    "scope",
    "token-url",
    "max-poll-interval",
    "max-wait",
    "dialect",
    "quirks",
    "ca-certificate",
    "allow-http",
];

/// Puts small files together, and takes masked rows out of theirs: queries get faster, no row changes. Or finds what the
/// server no longer has
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Maintain {
    #[command(flatten)]
    lake: LakeOption,
    /// Only the tables of these resource types; may be repeated, or several separated by commas
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', env = "FHIRLAKE_TYPE")]
    types: Vec<String>,
    /// Take every masked row out, not only where they are a tenth of their file
    #[arg(long, env = "FHIRLAKE_FOLD", value_parser = FalseyValueParser::new())]
    fold: bool,
    /// Remove the files that no run within --retention needs: older runs can no longer be read; nothing else is done. While a
    /// run is not finished, whatever is younger than it stays
    #[arg(long, env = "FHIRLAKE_VACUUM", value_parser = FalseyValueParser::new(), conflicts_with_all = ["fold", "reconcile"])]
    vacuum: bool,
    /// With --vacuum: how long what a run has left can be read once another has finished. Below 1h only while no run goes on
    #[arg(long, value_name = "DURATION", default_value = "7d", env = "FHIRLAKE_RETENTION", value_parser = parse_duration)]
    retention: Duration,
    /// Ask the server for all ids, and tell which rows it no longer has; nothing else is done
    #[arg(long, env = "FHIRLAKE_RECONCILE", value_parser = FalseyValueParser::new(), requires = "server", conflicts_with = "fold")]
    reconcile: bool,
    /// With --reconcile: remove them
    #[arg(long, env = "FHIRLAKE_APPLY", value_parser = FalseyValueParser::new(), requires = "reconcile")]
    apply: bool,
    #[command(flatten)]
    removals: RemovalsOption,
    /// With --reconcile: the lake's server, its FHIR base URL
    #[arg(long, value_name = "URL", env = "FHIRLAKE_SERVER")]
    server: Option<Url>,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    run: RunOptions,
    /// How it is reported
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
}

impl Maintain {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        if self.vacuum {
            if let Some(flag) = configured::first_flagged(&NOT_OF_VACUUM) {
                return Err(Error::Refused(format!("--{flag} means nothing with --vacuum")).into());
            }
            return self.remove_files().await;
        }
        if configured::first_flagged(&["retention"]).is_some() {
            return Err(Error::Refused("--retention means something with --vacuum only".to_owned()).into());
        }
        if self.reconcile {
            return self.compare(config).await;
        }
        let settings = self.run.settings(Encoding::default(), config);
        let options = MaintainOptions { types: self.types, fold: self.fold, settings };
        let done = pipeline::maintain(&self.lake.lake, &options, &Shown::default()).await?;
        match self.format {
            ReportFormat::Json => print::data(&serde_json::to_string_pretty(&done)?)?,
            ReportFormat::Table => {
                let row = |table: &pipeline::Maintained| {
                    let numbers =
                        [table.files_before, table.files_after, table.rows_folded, table.bytes_written];
                    let cells = [table.table.clone()].into_iter().chain(numbers.map(|n| n.to_string()));
                    cells.collect::<Vec<_>>()
                };
                let header = ["table", "files", "become", "rows taken out", "bytes written"];
                print::data(&print::table(&header, &done.iter().map(row).collect::<Vec<_>>()))?;
                for table in done.iter().filter(|table| table.lost) {
                    print::note(&format!("{}: another commit came first; run again", table.table));
                }
            }
        }
        Ok(Done::Clean)
    }

    /// Removes files that are no longer needed.
    async fn remove_files(self) -> anyhow::Result<Done> {
        let options = VacuumOptions { types: self.types, retention: self.retention };
        let done = pipeline::vacuum(&self.lake.lake, &options, &Shown::default()).await?;
        match self.format {
            ReportFormat::Json => print::data(&serde_json::to_string_pretty(&done)?)?,
            ReportFormat::Table => {
                let row = |table: &pipeline::Vacuumed| {
                    vec![table.table.clone(), table.files.to_string(), table.bytes.to_string()]
                };
                let rows: Vec<_> = done.iter().filter(|table| table.skipped.is_none()).map(row).collect();
                print::data(&print::table(&["table", "files removed", "bytes"], &rows))?;
                for table in &done {
                    if let Some(reason) = &table.skipped {
                        print::note(&format!("{}: nothing was removed: {reason}", table.table));
                    }
                }
            }
        }
        let is_whole = done.iter().all(|table| table.skipped.is_none());
        Ok(if is_whole { Done::Clean } else { Done::WithIssues })
    }

    /// Compares the lake with its server.
    async fn compare(self, config: &Config) -> anyhow::Result<Done> {
        let server = self.server.ok_or_else(|| Error::Refused("--reconcile needs --server".to_owned()))?;
        let settings = Settings {
            max_removals: self.removals.max_removals,
            ..self.run.settings(Encoding::default(), config)
        };
        let identity = Identity::of_server(server.clone(), None)
            .of_client(self.connection.client_id())
            .with_tables(&config.tables);
        let mut client = self.connection.client(&server)?;
        let options = AbsencesOptions { types: self.types, apply: self.apply, settings };
        let found =
            pipeline::absences(&self.lake.lake, &identity, &mut client, &options, &Shown::default()).await?;
        if let Some(report) = found.report {
            return report::show_all(&[report], self.format);
        }
        match self.format {
            ReportFormat::Json => print::data(&serde_json::to_string_pretty(&found.tables)?)?,
            ReportFormat::Table => print::data(&for_people(&found.tables))?,
        }
        if let Some(warning) = found.warning {
            print::note(&warning);
            return Ok(Done::WithIssues);
        }
        print::note("nothing was changed; --apply removes these rows");
        Ok(Done::Clean)
    }
}

fn for_people(tables: &[pipeline::Absent]) -> String {
    let row = |table: &pipeline::Absent| {
        let share = 100.0 * table.absent as f64 / table.rows.max(1) as f64;
        vec![
            table.resource_type.clone(),
            table.rows.to_string(),
            table.absent.to_string(),
            format!("{share:.1}"),
            table.examples.join(" "),
        ]
    };
    print::table(
        &["type", "rows", "gone from the server", "%", "such as"],
        &tables.iter().map(row).collect::<Vec<_>>(),
    )
}
