//! Servers that exist, as sets of faults.
//!
//! What stands here was observed on a running server of the named version, is documented by its vendor, or was
//! reported to the project that is named beside the fault. A quirk never grants what the server lacks.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use crate::fault::{Fault, ParseFaultError};

/// A server whose deviations are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// Epic: Group only, one export per client and group until its job is deleted, no `_since`.
    /// Sources: fhir.epic.com; smart-fetch.
    Epic,
    /// Oracle Health Millennium: Group only, no repeated `_type`, redirected files, a Retry-After of hours.
    /// Sources: fhir.cerner.com, docs.oracle.com; bulk-data-client #18; yourphr #338.
    OracleHealth,
    /// HAPI 8.8, as observed on a running server; hapi-fhir #6841 for its `transactionTime`.
    Hapi,
    /// Helios 0.2.7, as observed on a running server.
    Helios,
    /// Microsoft FHIR server. Sources: fhir-server #1203, #1290, #1634, #2954.
    Microsoft,
    /// LinuxForHealth, once IBM. Sources: FHIR #2673, #2715, #2874.
    LinuxForHealth,
    /// Medplum. Sources: medplum #10479, #2026.
    Medplum,
    /// The wire of Bulk Data 4.0.0-ballot: POST only, `outcome`, arrays of extensions.
    Stu4,
}

impl Quirk {
    /// Every quirk.
    pub const ALL: &'static [Quirk] = &[
        Quirk::Epic,
        Quirk::OracleHealth,
        Quirk::Hapi,
        Quirk::Helios,
        Quirk::Microsoft,
        Quirk::LinuxForHealth,
        Quirk::Medplum,
        Quirk::Stu4,
    ];

    /// The name, `oracle-health`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Quirk::Epic => "epic",
            Quirk::OracleHealth => "oracle-health",
            Quirk::Hapi => "hapi",
            Quirk::Helios => "helios",
            Quirk::Microsoft => "microsoft",
            Quirk::LinuxForHealth => "linux-for-health",
            Quirk::Medplum => "medplum",
            Quirk::Stu4 => "stu4",
        }
    }

    /// The faults that it is made of; each says where it was seen.
    #[must_use]
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Quirk::Epic => &[
                Fault::GroupOnly,
                Fault::OneJob,
                Fault::NeedClientHeader,
                Fault::IgnoreSince,
                Fault::NoLastUpdated,
                Fault::RefuseBareComma,
            ],
            Quirk::OracleHealth => &[
                Fault::GroupOnly,
                Fault::OneJob,
                Fault::RefuseRepeatedType,
                Fault::RefuseRepeatedFilter,
                Fault::RefuseSupportingAlone,
                Fault::RefuseElements,
                Fault::RefusePatient,
                Fault::Redirect307,
                Fault::RetryAfter5Hours,
                Fault::DropScopeRead,
            ],
            Quirk::Hapi => &[
                Fault::FirstTypeOnly,
                Fault::IgnoreElements,
                Fault::IgnoreOptional,
                Fault::IgnorePatientInGroup,
                Fault::RefuseBinaryType,
                Fault::IncludeReferenced,
                Fault::SharedJob,
                Fault::StatusUrlQuery,
                Fault::LateRefusal,
                Fault::RetryAfter120,
                Fault::Delete404,
                Fault::TokenFlagTrue,
                Fault::NoCount,
                Fault::NoDeleted,
                Fault::NeverDeleted,
                Fault::UnknownMembers,
                Fault::TimeLate,
                Fault::FileBinaryByAccept,
                Fault::NoGzip,
                Fault::NoRange,
            ],
            Quirk::Helios => &[
                Fault::FifthJob400,
                Fault::ForbidScopeRead,
                Fault::OwnSearchParameters,
                Fault::TimeNanoseconds,
                Fault::PollParametersBody,
                Fault::RetryAfter120,
                Fault::IgnoreUnknown,
                Fault::IgnoreUnknownType,
                Fault::IgnoreOptional,
                Fault::IgnorePatientInGroup,
                Fault::RefuseJoinedFilter,
                Fault::FirstFilterOnly,
                Fault::NeverDeleted,
                Fault::Delete403,
                Fault::FileBare,
                Fault::NoRange,
            ],
            Quirk::Microsoft => &[
                Fault::EmptyGroupExportsAll,
                Fault::InactiveMembers,
                Fault::DuplicateAcrossFiles,
                Fault::DuplicateLine,
            ],
            Quirk::LinuxForHealth => &[
                Fault::RelativeUrls,
                Fault::WrongCount,
                Fault::NoError,
                Fault::TokenFlagTrue,
                Fault::RefuseFileToken,
            ],
            Quirk::Medplum => &[Fault::NeverDeleted],
            Quirk::Stu4 => &[
                Fault::RefuseGet,
                Fault::RefuseComma,
                Fault::RefuseJoinedFilter,
                Fault::NoRequest,
                Fault::OutcomeKey,
                Fault::BallotMembers,
                Fault::NoSectionType,
                Fault::ExtensionArray,
                Fault::MetadataTwoVersions,
            ],
        }
    }
}

impl Display for Quirk {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Quirk {
    type Err = ParseFaultError;

    fn from_str(name: &str) -> Result<Quirk, ParseFaultError> {
        let found = Quirk::ALL.iter().find(|quirk| quirk.name() == name);
        found.copied().ok_or_else(|| ParseFaultError::Name(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_is_found_by_its_name() {
        for quirk in Quirk::ALL {
            assert_eq!(quirk.name().parse(), Ok(*quirk));
            assert!(!quirk.faults().is_empty());
        }
    }
}
