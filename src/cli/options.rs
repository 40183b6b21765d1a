//! Flags that several commands share, and how values on the command line are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use fhir_arrow::ValidationLevel;
use fhir_definitions::FhirVersion;

use crate::config::Config;
use crate::error::Error;
use crate::lake::identity::UpsertMode;
use crate::lake::stage::{Judging, OnInvalid};
use crate::pipeline::settings::LEAST_MEMORY;
use crate::pipeline::{MaxRemovals, Settings};
use crate::query::ValueSets;
use crate::raw::Encoding;

/// The lake that a command works on.
#[derive(Debug, Clone, Args)]
pub struct LakeOption {
    /// The lake's folder
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_LAKE")]
    pub lake: String,
}

/// The vocabulary that codes are mapped by.
#[derive(Debug, Clone, Args)]
pub struct VocabularyOption {
    /// OMOP's vocabulary, for the tables of the schema omop: the folder with CONCEPT.csv and CONCEPT_RELATIONSHIP.csv as
    /// Athena has sent them, or with the same as .parquet [default: none, every concept id is 0]
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_VOCABULARY")]
    vocabulary: Option<PathBuf>,
}

impl VocabularyOption {
    /// The folder, where there is one.
    pub fn folder(&self) -> Option<&Path> {
        self.vocabulary.as_deref()
    }
}

/// The value sets that views and statements ask for.
#[derive(Debug, Clone, Args)]
pub struct ValueSetOption {
    /// ValueSets for in_value_set(code, 'url'): a file (.json), or a folder of them. May be given several times
    #[arg(long = "value-set", value_name = "FILE_OR_FOLDER", env = "FHIRLAKE_VALUE_SETS")]
    value_sets: Vec<PathBuf>,
}

impl ValueSetOption {
    /// Reads them.
    ///
    /// # Errors
    /// Those of [`ValueSets::read`].
    pub fn read(&self) -> Result<Arc<ValueSets>, Error> {
        ValueSets::read(&self.value_sets).map(Arc::new)
    }
}

/// The FHIR version of what comes.
#[derive(Debug, Clone, Copy, Args)]
pub struct VersionOption {
    /// The FHIR version, where the server does not say it: R4, R4B or R5 [default: the lake's, else R4]
    #[arg(long, value_name = "VERSION", env = "FHIRLAKE_FHIR_VERSION", value_parser = fhir_version)]
    pub fhir_version: Option<FhirVersion>,
}

/// How rows leave the files of a lake's tables.
#[derive(Debug, Clone, Copy, Args)]
pub struct UpsertOption {
    /// How rows leave the tables' files, decided when the lake is made: marked in deletion vectors, which costs what a
    /// change changes, or by writing the files again, for readers without vectors (pyarrow) [default: the lake's, else deletion-vectors]
    #[arg(long, value_enum, env = "FHIRLAKE_UPSERT")]
    pub upsert: Option<UpsertMode>,
}

/// Reads `R4` or `4.0.1`.
fn fhir_version(text: &str) -> Result<FhirVersion, String> {
    let labelled = FhirVersion::ALL.iter().find(|version| version.label().eq_ignore_ascii_case(text));
    labelled.copied().or_else(|| FhirVersion::from_fhir_version(text)).ok_or_else(|| {
        let known: Vec<_> = FhirVersion::ALL.iter().map(|version| version.label()).collect();
        format!("the versions are {}", known.join(", "))
    })
}

/// How a run works.
#[derive(Debug, Clone, Copy, Args)]
pub struct RunOptions {
    /// How much memory the run takes, about: 256MB at least; with less than 128MB a processor, not all are used
    #[arg(long, value_name = "SIZE", default_value = "512MB", env = "FHIRLAKE_MEMORY", value_parser = memory)]
    memory: u64,
}

impl RunOptions {
    /// The settings of the run.
    pub fn settings(&self, raw: Encoding, config: &Config) -> Settings {
        let quarantine_retention = config.quarantine.retention;
        Settings { memory: self.memory, raw, quarantine_retention, ..Settings::default() }
    }
}

