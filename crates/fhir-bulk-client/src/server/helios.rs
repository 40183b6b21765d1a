//! [Helios FHIR Server](https://github.com/HeliosSoftware/hfs), 0.2.7 as observed.

use super::Quirks;

impl Quirks {
    /// Refuses `_typeFilter` joined by a comma; never reports deletions. It refuses a further export with 400, and
    /// answers a running job's status with a Parameters resource: the client bears both without a flag.
    pub const HELIOS: Self =
        Self { type_filters_are_repeated: true, never_reports_deletions: true, ..Self::NONE };
}
