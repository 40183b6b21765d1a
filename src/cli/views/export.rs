//! `fhirlake views export`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use fhir_definitions::FhirVersion;

use crate::cli::options::VersionOption;
use crate::cli::{Done, print};
use crate::error::Error;
use crate::lake::Lake;
use crate::query::external::{self, Found};
use crate::views::dialect::{Dialect, Place};
use crate::views::export::{Export, Schemas, Statement};

const EXAMPLES: &str = "\
Examples:
  fhirlake views export --dialect duckdb --lake lake -o views.sql && duckdb clinic.db < views.sql
  fhirlake views export --dialect duckdb --lake lake conditions labs
  fhirlake views export --dialect spark --lake lake --schema clinic -o views.sql
  fhirlake views export --dialect spark --lake lake -o views/
  fhirlake views export --dialect databricks --lake lake --location s3://clinic/lake omop
  fhirlake views export --dialect databricks --fhir-version R4 --tables-schema main.fhir

A view has the rows of `fhirlake query --latest`. A type that the lake has no data for becomes an empty view: export again
when it has some.";

/// The views as SQL for DuckDB, Spark or Databricks, over the lake's Delta tables
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportViews {
    /// The views, with those that they select from; omop.person, or omop for all tables of OMOP [default: all but those of OMOP]
    #[arg(value_name = "VIEW")]
    views: Vec<String>,
    /// The engine
    #[arg(long, value_enum, env = "FHIRLAKE_DIALECT")]
    dialect: Dialect,
    /// The lake's folder: its tables are made known to the engine
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_LAKE", required_unless_present = "fhir_version")]
    lake: Option<String>,
    /// Where the engine finds the lake, if it is not where it is here, such as s3://bucket/lake
    #[arg(long, value_name = "URL", env = "FHIRLAKE_LOCATION", conflicts_with = "tables_schema")]
    location: Option<String>,
    /// The schema of the engine's catalog that has the tables, where they are not read as files
    #[arg(long, value_name = "[CATALOG.]SCHEMA", env = "FHIRLAKE_TABLES_SCHEMA", value_parser = place)]
    tables_schema: Option<Place>,
    /// The schema that the views are made in [default: that of the engine's session, which for OMOP in DuckDB is main]
    #[arg(long, value_name = "[CATALOG.]SCHEMA", env = "FHIRLAKE_SCHEMA", value_parser = place)]
    schema: Option<Place>,
    /// The schema that the tables of OMOP are made in
    #[arg(long, value_name = "[CATALOG.]SCHEMA", env = "FHIRLAKE_OMOP_SCHEMA", default_value = "omop", value_parser = place)]
    omop_schema: Place,
    #[command(flatten)]
    version: VersionOption,
    /// The file that the script goes to, or, with a slash at its end, the folder that gets a file for each statement [default: stdout]
    #[arg(short, long, value_name = "FILE|FOLDER/", env = "FHIRLAKE_OUTPUT")]
    output: Option<PathBuf>,
}

/// Reads `schema` or `catalog.schema`.
fn place(text: &str) -> Result<Place, String> {
    let parts: Place = text.split('.').map(str::to_owned).collect();
    if parts.len() > 2 || parts.iter().any(String::is_empty) {
        return Err("it is SCHEMA, or CATALOG.SCHEMA".to_owned());
    }
    Ok(parts)
}

impl ExportViews {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        let (version, statements) = self.statements().await?;
        let head = format!(
            "-- The views of fhirlake {} for {}, FHIR {version}.",
            env!("CARGO_PKG_VERSION"),
            self.dialect
        );
        match &self.output {
            None => print::data(script(&head, &statements).trim_end())?,
            Some(path) if path.is_dir() || path.to_string_lossy().ends_with('/') => files(path, &statements)?,
            Some(path) => write(path, &script(&head, &statements))?,
        }
        Ok(Done::Clean)
    }

    async fn statements(&self) -> anyhow::Result<(FhirVersion, Vec<Statement>)> {
        let schemas = Schemas { views: self.schema.clone(), omop: self.omop_schema.clone() };
        let Some(lake) = &self.lake else {
            if self.location.is_some() {
                return Err(Error::Refused("--location is of a lake: say --lake".to_owned()).into());
            }
            let version = self
                .version
                .fhir_version
                .ok_or_else(|| Error::Refused("say --lake or --fhir-version".to_owned()))?;
            let export = Export::of(&self.views, version)?;
            let schema = self.tables_schema.clone().or_else(|| self.schema.clone()).unwrap_or_default();
            let tables = external::tables_in_catalog(export.tables(), &schema);
            return Ok((version, export.statements(self.dialect, &schemas, &tables)?));
        };
        let lake = Lake::open(lake).await?;
        let version = lake.definitions().version();
        if let Some(said) = self.version.fhir_version.filter(|said| *said != version) {
            return Err(Error::Refused(format!("the lake holds FHIR {version}, and not {said}")).into());
        }
        let export = Export::of(&self.views, version)?;
        let found = match &self.tables_schema {
            Some(schema) => Found::Catalog(schema.clone()),
            None => Found::Files(self.location.clone()),
        };
        let tables = external::tables(&lake, export.tables(), &found).await?;
        Ok((version, export.statements(self.dialect, &schemas, &tables)?))
    }
}

fn script(head: &str, statements: &[Statement]) -> String {
    let mut script = format!("{head}\n");
    for statement in statements {
        // Writing to a text cannot fail.
        let _ = write!(script, "\n{}", text(statement));
    }
    script
}

fn text(statement: &Statement) -> String {
    let comment = match statement.comment.as_str() {
        "" => String::new(),
        comment => format!("-- {comment}\n"),
    };
    format!("{comment}{};\n", statement.sql)
}

/// A file for each statement, named so that their order is that of the script.
fn files(folder: &Path, statements: &[Statement]) -> anyhow::Result<()> {
    let names = (1..)
        .zip(statements)
        .map(|(number, statement)| format!("{number:03}-{}.sql", plain(&statement.name)));
    let files: BTreeMap<String, &Statement> = names.zip(statements).collect();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Whoever runs all files of the folder would run it too.
        if name.ends_with(".sql") && !files.contains_key(&name) {
            let why = format!(
                "{} holds {name}, which is none of these statements: name another folder",
                folder.display()
            );
            return Err(Error::Refused(why).into());
        }
    }
    for (name, statement) in files {
        write(&folder.join(name), &text(statement))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// What of a name can be part of a file's.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-')).collect()
}
