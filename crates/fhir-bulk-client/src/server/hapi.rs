//! [HAPI FHIR](https://hapifhir.io), 8.8.0 as observed.

use super::Quirks;

impl Quirks {
    /// Reads the first of a repeated `_type` alone, by `GET` and `POST`; ignores what it does not have, and `patient` of
    /// Groups; lets identical kick-offs share a job (issue 4013); never reports deletions. It also says that files require a token where
    /// nothing is protected, and deletes jobs by itself: the client bears both without a flag.
    pub const HAPI: Self = Self {
        first_of_repeated_only: true,
        ignored_parameters: &[
            "_elements",
            "includeAssociatedData",
            "organizeOutputBy",
            "allowPartialManifests",
        ],
        ignored_parameters_of_groups: &["patient"],
        asks_for_a_new_job: true,
        never_reports_deletions: true,
        ..Self::NONE
    };
}
