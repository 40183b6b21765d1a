//! [Microsoft FHIR Server](https://github.com/microsoft/fhir-server), by its issues.

use super::Quirks;

impl Quirks {
    /// Exports all patients for a Group without members (issue 1634).
    pub const MICROSOFT: Self = Self { empty_group_exports_everyone: true, ..Self::NONE };
}
