//! `fhirlake quality`.

use clap::Args;

use super::options::{LakeOption, ReportFormat};
use super::{Done, print};
use crate::lake::Lake;
use crate::query::quality::{self, Outcome};
use crate::query::{Pin, Session};
use crate::views::quality::{QualityQuery, get, of};

const EXAMPLES: &str = "\
Examples:
  fhirlake quality --lake lake
  fhirlake quality --lake lake unresolved_references implausible_dates
  fhirlake quality --lake lake --format json --examples 1000 missing_codes

What is printed are types, ids and elements of resources, and no values of persons. The exit code is 3 where a check
has found something. The queries are in sql/quality; each is SQL that `fhirlake query` runs too.";

/// Looks for what is wrong with the data: references, duplicates, codes, dates; and how complete they are
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Quality {
    #[command(flatten)]
    lake: LakeOption,
    /// The queries [default: all]: unresolved_references, duplicate_patients, duplicate_observations, missing_codes,
    /// implausible_dates, omop_id_collisions (not of FHIR R5), completeness
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How it is told
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: ReportFormat,
    /// How many examples are shown of what each check has found
    #[arg(long, value_name = "COUNT", default_value_t = 3, env = "FHIRLAKE_EXAMPLES")]
    examples: usize,
}

impl Quality {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let lake = Lake::open(&self.lake.lake).await?;
        let version = lake.definitions().version();
        let queries: Vec<&QualityQuery> = match self.names.is_empty() {
            true => of(version).collect(),
            false => self.names.iter().map(|name| get(name, version)).collect::<Result<_, _>>()?,
        };
        let session = Session::open(&lake, Pin::LastRun).await?;
        let mut outcomes = Vec::new();
        for query in queries {
            outcomes.push(quality::run(&session, query, self.examples).await?);
        }
        match self.format {
            ReportFormat::Json => print::data(&serde_json::to_string_pretty(&outcomes)?)?,
            ReportFormat::Table => print::data(&for_people(&outcomes))?,
        }
        let found = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Check { found: 1.., .. }));
        Ok(if found { Done::WithIssues } else { Done::Clean })
    }
}

fn for_people(outcomes: &[Outcome]) -> String {
    let (mut checks, mut examples, mut elements) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Check { name, found, examples: kept, .. } => {
                checks.push(vec![name.clone(), found.to_string()]);
                examples.extend(kept.iter().map(|finding| {
                    let resource = format!("{}/{}", finding.resource_type, finding.id);
                    vec![name.clone(), resource, finding.element.clone(), finding.problem.clone()]
                }));
            }
            Outcome::Measure { elements: all, .. } => elements.extend(all.iter().map(|filled| {
                let share = format!("{:.1}", filled.share * 100.0);
                let (rows, filled_rows) = (filled.rows.to_string(), filled.filled.to_string());
                vec![filled.resource_type.clone(), filled.element.clone(), rows, filled_rows, share]
            })),
        }
    }
    let tables: [(&[&str], Vec<Vec<String>>); 3] = [
        (&["check", "found"], checks),
        (&["check", "resource", "element", "problem"], examples),
        (&["type", "element", "rows", "filled", "%"], elements),
    ];
    let shown = tables.iter().filter(|(_, rows)| !rows.is_empty());
    shown.map(|(header, rows)| print::table(header, rows)).collect::<Vec<_>>().join("\n\n")
}
