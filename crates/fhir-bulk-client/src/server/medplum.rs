//! [Medplum](https://www.medplum.com), by its issues.

use super::Quirks;

impl Quirks {
    /// Never reports deletions, though its manifests have the section (issue 10479).
    pub const MEDPLUM: Self = Self { never_reports_deletions: true, ..Self::NONE };
}
