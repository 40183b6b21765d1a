//! `fhirlake.toml`: what is configured, as it is written and as it is meant.
//!
//! One invariant: what the file has is known, or the program says what it does not know. A key that is misspelt would
//! otherwise change nothing, silently.
//!
//! ```toml
//! lake = "/data/lake"            # every flag of the command line, by its name
//! memory = "2GB"
//!
//! [tables.Patient]
//! columns = ["_birthDate", "address.extension"]
//!
//! [quarantine]
//! retention = "90d"
//!
//! [validation]
//! allow = ["json-type Patient.active"]   # kind and path of a finding, as _findings has them
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};

/// The file's name, where no other is given.
pub const FILE: &str = "fhirlake.toml";

/// What is configured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Flag, as on the command line without its dashes → its values.
    pub flags: BTreeMap<String, Vec<String>>,
    /// Resource type → how its table is made.
    pub tables: BTreeMap<String, TableConfig>,
    /// What becomes of quarantined lines.
    pub quarantine: QuarantineConfig,
    /// What validation tolerates.
    pub validation: ValidationConfig,
}

/// How the table of a resource type is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// Elements that have columns besides those of the definitions: `_birthDate`, `address.extension`.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// The kinds of findings: `_findings.kind`.
const KINDS: [&str; 11] = [
    "unknown-element",
    "json-type",
    "null",
    "empty",
    "cardinality",
    "several-choices",
    "primitive-format",
    "alignment",
    "required-binding",
    "reference-target",
    "unknown-type",
];

/// What validation tolerates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationConfig {
    /// Findings, each as its kind and its path, as `_findings` has them: `json-type Patient.active`.
    #[serde(default)]
    pub allow: Vec<String>,
}

impl ValidationConfig {
    /// The same in two parts.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is not a kind and a path.
    pub fn pairs(&self) -> Result<Vec<(String, String)>> {
        let pair = |text: &String| {
            let pair = text.split_once(' ').map(|(kind, path)| (kind.to_owned(), path.trim().to_owned()));
            let known = |(kind, path): &(String, String)| {
                let is_constraint =
                    kind.split_once('-').is_some_and(|(_, n)| n.starts_with(|c: char| c.is_ascii_digit()));
                (KINDS.contains(&kind.as_str()) || is_constraint)
                    && path.starts_with(|c: char| c.is_ascii_uppercase())
            };
            pair.filter(known).ok_or_else(|| {
                Error::Refused(format!(
                    "[validation] allow: {text:?} is not a kind and a path, as in \"json-type Patient.active\"; the kinds \
                     are the keys of constraints, and {}",
                    KINDS.join(", ")
                ))
            })
        };
        self.allow.iter().map(pair).collect()
    }
}

/// What becomes of quarantined lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineConfig {
    /// How long lines stay in `_quarantine`; for ever, where nothing is said. Their raw files are not touched.
    #[serde(default, deserialize_with = "duration")]
    pub retention: Option<Duration>,
}

impl Config {
    /// Reads a file; where none is named, the one in the working folder, if there is one.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file that is named and not there, and for what cannot be understood.
    pub fn load(named: Option<&Path>) -> Result<Self> {
        let path = named.unwrap_or(Path::new(FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => {
                Self::parse(&text).map_err(|what| Error::Refused(format!("{}: {what}", path.display())))
            }
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(Error::Refused(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let mut config = Self::default();
        for (key, value) in table {
            let section = |error: toml::de::Error| format!("[{key}]: {}", error.message());
            match key.as_str() {
                "tables" => config.tables = value.try_into().map_err(section)?,
                "validation" => config.validation = value.try_into().map_err(section)?,
                "quarantine" => config.quarantine = value.try_into().map_err(section)?,
                _ => {
                    let value = flag(&value)
                        .ok_or_else(|| format!("{key} is neither a flag's value nor a section"))?;
                    config.flags.insert(key, value);
                }
            }
        }
        Ok(config)
    }
}

/// A flag's values, each as it would be written on the command line.
fn flag(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(values) => {
            let values: Option<Vec<Vec<String>>> = values.iter().map(flag).collect();
            values.map(|values| values.concat())
        }
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(truth) => Some(vec![truth.to_string()]),
        toml::Value::Datetime(instant) => Some(vec![instant.to_string()]),
        toml::Value::Float(_) | toml::Value::Table(_) => None,
    }
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Reads `30s`, `10m`, `2h`, `1d`, or a number of seconds.
///
/// # Errors
/// What a duration is written like.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let number_ends = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let seconds: u64 = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err("write a number and s, m, h or d, as in 30s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number and s, m, h or d, as in 30s".to_owned())?;
    match number.checked_mul(seconds) {
        Some(0) => Err("it must be a second at least".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("it is too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_they_would_be_written() {
        let config =
            Config::parse("lake = \"/data\"\nparallel = 8\ntype = [\"Patient\", \"Claim\"]\nfull = true")
                .unwrap();
        let flags: Vec<_> =
            config.flags.iter().map(|(name, values)| (name.as_str(), values.join("|"))).collect();
        assert_eq!(
            flags,
            [("full", "true"), ("lake", "/data"), ("parallel", "8"), ("type", "Patient|Claim")]
                .map(|(name, values)| (name, values.to_owned()))
        );
    }

    #[test]
    fn sections_have_their_settings() {
        let text = "[tables.Patient]\ncolumns = [\"_birthDate\"]\n[quarantine]\nretention = \"90d\"";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.tables["Patient"].columns, ["_birthDate"]);
        assert_eq!(config.quarantine.retention, Some(Duration::from_secs(90 * 86400)));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for text in [
            "[tables.Patient]\ncolums = []",
            "[quarantine]\nretention = \"soon\"",
            "[table.Patient]\ncolumns = []",
            "memory = 0.5",
            "lake",
        ] {
            assert!(Config::parse(text).is_err(), "{text}");
        }
        assert!(Config::load(Some(Path::new("/nowhere/fhirlake.toml"))).is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert!(parse_duration("ten").is_err());
        assert!(parse_duration("5w").is_err());
        assert!(parse_duration("0s").is_err(), "a server would be asked without a pause");
    }
}
