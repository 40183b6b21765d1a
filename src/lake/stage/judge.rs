//! What becomes of resources that are not valid, and what is counted of them.
//!
//! One invariant: how a resource is judged never changes its row, only whether it becomes one.

use fhir_arrow::{Allowances, Finding, Findings, LineError, Resource, ValidationLevel, Validator};
use fhir_definitions::Definitions;

/// What becomes of a resource that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
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
#[derive(Debug, Clone, Default)]
pub struct Judging {
    /// How much is looked at.
    pub level: ValidationLevel,
    /// What becomes of those that are not valid.
    pub on_invalid: OnInvalid,
    /// What is tolerated.
    pub allowances: Allowances,
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
        let validator =
            Validator::new(definitions, judging.level).with_allowances(judging.allowances.clone());
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
