//! `fhirlake views`.

use clap::{Args, Subcommand};

use super::options::ReportFormat;
use super::{Done, print};
use crate::views;

/// The SQL views: what there is, and what it says
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  fhirlake views list\n  fhirlake views show observations")]
pub struct Views {
    #[command(subcommand)]
    command: ViewsCommand,
}

#[derive(Debug, Subcommand)]
enum ViewsCommand {
    /// All views, with what a row of each is
    List {
        /// How they are listed
        #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
        format: ReportFormat,
    },
    /// A view's SQL, with its columns
    Show {
        /// The view's name
        name: String,
    },
}

impl Views {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        match self.command {
            ViewsCommand::List { format: ReportFormat::Json } => {
                print::data(&serde_json::to_string_pretty(views::all())?)?;
            }
            ViewsCommand::List { format: ReportFormat::Table } => {
                let rows: Vec<_> = views::all()
                    .iter()
                    .map(|view| vec![view.name.clone(), view.description.clone()])
                    .collect();
                print::data(&print::table(&["view", "description"], &rows))?;
            }
            ViewsCommand::Show { name } => print::data(views::get(&name)?.sql.trim_end())?,
        }
        Ok(Done::Clean)
    }
}
