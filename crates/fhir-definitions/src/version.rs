//! The FHIR versions that this crate has definitions of: one row each.

/// A published FHIR version, see <https://hl7.org/fhir/directory.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FhirVersion {
    /// FHIR R4, version 4.0.1 with its technical correction: <https://hl7.org/fhir/R4/>.
    R4,
}

/// What differs between the versions as far as this crate is concerned.
struct Row {
    label: &'static str,
    number: &'static str,
    /// The publication and major number, which all technical corrections of a version share.
    family: &'static str,
    data: &'static [u8],
}

const R4: Row =
    Row { label: "R4", number: "4.0.1", family: "4.0", data: include_bytes!("../data/r4.json.zst") };

impl FhirVersion {
    /// Every version that this crate has definitions of, oldest first.
    pub const ALL: &'static [FhirVersion] = &[FhirVersion::R4];

    const fn row(self) -> &'static Row {
        match self {
            FhirVersion::R4 => &R4,
        }
    }

    /// The version that a server names in `CapabilityStatement.fhirVersion`, a code such as `4.0.1`.
    ///
    /// Technical corrections differ in no element, so `4.0` and every `4.0.x` are [`FhirVersion::R4`]. `None`
    /// where this crate has no definitions of the version.
    ///
    /// ```
    /// use fhir_definitions::FhirVersion;
    ///
    /// assert_eq!(FhirVersion::from_fhir_version("4.0.1"), Some(FhirVersion::R4));
    /// assert_eq!(FhirVersion::from_fhir_version("3.0.2"), None);
    /// ```
    #[must_use]
    pub fn from_fhir_version(number: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|version| version.includes(number))
    }

    fn includes(self, number: &str) -> bool {
        match number.strip_prefix(self.row().family) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix('.')
                .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit())),
            None => false,
        }
    }

    /// The name that people use: `R4`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.row().label
    }

    /// The version's number as `CapabilityStatement.fhirVersion` has it: `4.0.1`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        self.row().number
    }

    /// The generated file of this version.
    pub(crate) const fn data(self) -> &'static [u8] {
        self.row().data
    }
}

impl std::fmt::Display for FhirVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn technical_corrections_are_the_same_version() {
        for number in ["4.0", "4.0.0", "4.0.1"] {
            assert_eq!(FhirVersion::from_fhir_version(number), Some(FhirVersion::R4), "{number}");
        }
    }

    #[test]
    fn other_and_malformed_versions_are_unknown() {
        for number in ["", "4", "4.", "4.0.", "4.0.x", "4.01", "4.3.0", "5.0.0", "3.0.2", "R4"] {
            assert_eq!(FhirVersion::from_fhir_version(number), None, "{number}");
        }
    }

    #[test]
    fn every_version_finds_itself_by_its_number() {
        for version in FhirVersion::ALL {
            assert_eq!(FhirVersion::from_fhir_version(version.number()), Some(*version));
        }
    }
}
