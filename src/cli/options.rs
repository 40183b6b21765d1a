//! Flags that several commands share, and how values on the command line are read.

use clap::{Args, ValueEnum};
use fhir_definitions::FhirVersion;

use crate::config::Config;
use crate::pipeline::Settings;
use crate::pipeline::settings::LEAST_MEMORY;
use crate::raw::Encoding;

/// The lake that a command works on.
#[derive(Debug, Clone, Args)]
pub struct LakeOption {
    /// The lake's folder
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_LAKE")]
    pub lake: String,
}

/// The FHIR version of what comes.
#[derive(Debug, Clone, Copy, Args)]
pub struct VersionOption {
    /// The FHIR version, where the server does not say it: R4, R4B or R5 [default: the lake's, else R4]
    #[arg(long, value_name = "VERSION", env = "FHIRLAKE_FHIR_VERSION", value_parser = fhir_version)]
    pub fhir_version: Option<FhirVersion>,
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
    fn sizes_have_units() {
        assert_eq!((size("512MB"), size("2 GB"), size("100")), (Ok(512 << 20), Ok(2 << 30), Ok(100)));
        for text in ["", "0", "much", "5TB", "-1MB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
