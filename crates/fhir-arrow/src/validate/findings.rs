//! All that is found in one resource.

use super::finding::{Finding, Severity};
use crate::{IssueCode, LineError};

/// How many findings are kept of one resource; all others are only counted.
pub const MAX_FINDINGS: usize = 1000;

/// The findings of one resource, in the order in which they were found. The memory is used again for the next one.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    omitted: usize,
    /// How bad the worst is that is only counted.
    worst_omitted: Option<Severity>,
}

impl Findings {
    /// The findings, at most [`MAX_FINDINGS`].
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.list.iter()
    }

    /// How many there are more.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How bad the worst finding is, those that are only counted included; `None` without findings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.list.iter().map(|finding| finding.severity).max().max(self.worst_omitted)
    }

    /// Whether nothing is so bad that the resource is not valid.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.worst() < Some(Severity::Error)
    }

    /// Why the line is refused, if it is for what was found: the first of the worst findings. `None` of a valid resource.
    ///
    /// ```
    /// # use fhir_arrow::{Findings, Reader, ValidationLevel, Validator};
    /// # use fhir_definitions::Definitions;
    /// let mut reader = Reader::default();
    /// let resource = reader.read(br#"{"resourceType":"Patient","nick":"x","gender":7}"#)?;
    /// let mut findings = Findings::default();
    /// Validator::new(Definitions::r4(), ValidationLevel::Structure).validate(&resource, &mut findings);
    /// let refusal = findings.refusal().ok_or("it is valid")?;
    /// assert_eq!(refusal.to_string(), "a string is expected, not a number at byte 46 in Patient.gender");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn refusal(&self) -> Option<LineError> {
        if self.is_valid() {
            return None;
        }
        let worst = self.worst();
        let first = self.list.iter().find(|finding| Some(finding.severity) == worst);
        Some(first.map_or_else(
            || LineError::new(IssueCode::Invalid, "an error is among the findings that are only counted", 0),
            LineError::from,
        ))
    }

    /// The findings as an OperationOutcome (<https://hl7.org/fhir/R4/operationoutcome.html>), in JSON: an issue for
    /// each, as [`Finding::to_issue`] has it.
    ///
    /// ```
    /// # use fhir_arrow::{Findings, Reader, ValidationLevel, Validator};
    /// # use fhir_definitions::Definitions;
    /// let mut reader = Reader::default();
    /// let resource = reader.read(br#"{"resourceType":"Patient","gender":7}"#)?;
    /// let mut findings = Findings::default();
    /// Validator::new(Definitions::r4(), ValidationLevel::Structure).validate(&resource, &mut findings);
    /// assert_eq!(
    ///     findings.to_operation_outcome("Patient.ndjson", 3),
    ///     concat!(
    ///         r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"structure","#,
    ///         r#""details":{"text":"a string is expected, not a number"},"#,
    ///         r#""diagnostics":"Patient.ndjson, line 3, byte 35","expression":["Patient.gender"]}]}"#
    ///     )
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_operation_outcome(&self, file: &str, line: u64) -> String {
        let mut issues: Vec<String> = self.list.iter().map(|finding| finding.to_issue(file, line)).collect();
        let informational = |text: &str| {
            format!(r#"{{"severity":"information","code":"informational","details":{{"text":"{text}"}}}}"#)
        };
        if self.omitted > 0 {
            issues.push(informational(&format!("{} findings more", self.omitted)));
        }
        if issues.is_empty() {
            // An OperationOutcome has at least one issue.
            issues.push(informational("nothing was found"));
        }
        format!(r#"{{"resourceType":"OperationOutcome","issue":[{}]}}"#, issues.join(","))
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.omitted = 0;
        self.worst_omitted = None;
    }

    /// Whether there is room for another one of this severity; if not, it is counted.
    pub(super) fn has_room(&mut self, severity: Severity) -> bool {
        let room = self.list.len() < MAX_FINDINGS;
        if !room {
            self.omitted += 1;
            self.worst_omitted = self.worst_omitted.max(Some(severity));
        }
        room
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }
}

impl<'f> IntoIterator for &'f Findings {
    type Item = &'f Finding;
    type IntoIter = std::slice::Iter<'f, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
