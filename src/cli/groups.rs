//! `fhirlake groups`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::options::ReportFormat;
use super::server::ServerOptions;
use super::{Done, print};

const EXAMPLES: &str = "\
Examples:
  fhirlake groups list --server https://ehr.example.org/fhir
  fhirlake groups list --server https://ehr.example.org/fhir --name diabetes";

/// A server's Groups
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Groups {
    #[command(subcommand)]
    command: GroupsCommand,
}

#[derive(Debug, Subcommand)]
enum GroupsCommand {
    /// The Groups that the client may see: their ids are what `export --group` takes
    List {
        #[command(flatten)]
        server: Box<ServerOptions>,
        /// Only those whose name begins so
        #[arg(long, value_name = "NAME", env = "FHIRLAKE_NAME")]
        name: Option<String>,
        /// Only those with this identifier: VALUE or SYSTEM|VALUE
        #[arg(long, value_name = "IDENTIFIER", env = "FHIRLAKE_IDENTIFIER")]
        identifier: Option<String>,
        /// How they are listed
        #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
        format: ReportFormat,
    },
}

impl Groups {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let GroupsCommand::List { server, name, identifier, format } = self.command;
        let mut client = server.client()?;
        let check = client.check().await.map_err(crate::Error::from)?;
        client.adopt(&check);
        let groups = client.groups(name.as_deref(), identifier.as_deref()).await;
        let groups = groups.map_err(crate::Error::from)?;
        // A server may say how many there are, and list none of them.
        let members = |group: &fhir_bulk_client::Group| match group.patients().count() {
            0 => group.quantity,
            listed => Some(listed as u64),
        };
        match format {
            ReportFormat::Json => {
                let all: Vec<_> = groups
                    .iter()
                    .map(|group| {
                        json!({
                            "id": group.id, "name": group.name, "identifiers": group.identifiers,
                            "members": members(group), "members_refreshed": group.members_refreshed,
                        })
                    })
                    .collect();
                print::data(&serde_json::to_string_pretty(&all)?)?;
            }
            ReportFormat::Table => {
                let rows: Vec<_> = groups
                    .iter()
                    .map(|group| {
                        let count = members(group).map_or_else(|| "-".to_owned(), |count| count.to_string());
                        let name = group.name.clone().unwrap_or_default();
                        vec![group.id.clone(), count, name, group.identifiers.join(" ")]
                    })
                    .collect();
                print::data(&print::table(&["id", "members", "name", "identifiers"], &rows))?;
            }
        }
        Ok(Done::Clean)
    }
}
