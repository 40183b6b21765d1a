//! What becomes of resources that are not valid, and what is counted of them.
//!
//! One invariant: how a resource is judged never changes its row, only whether it becomes one.

use fhir_arrow::{Finding, Findings, LineError, Resource, ValidationLevel, Validator};
use fhir_definitions::Definitions;
use serde::{Deserialize, Serialize};

/// What becomes of a resource that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
pub enum OnInvalid {
    /// Its line goes to the quarantine.
    #[default]
    Quarantine,
    /// It becomes a row, and is counted.
    Warn,
    /// The run is refused, before anything is changed.
    Fail,
}

/// How resources are judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judging {
    /// How much is looked at.
    #[serde(with = "level")]
    pub level: ValidationLevel,
    /// What becomes of those that are not valid.
    pub on_invalid: OnInvalid,
    /// What is tolerated, each as its kind and its path.
    pub allow: Vec<(String, String)>,
}

/// A level by its name.
mod level {
    use fhir_arrow::ValidationLevel;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(level: &ValidationLevel, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match level {
            ValidationLevel::None => "none",
            ValidationLevel::Structure => "structure",
            ValidationLevel::Full => "full",
        };
        name.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ValidationLevel, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "none" => Ok(ValidationLevel::None),
            "structure" => Ok(ValidationLevel::Structure),
            "full" => Ok(ValidationLevel::Full),
            _ => Err(serde::de::Error::custom("it is no level of validation")),
        }
    }
}

impl Judging {
    /// Nothing is judged: what was a row once is one.
    pub fn nothing() -> Self {
        Self { level: ValidationLevel::None, ..Self::default() }
    }
}

/// Judges resources of a FHIR version.
#[derive(Debug)]
pub struct Judge {
    validator: Validator,
    on_invalid: OnInvalid,
}

/// What a judge says of a resource.
pub enum Verdict {
    /// It becomes a row.
    Accepted,
    /// Its line is refused.
    Refused(LineError),
    /// The run is.
    Fails(LineError),
}

impl Judge {
    /// A judge.
    pub fn new(definitions: &'static Definitions, judging: &Judging) -> Self {
        let validator = Validator::new(definitions, judging.level)
            .with_allowances(judging.allow.iter().map(|(kind, path)| (kind, path)).collect());
        Self { validator, on_invalid: judging.on_invalid }
    }

    /// What becomes of refused lines.
    pub fn on_invalid(&self) -> OnInvalid {
        self.on_invalid
    }

    /// Judges a resource. Its findings are left in `findings`.
    pub fn judge(&self, resource: &Resource<'_>, findings: &mut Findings) -> Verdict {
        self.validator.validate(resource, findings);
        match (findings.refusal(), self.on_invalid) {
            (None, _) | (_, OnInvalid::Warn) => Verdict::Accepted,
            (Some(error), OnInvalid::Quarantine) => Verdict::Refused(error),
            (Some(error), OnInvalid::Fail) => Verdict::Fails(error),
        }
    }
}

/// What findings have in common that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingKey {
    /// The resource's type.
    pub resource_type: String,
    /// [`fhir_arrow::FindingKind::as_str`].
    pub kind: &'static str,
    /// FHIR's severity.
    pub severity: &'static str,
    /// Where in the resource, without positions.
    pub element_path: String,
}

impl FindingKey {
    /// The key of a finding.
    pub fn of(resource_type: &str, finding: &Finding) -> Self {
        Self {
            resource_type: resource_type.to_owned(),
            kind: finding.kind.as_str(),
            severity: finding.severity.as_str(),
            element_path: finding.path_without_positions(),
        }
    }
}

/// Findings of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// How many there are.
    pub count: u64,
    /// The first of them: raw file, line and byte in the line.
    pub first: (u32, u64, u64),
    /// FHIR's issue type.
    pub issue_code: String,
    /// What is wrong.
    pub reason: String,
}
