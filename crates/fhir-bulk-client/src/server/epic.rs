//! [Epic](https://fhir.epic.com), by its documentation and what its users wrote down.

use super::Quirks;

impl Quirks {
    /// Exports Groups alone; ignores `_since`; wants the client's id in a header; holds one export for each client and
    /// Group until it is deleted.
    pub const EPIC: Self = Self {
        groups_only: true,
        ignored_parameters: &["_since"],
        client_id_header: Some("epic-client-id"),
        job_blocks_until_deleted: true,
        never_reports_deletions: true,
        ..Self::NONE
    };
}
