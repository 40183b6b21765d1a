//! Constraints: what has to hold of a value beyond its shape
//! (<https://hl7.org/fhir/R4/conformance-rules.html#constraints>).

use serde::{Deserialize, Serialize};

/// A rule on the values of a type or of an element. It is kept where it is defined, and holds for all that is derived
/// from there, see [`Definitions::constraints_of`](crate::Definitions::constraints_of).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// The name that messages and the specification call it by: `obs-6`. Unique within a type.
    pub key: String,
    /// What it means that the rule does not hold.
    #[serde(default, skip_serializing_if = "Severity::is_error")]
    pub severity: Severity,
    /// The rule in FHIRPath, evaluated on the value of the type or element. True where it holds.
    pub expression: String,
    /// The rule in words, in English.
    pub human: String,
}

/// How bad it is that a constraint does not hold
/// (<https://hl7.org/fhir/R4/valueset-constraint-severity.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The resource is not valid.
    #[default]
    Error,
    /// The resource is valid, and should be otherwise.
    Warning,
}

impl Severity {
    // serde's `skip_serializing_if` passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_error(&self) -> bool {
        *self == Severity::Error
    }
}
