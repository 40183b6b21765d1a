//! What is found in a resource, and how it is told.
//!
//! One invariant: no text of a finding holds a value out of the resource. A path and an offset are enough to find it.

use std::borrow::Cow;
use std::fmt;

use crate::json::escape_into;
use crate::{IssueCode, LineError};

/// Something that is wrong with a resource, or that should be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is, as FHIRPath: `Patient.name[0].given[1]`, `Observation.value.ofType(Quantity).unit`. Of a member
    /// whose name FHIR could not have, the name is `?`.
    pub element_path: String,
    /// Where in the line, in bytes from its start.
    pub offset: usize,
    /// What is wrong, in a sentence without data of the resource.
    pub reason: Cow<'static, str>,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The line was refused as a whole, see [`LineError`]; with the code that it was refused with.
    Line(IssueCode),
    /// `resourceType` is missing or names no type of the FHIR version; the resource was not looked at.
    UnknownType,
    /// A member that the type does not have. It is kept all the same, so this is a warning.
    UnknownElement,
    /// A value of another JSON type than the element's; an array or none where the other is due.
    JsonType,
    /// A `null` where none may be.
    Null,
    /// An array, object or string with nothing in it.
    Empty,
    /// A required element is missing.
    Cardinality,
    /// A choice has values of several types.
    SeveralChoices,
    /// A primitive's value is not of its form.
    PrimitiveFormat,
    /// The values of a primitive and the objects beside them (`given` and `_given`) do not stand in the same places.
    Alignment,
    /// A code that is not in the value set of a required binding.
    RequiredBinding,
    /// A reference to a resource of a type that the element does not point to.
    ReferenceTarget,
    /// A constraint of the definitions does not hold; its key, `obs-6`.
    Invariant(&'static str),
}

/// How bad a finding is (<https://hl7.org/fhir/R4/valueset-issue-severity.html>), from the mildest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It is worth knowing.
    Information,
    /// The resource is valid, and should be otherwise.
    Warning,
    /// The resource is not valid.
    Error,
    /// The resource cannot be read.
    Fatal,
}

impl Severity {
    /// The severity as FHIR writes it, `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FindingKind {
    /// A name that does not change, to count by and to configure with: `unknown-element`; of a constraint its key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line(_) => "line",
            Self::UnknownType => "unknown-type",
            Self::UnknownElement => "unknown-element",
            Self::JsonType => "json-type",
            Self::Null => "null",
            Self::Empty => "empty",
            Self::Cardinality => "cardinality",
            Self::SeveralChoices => "several-choices",
            Self::PrimitiveFormat => "primitive-format",
            Self::Alignment => "alignment",
            Self::RequiredBinding => "required-binding",
            Self::ReferenceTarget => "reference-target",
            Self::Invariant(key) => key,
        }
    }

    const fn code(self) -> IssueCode {
        match self {
            Self::Line(code) => code,
            Self::UnknownType => IssueCode::Invalid,
            Self::UnknownElement
            | Self::JsonType
            | Self::Null
            | Self::Empty
            | Self::Alignment
            | Self::SeveralChoices => IssueCode::Structure,
            Self::Cardinality => IssueCode::Required,
            Self::PrimitiveFormat | Self::ReferenceTarget => IssueCode::Value,
            Self::RequiredBinding => IssueCode::CodeInvalid,
            Self::Invariant(_) => IssueCode::Invariant,
        }
    }
}

impl Finding {
    /// The kind of problem, in FHIR's own words.
    #[must_use]
    pub const fn code(&self) -> IssueCode {
        self.kind.code()
    }

    /// The path without the positions in arrays, to count by: `Patient.name.given`.
    ///
    /// ```
    /// # use fhir_arrow::{Findings, Reader, ValidationLevel, Validator};
    /// # use fhir_definitions::Definitions;
    /// let mut reader = Reader::default();
    /// let resource = reader.read(br#"{"resourceType":"Patient","name":[{"given":["A"]},{"nick":"B"}]}"#)?;
    /// let mut findings = Findings::default();
    /// Validator::new(Definitions::r4(), ValidationLevel::Structure).validate(&resource, &mut findings);
    /// let finding = findings.iter().next().ok_or("no finding")?;
    /// assert_eq!(finding.element_path, "Patient.name[1].nick");
    /// assert_eq!(finding.path_without_positions(), "Patient.name.nick");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path_without_positions(&self) -> String {
        let mut parts = self.element_path.split('[');
        let mut path = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            path.push_str(part.split_once(']').map_or(part, |(_, rest)| rest));
        }
        path
    }

    /// The finding as an `issue` of an OperationOutcome (<https://hl7.org/fhir/R4/operationoutcome.html>), in JSON.
    ///
    /// `expression` is the path; `diagnostics` say the raw file, the line (from 1) and the byte in it.
    #[must_use]
    pub fn to_issue(&self, file: &str, line: u64) -> String {
        let mut issue =
            format!(r#"{{"severity":"{}","code":"{}","details":{{"text":"#, self.severity, self.code());
        escape_into(&self.reason, &mut issue);
        issue.push_str(r#"},"diagnostics":"#);
        escape_into(&format!("{file}, line {line}, byte {}", self.offset), &mut issue);
        issue.push_str(r#","expression":["#);
        escape_into(&self.element_path, &mut issue);
        issue.push_str("]}");
        issue
    }
}

impl From<LineError> for Finding {
    fn from(error: LineError) -> Self {
        Self {
            kind: FindingKind::Line(error.code),
            severity: Severity::Fatal,
            element_path: error.element_path.unwrap_or_else(|| "Resource".to_owned()),
            offset: error.offset,
            reason: Cow::Owned(error.reason),
        }
    }
}

impl From<&Finding> for LineError {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            reason: finding.reason.clone().into_owned(),
            element_path: Some(finding.element_path.clone()),
            offset: finding.offset,
        }
    }
}
