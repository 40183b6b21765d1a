//! The quality queries: embedded files of `sql/quality`.
//!
//! One invariant: a row of a check names a resource by its type and id, an element by its path, and no value out of a
//! resource: what is found may be logged.

use std::sync::LazyLock;

use fhir_definitions::FhirVersion;

use super::header;
use crate::error::{Error, Result};

/// The files, in the order in which they are run.
const FILES: [&str; 7] = [
    include_str!("../../sql/quality/unresolved_references.sql"),
    include_str!("../../sql/quality/duplicate_patients.sql"),
    include_str!("../../sql/quality/duplicate_observations.sql"),
    include_str!("../../sql/quality/missing_codes.sql"),
    include_str!("../../sql/quality/implausible_dates.sql"),
    include_str!("../../sql/quality/omop_id_collisions.sql"),
    include_str!("../../sql/quality/completeness.sql"),
];

/// What the rows of a query are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What is wrong: `resource_type`, `id`, `element`, `problem`. No row, and all is well.
    Check,
    /// How much is there: `resource_type`, `element`, `rows`, `filled`, `share`.
    Measure,
}

/// A quality query.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct QualityQuery {
    /// Its name.
    pub name: String,
    /// What it finds.
    pub description: String,
    /// What its rows are.
    pub kind: Kind,
    /// The labels of the FHIR versions whose tables it reads.
    pub fhir: Vec<String>,
    /// The whole file.
    pub sql: String,
}

impl QualityQuery {
    /// Whether it reads the tables of a FHIR version.
    pub fn is_of(&self, version: FhirVersion) -> bool {
        self.fhir.iter().any(|label| label == version.label())
    }
}

/// All queries.
pub fn all() -> &'static [QualityQuery] {
    static QUERIES: LazyLock<Vec<QualityQuery>> =
        LazyLock::new(|| FILES.iter().filter_map(|file| parse(file)).collect());
    &QUERIES
}

/// A query by its name, or an error that lists what there is.
pub fn get(name: &str) -> Result<&'static QualityQuery> {
    all().iter().find(|query| query.name == name).ok_or_else(|| {
        let names: Vec<&str> = all().iter().map(|query| query.name.as_str()).collect();
        Error::Refused(format!("there is no quality query {name}; there are {}", names.join(", ")))
    })
}

fn parse(sql: &str) -> Option<QualityQuery> {
    let kind = match header::value(sql, "kind")?.as_str() {
        "check" => Kind::Check,
        "measure" => Kind::Measure,
        _ => return None,
    };
    Some(QualityQuery {
        name: header::value(sql, "name")?,
        description: header::value(sql, "description")?,
        kind,
        fhir: header::list(sql, "fhir")?,
        sql: sql.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_query_with_a_header_that_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/quality");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(files, all().iter().map(|query| query.name.clone()).collect());
    }
}
