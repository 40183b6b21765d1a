//! `fhirlake check`.

use clap::Args;
use fhir_bulk_client::{ServerCheck, redact};
use serde_json::json;

use super::options::ReportFormat;
use super::server::ServerOptions;
use super::{Done, print};

const EXAMPLES: &str = "\
Examples:
  fhirlake check --server https://ehr.example.org/fhir
  fhirlake check --server https://ehr.example.org/fhir --client-id lake --key key.pem";

/// What a server can do, which version of the specification it speaks, and where it deviates
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    #[command(flatten)]
    server: ServerOptions,
    /// How it is told
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
}

impl Check {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let client = self.server.client()?;
        let check = client.check().await.map_err(crate::Error::from)?;
        let facts = facts(redact(client.base()).trim_end_matches('/'), &check);
        match self.format {
            ReportFormat::Json => {
                let facts: serde_json::Map<_, _> =
                    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                print::data(&serde_json::to_string_pretty(&facts)?)?;
            }
            ReportFormat::Table => {
                let rows: Vec<_> = facts.iter().flat_map(|(name, value)| lines(name, value)).collect();
                print::data(&print::table(&["", ""], &rows))?;
            }
        }
        Ok(Done::Clean)
    }
}

/// What was found, each with its name.
fn facts(base: &str, check: &ServerCheck) -> Vec<(&'static str, serde_json::Value)> {
    let capability = check.capability.as_ref();
    let levels = capability.map(|said| {
        let levels =
            [("system", said.system_export), ("patient", said.patient_export), ("group", said.group_export)];
        levels.into_iter().filter_map(|(name, has)| has.then_some(name)).collect::<Vec<_>>()
    });
    let grant = check.grant.as_ref();
    vec![
        ("server", json!(base)),
        ("software", json!(capability.and_then(|said| said.software.clone()))),
        ("fhir_version", json!(capability.map(|said| &said.fhir_version))),
        ("levels", json!(levels)),
        ("dialect", json!(check.dialect.name())),
        ("token_endpoint", json!(check.smart.as_ref().and_then(|smart| smart.token_endpoint.clone()))),
        ("scopes", json!(grant.map(|grant| grant.scopes().iter().collect::<Vec<_>>()))),
        ("known_as", json!(check.server)),
        ("quirks", json!(check.quirks.names())),
        ("deviations", json!(check.deviations)),
    ]
}

/// A fact for people: a line for each of its values.
fn lines(name: &str, value: &serde_json::Value) -> Vec<Vec<String>> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        serde_json::Value::Null => vec![vec![name.to_owned(), "not said".to_owned()]],
        serde_json::Value::Array(values) if values.is_empty() => {
            vec![vec![name.to_owned(), "none".to_owned()]]
        }
        serde_json::Value::Array(values) => {
            let names = std::iter::once(name).chain(std::iter::repeat(""));
            values.iter().zip(names).map(|(value, name)| vec![name.to_owned(), text(value)]).collect()
        }
        value => vec![vec![name.to_owned(), text(value)]],
    }
}
