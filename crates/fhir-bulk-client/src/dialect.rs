//! The versions of the specification that servers speak, and what differs on the wire between them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A version of the [Bulk Data specification](https://hl7.org/fhir/uv/bulkdata/history.html).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// [2.0.0](https://hl7.org/fhir/uv/bulkdata/STU2/): kick-off by `GET`, values joined by commas. Also for servers of
    /// version 1. What most servers speak, and what the others understand.
    #[default]
    Stu2,
    /// [3.0.0](https://hl7.org/fhir/uv/bulkdata/STU3/): several `_typeFilter`, `_until`, `organizeOutputBy`, pages of
    /// manifests.
    Stu3,
    /// The ballot of [4.0.0](https://build.fhir.org/ig/HL7/bulk-data/): kick-off by `POST` alone, one entry for each
    /// value.
    Stu4,
}

impl Dialect {
    /// `stu2`, `stu3` or `stu4`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stu2 => "stu2",
            Self::Stu3 => "stu3",
            Self::Stu4 => "stu4",
        }
    }

    /// The dialect of a published version, for example `3.0.0`.
    pub(crate) fn of_version(version: &str) -> Option<Self> {
        match version.split('.').next()? {
            "1" | "2" => Some(Self::Stu2),
            "3" => Some(Self::Stu3),
            "4" => Some(Self::Stu4),
            _ => None,
        }
    }

    /// Whether the version has this kick-off parameter.
    pub(crate) fn has(self, parameter: &str) -> bool {
        match parameter {
            "_until" | "organizeOutputBy" | "allowPartialManifests" => self >= Self::Stu3,
            _ => true,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Self::Stu2, Self::Stu3, Self::Stu4];
        all.into_iter().find(|dialect| dialect.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("{text:?} is no dialect: stu2, stu3 and stu4 are"))
        })
    }
}
