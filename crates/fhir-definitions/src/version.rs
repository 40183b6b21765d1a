//! The FHIR versions that this crate has definitions of: one row each.

use std::sync::OnceLock;

use crate::Definitions;

/// A published FHIR version, see <https://hl7.org/fhir/directory.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FhirVersion {
    /// FHIR R4, version 4.0.1 with its technical correction: <https://hl7.org/fhir/R4/>.
    R4,
    /// FHIR R4B, version 4.3.0: <https://hl7.org/fhir/R4B/>.
    R4B,
    /// FHIR R5, version 5.0.0: <https://hl7.org/fhir/R5/>.
    R5,
}

/// What differs between the versions as far as this crate is concerned.
struct Row {
    label: &'static str,
    number: &'static str,
    /// The publication and major number, which all technical corrections of a version share.
    family: &'static str,
    data: &'static [u8],
    /// The definitions, once they have been asked for.
    read: OnceLock<Definitions>,
}

impl Row {
    const fn new(
        label: &'static str,
        number: &'static str,
        family: &'static str,
        data: &'static [u8],
    ) -> Self {
        Self { label, number, family, data, read: OnceLock::new() }
    }
}

static R4: Row = Row::new("R4", "4.0.1", "4.0", include_bytes!("../data/r4.json.zst"));
static R4B: Row = Row::new("R4B", "4.3.0", "4.3", include_bytes!("../data/r4b.json.zst"));
static R5: Row = Row::new("R5", "5.0.0", "5.0", include_bytes!("../data/r5.json.zst"));

impl FhirVersion {
    /// Every version that this crate has definitions of, oldest first.
    pub const ALL: &'static [FhirVersion] = &[FhirVersion::R4, FhirVersion::R4B, FhirVersion::R5];

    const fn row(self) -> &'static Row {
        match self {
            FhirVersion::R4 => &R4,
            FhirVersion::R4B => &R4B,
            FhirVersion::R5 => &R5,
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

    /// Where the definitions of this version are kept once they have been read.
    pub(crate) const fn read(self) -> &'static OnceLock<Definitions> {
        &self.row().read
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
        for (number, version) in [
            ("4.0", FhirVersion::R4),
            ("4.0.0", FhirVersion::R4),
            ("4.0.1", FhirVersion::R4),
            ("4.3", FhirVersion::R4B),
            ("4.3.0", FhirVersion::R4B),
            ("5.0.0", FhirVersion::R5),
        ] {
            assert_eq!(FhirVersion::from_fhir_version(number), Some(version), "{number}");
        }
    }

    #[test]
    fn other_and_malformed_versions_are_unknown() {
        for number in ["", "4", "4.", "4.0.", "4.0.x", "4.01", "4.1.0", "4.3.0-snapshot1", "3.0.2", "R4"] {
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