/// How resources are judged.
#[derive(Debug, Clone, Copy, Args)]
pub struct ValidationOptions {
    /// How resources are judged: not at all; their structure; or also required codes, targets of references and constraints
    #[arg(long, value_enum, default_value = "structure", env = "FHIRLAKE_VALIDATE")]
    pub validate: LevelName,
    /// What becomes of those that are not valid: their lines go to the quarantine, they become rows all the same, or the run is refused
    #[arg(long, value_enum, default_value = "quarantine", env = "FHIRLAKE_ON_INVALID")]
    pub on_invalid: OnInvalid,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelName {
    /// Nothing beyond what a row needs
    None,
    /// JSON types, cardinality, the forms of primitives, unknown elements
    Structure,
    /// The same, and codes of required bindings, types that references are to, and constraints
    Full,
}

impl From<LevelName> for ValidationLevel {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::None => Self::None,
            LevelName::Structure => Self::Structure,
            LevelName::Full => Self::Full,
        }
    }
}

impl ValidationOptions {
    /// The same with what is tolerated.
    pub fn judging(self, config: &Config) -> Result<Judging, Error> {
        let allow = config.validation.pairs()?;
        Ok(Judging { level: self.validate.into(), on_invalid: self.on_invalid, allow })
    }
}

/// What a complete export may remove.
#[derive(Debug, Clone, Copy, Args)]
pub struct RemovalsOption {
    /// How many rows of a table go because a complete export did not bring them, before the run is refused: a share or a number
    #[arg(long, value_name = "N|N%", default_value = "10%", env = "FHIRLAKE_MAX_REMOVALS", value_parser = max_removals)]
    pub max_removals: MaxRemovals,
}

/// How a command that reports tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Reads `512MB`, `2GB`, or a number of bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let hint = || "write a number and MB or GB, as in 512MB".to_owned();
    let number_ends = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let bytes: u64 = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" | "K" | "KIB" => 1 << 10,
        "MB" | "M" | "MIB" => 1 << 20,
        "GB" | "G" | "GIB" => 1 << 30,
        _ => return Err(hint()),
    };
    let number: u64 = number.parse().map_err(|_| hint())?;
    number.checked_mul(bytes).filter(|size| *size > 0).ok_or_else(hint)
}

/// Reads `10%`, or a number of rows.
fn max_removals(text: &str) -> Result<MaxRemovals, String> {
    let hint = || "write a number of rows, or a share as in 10%".to_owned();
    match text.strip_suffix('%') {
        Some(share) => {
            let share: f64 = share.trim().parse().map_err(|_| hint())?;
            (0.0..=100.0).contains(&share).then_some(MaxRemovals::Share(share / 100.0)).ok_or_else(hint)
        }
        None => text.parse().map(MaxRemovals::Rows).map_err(|_| hint()),
    }
}

/// Reads the memory of a run.
fn memory(text: &str) -> Result<u64, String> {
    size(text).and_then(|size| {
        (size >= LEAST_MEMORY).then_some(size).ok_or_else(|| "a run takes 256MB at least".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_a_label_and_a_number() {
        assert_eq!((fhir_version("r4b"), fhir_version("5.0.0")), (Ok(FhirVersion::R4B), Ok(FhirVersion::R5)));
        assert_eq!(fhir_version("STU3"), Err("the versions are R4, R4B, R5".to_owned()));
    }

    #[test]
    fn removals_are_a_share_or_a_number() {
        assert_eq!(max_removals("25%"), Ok(MaxRemovals::Share(0.25)));
        assert_eq!(max_removals("7"), Ok(MaxRemovals::Rows(7)));
        for text in ["", "101%", "-1", "all"] {
            assert!(max_removals(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!((size("512MB"), size("2 GB"), size("100")), (Ok(512 << 20), Ok(2 << 30), Ok(100)));
        for text in ["", "0", "much", "5TB", "-1MB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
