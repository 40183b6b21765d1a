//! [LinuxForHealth FHIR Server](https://github.com/LinuxForHealth/FHIR), by its issues.

use super::Quirks;

impl Quirks {
    /// Sends wrong counts (issue 2673). Relative URLs (2673), a manifest without `error` (2715) and pre-signed URLs
    /// with `requiresAccessToken` (2874) are borne without a flag.
    pub const LINUX_FOR_HEALTH: Self = Self { counts_are_wrong: true, ..Self::NONE };
}
