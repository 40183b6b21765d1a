//! `fhirlake status`.

use clap::Args;

use super::options::{LakeOption, ReportFormat};
use super::{Done, print};
use crate::lake::Lake;
use crate::pipeline::status::{self, Status as LakeStatus, TableStatus, ViewStatus};

const EXAMPLES: &str = "\
Examples:
  fhirlake status --lake lake
  fhirlake status --lake lake --format json";

/// What the lake holds, since when, from where, and what needs a look
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    #[command(flatten)]
    lake: LakeOption,
    /// How it is told
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
}

impl Status {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let lake = Lake::open(&self.lake.lake).await?;
        let status = status::status(&lake).await?;
        match self.format {
            ReportFormat::Json => print::data(&serde_json::to_string_pretty(&status)?)?,
            ReportFormat::Table => print::data(&for_people(&status))?,
        }
        Ok(Done::Clean)
    }
}

fn for_people(status: &LakeStatus) -> String {
    let mut parts = vec![format!(
        "lake     {}\nserver   {}\nsource   {}\nversion  FHIR {}",
        status.location,
        status.server.as_deref().unwrap_or("none: from files"),
        status.alias,
        status.fhir_version,
    )];
    if !status.tables.is_empty() {
        let rows: Vec<_> = status
            .tables
            .iter()
            .map(|table| vec![table.name.clone(), table.rows.to_string(), table.version.to_string()])
            .collect();
        parts.push(print::table(&["table", "rows", "version"], &rows));
    }
    if !status.views.is_empty() {
        let row = |view: &ViewStatus| {
            vec![view.name.clone(), view.rows.to_string(), view.version.to_string(), view.changed.join(", ")]
        };
        let rows: Vec<_> = status.views.iter().map(row).collect();
        parts.push(print::table(&["materialized view", "rows", "version", "changed since"], &rows));
    }
    if !status.pipelines.is_empty() {
        let rows: Vec<_> = status
            .pipelines
            .iter()
            .map(|pipeline| {
                let marks = pipeline.watermarks.iter().map(|(name, at)| format!("{name}: {at}"));
                vec![
                    pipeline.name.clone(),
                    pipeline.last_run.clone(),
                    pipeline.last_status.clone(),
                    pipeline.finished_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    marks.collect::<Vec<_>>().join(", "),
                ]
            })
            .collect();
        parts.push(print::table(&["pipeline", "last run", "status", "finished", "watermarks"], &rows));
    }
    parts.extend(rest(status));
    parts.extend((!status.attention.is_empty()).then(|| status.attention.join("\n")));
    parts.join("\n\n")
}

/// The elements with the most values in `__rest`.
const SHOWN: usize = 20;

/// What lives in `__rest`, the most first: what a user may want columns for.
fn rest(status: &LakeStatus) -> Option<String> {
    let values = |table: &TableStatus| {
        let of = |(path, count): (&String, &u64)| (*count, table.name.clone(), path.clone());
        table.rest.iter().map(of).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = status.tables.iter().flat_map(values).collect();
    if all.is_empty() {
        return None;
    }
    all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (&a.1, &a.2).cmp(&(&b.1, &b.2))));
    let more = all.len().saturating_sub(SHOWN);
    let rows: Vec<_> = all
        .into_iter()
        .take(SHOWN)
        .map(|(count, table, path)| vec![table, path, count.to_string()])
        .collect();
    let table = print::table(&["table", "element", "values in __rest"], &rows);
    Some(if more == 0 { table } else { format!("{table}\nand {more} more: --format json has them all") })
}
