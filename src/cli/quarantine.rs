//! `fhirlake quarantine`.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};
use fhir_arrow::{Findings, Reader, ValidationLevel, Validator};

use super::options::{LakeOption, LevelName, ReportFormat, RunOptions, ValidationOptions};
use super::progress::Shown;
use super::{Done, print, report};
use crate::config::Config;
use crate::error::Error;
use crate::lake::Lake;
use crate::lake::own;
use crate::lake::quarantine::QuarantinedLine;
use crate::pipeline::{self, ReplayOptions, Settings};
use crate::raw::{Encoding, RawSource};

const EXAMPLES: &str = "\
Examples:
  fhirlake quarantine list --lake lake --type Patient
  fhirlake quarantine show --lake lake raw/system-1-5f3a9c11/Patient.0.ndjson.zst:17
  fhirlake quarantine replay --lake lake --run system-1-5f3a9c11

A line is named by its raw file and its number in it, as `list` shows them.";

/// Lines that could not become rows: what they are, and another try
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Quarantine {
    #[command(subcommand)]
    command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// All lines, with the reason of each
    List {
        #[command(flatten)]
        lake: LakeOption,
        #[command(flatten)]
        which: Which,
        /// How they are listed
        #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
        format: ReportFormat,
    },
    /// One line: what is wrong with it, or its bytes
    Show {
        #[command(flatten)]
        lake: LakeOption,
        /// The line: RAW_FILE:LINE
        #[arg(value_name = "RAW_FILE:LINE")]
        line: String,
        /// How the line is judged for it
        #[arg(long, value_enum, default_value = "structure", env = "FHIRLAKE_VALIDATE")]
        validate: LevelName,
        /// What is shown
        #[arg(long, value_enum, default_value = "outcome", env = "FHIRLAKE_SHOW")]
        show: Shows,
    },
    /// Judges lines again; what passes becomes rows and leaves the quarantine
    Replay {
        #[command(flatten)]
        lake: LakeOption,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        validation: ValidationOptions,
        #[command(flatten)]
        run: RunOptions,
        /// How the run is reported
        #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
        format: ReportFormat,
    },
}

/// Which lines.
#[derive(Debug, Args)]
struct Which {
    /// Only those of this run; may be repeated
    #[arg(long = "run", value_name = "EXPORT_ID", env = "FHIRLAKE_RUN")]
    runs: Vec<String>,
    /// Only those of this resource type; may be repeated, or several separated by commas
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', env = "FHIRLAKE_TYPE")]
    types: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shows {
    /// An OperationOutcome
    Outcome,
    /// The line, byte for byte
    Line,
}

impl Quarantine {
    /// Runs the command.
    pub async fn run(self, config: &Config) -> anyhow::Result<Done> {
        match self.command {
            QuarantineCommand::List { lake, which, format } => list(&lake, &which, format).await,
            QuarantineCommand::Show { lake, line, validate, show } => {
                show_line(&lake, &line, validate.into(), show).await
            }
            QuarantineCommand::Replay { lake, which, validation, run, format } => {
                let judging = validation.judging(config)?;
                let settings = Settings { judging, ..run.settings(Encoding::default(), config) };
                let options = ReplayOptions { runs: which.runs, types: which.types, settings };
                let done = pipeline::replay(&lake.lake, &options, &Shown::default()).await?;
                report::show_all(&done, format)
            }
        }
    }
}

async fn lines(lake: &Lake) -> anyhow::Result<Vec<QuarantinedLine>> {
    let mut lines: Vec<QuarantinedLine> = own::rows(&lake.root).await?;
    lines.sort_by(|a, b| (&a.raw_file, a.line_number).cmp(&(&b.raw_file, b.line_number)));
    Ok(lines)
}

async fn list(lake: &LakeOption, which: &Which, format: ReportFormat) -> anyhow::Result<Done> {
    let mut lines = lines(&Lake::open(&lake.lake).await?).await?;
    lines.retain(|line| {
        let of_type = |name: &String| line.resource_type.as_ref() == Some(name);
        (which.runs.is_empty() || which.runs.contains(&line.export_id))
            && (which.types.is_empty() || which.types.iter().any(of_type))
    });
    match format {
        ReportFormat::Json => print::data(&serde_json::to_string_pretty(&lines)?)?,
        ReportFormat::Table => {
            let rows: Vec<_> = lines
                .iter()
                .map(|line| {
                    let resource = match (&line.resource_type, &line.id) {
                        (Some(name), Some(id)) => format!("{name}/{id}"),
                        (Some(name), None) => name.clone(),
                        (None, _) => "unknown".to_owned(),
                    };
                    let element = line.element_path.clone().unwrap_or_default();
                    let place = format!("{}:{}", line.raw_file, line.line_number);
                    vec![place, resource, line.issue_code.clone(), element, line.reason.clone()]
                })
                .collect();
            print::data(&print::table(&["line", "resource", "issue", "element", "reason"], &rows))?;
        }
    }
    Ok(Done::Clean)
}

async fn show_line(
    lake: &LakeOption,
    place: &str,
    level: ValidationLevel,
    show: Shows,
) -> anyhow::Result<Done> {
    let lake = Lake::open(&lake.lake).await?;
    let named = place.rsplit_once(':').and_then(|(file, number)| Some((file, number.parse::<i64>().ok()?)));
    let (file, number) = named.ok_or_else(|| {
        Error::Refused(format!(
            "{place:?} is no line: write RAW_FILE:LINE, as `fhirlake quarantine list` does"
        ))
    })?;
    let line =
        lines(&lake).await?.into_iter().find(|line| line.raw_file == file && line.line_number == number);
    let line = line.ok_or_else(|| Error::Refused(format!("line {number} of {file} is not in quarantine")))?;
    let (offset, length) = (u64::try_from(line.byte_offset)?, u64::try_from(line.byte_length)?);
    let bytes = RawSource::open(&lake.root, file).await?.read(offset..offset + length).await?;
    match show {
        Shows::Outcome => {
            let validator = Validator::new(lake.definitions(), level);
            print::data(&serde_json::to_string_pretty(&outcome(&line, &bytes, &validator)?)?)?;
        }
        Shows::Line => {
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
    }
    Ok(Done::Clean)
}

/// All that is wrong with a line, as FHIR says it; of a line that is no resource, what it was refused for.
fn outcome(line: &QuarantinedLine, bytes: &[u8], validator: &Validator) -> anyhow::Result<serde_json::Value> {
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    if let Ok(resource) = reader.read(bytes)
        && resource.header().is_ok()
    {
        validator.validate(&resource, &mut findings);
        if !findings.is_valid() {
            let text = findings.to_operation_outcome(&line.raw_file, u64::try_from(line.line_number)?);
            return Ok(serde_json::from_str(&text)?);
        }
    }
    let place = format!("line {}, byte {} of {}", line.line_number, line.byte_offset, line.raw_file);
    let mut issue = serde_json::json!({
        "severity": "error",
        "code": line.issue_code,
        "details": { "text": line.reason },
        "diagnostics": place,
    });
    if let Some(path) = &line.element_path {
        issue["expression"] = serde_json::json!([path]);
    }
    Ok(serde_json::json!({ "resourceType": "OperationOutcome", "issue": [issue] }))
}
