//! [Helios FHIR Server](https://github.com/HeliosSoftware/hfs), 0.2.7 as observed.

use super::Quirks;

impl Quirks {
    /// Refuses `_typeFilter` joined by a comma or misreads it, and of several for one type applies the first alone,
    /// silently; ignores what it does not have, and `patient` of Groups; never reports deletions. It refuses a further export with 400,
    /// and answers a running job's status with a Parameters resource: the client bears both without a flag.
    pub const HELIOS: Self = Self {
        type_filters_are_repeated: true,
        one_type_filter_per_type: true,
        ignored_parameters: &["includeAssociatedData", "organizeOutputBy", "allowPartialManifests"],
        ignored_parameters_of_groups: &["patient"],
        never_reports_deletions: true,
        ..Self::NONE
    };
}
