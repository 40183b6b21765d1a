//! Where walks leave what they find.

use std::borrow::Cow;

use super::Validator;
use super::finding::{Finding, FindingKind, Severity};
use super::findings::Findings;
use super::location;
use crate::json::Value;

/// Takes the findings of one resource, and looks up where they are.
pub(super) struct Report<'r> {
    validator: &'r Validator,
    /// The resource as a whole.
    root: Value<'r>,
    findings: &'r mut Findings,
}

impl<'r> Report<'r> {
    pub(super) fn new(validator: &'r Validator, root: Value<'r>, findings: &'r mut Findings) -> Self {
        Self { validator, root, findings }
    }

    /// Adds a finding about the value or member that starts at an offset.
    #[cold]
    pub(super) fn add(
        &mut self,
        kind: FindingKind,
        severity: Severity,
        offset: usize,
        reason: impl Into<Cow<'static, str>>,
    ) {
        if self.findings.has_room(severity) {
            let element_path = location::path(self.validator, self.root, offset);
            self.push(Finding { kind, severity, element_path, offset, reason: reason.into() });
        }
    }

    /// Adds that an object that starts at an offset lacks an element.
    #[cold]
    pub(super) fn add_missing(&mut self, offset: usize, element: &str) {
        let (kind, severity) = (FindingKind::Cardinality, Severity::Error);
        if self.findings.has_room(severity) {
            let mut element_path = location::path(self.validator, self.root, offset);
            element_path.push('.');
            element_path.push_str(element);
            let reason = Cow::Borrowed("a required element is missing");
            self.push(Finding { kind, severity, element_path, offset, reason });
        }
    }

    fn push(&mut self, mut finding: Finding) {
        if self.validator.allowances.allows(&finding) {
            finding.severity = Severity::Information;
        }
        self.findings.push(finding);
    }
}
