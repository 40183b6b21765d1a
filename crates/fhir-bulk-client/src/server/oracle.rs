//! [Oracle Health Millennium](https://docs.oracle.com/en/industries/health/millennium-platform-apis/), by its
//! documentation and what its users wrote down.

use super::Quirks;

impl Quirks {
    /// Exports Groups alone; does not take a repeated `_type`, a second filter for a type, `_elements` or `patient`;
    /// holds one export for each client; answers 500 to a status both where it passes and where it does not.
    pub const ORACLE_HEALTH: Self = Self {
        first_of_repeated_only: true,
        one_type_filter_per_type: true,
        groups_only: true,
        refused_parameters: &["_elements", "patient"],
        job_blocks_until_deleted: true,
        status_500_may_pass: true,
        ..Self::NONE
    };
}
