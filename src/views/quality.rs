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

/// What FHIR R5 has otherwise: of queries among those above, the same findings from other elements.
const R5_FILES: [&str; 4] = [
    include_str!("../../sql/quality/r5/duplicate_observations.sql"),
    include_str!("../../sql/quality/r5/missing_codes.sql"),
    include_str!("../../sql/quality/r5/implausible_dates.sql"),
    include_str!("../../sql/quality/r5/completeness.sql"),
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

/// All queries. Where FHIR versions have what a query reads in different elements, it is there in several forms: of one
/// name, each of other versions.
pub fn all() -> &'static [QualityQuery] {
    static QUERIES: LazyLock<Vec<QualityQuery>> = LazyLock::new(|| {
        let mut queries: Vec<QualityQuery> = FILES.iter().filter_map(|file| parse(file)).collect();
        for file in R5_FILES {
            if let Some((place, form)) = parse_form(file, &queries) {
                queries.insert(place + 1, form);
            }
        }
        queries
    });
    &QUERIES
}

/// The queries that there are for a FHIR version, in the order in which they are run.
pub fn of(version: FhirVersion) -> impl Iterator<Item = &'static QualityQuery> {
    all().iter().filter(move |query| query.is_of(version))
}

/// A query by its name, in its form for a FHIR version.
///
/// # Errors
/// [`Error::Refused`] with the queries that there are, or with the versions that this one is for.
pub fn get(name: &str, version: FhirVersion) -> Result<&'static QualityQuery> {
    let named: Vec<&QualityQuery> = all().iter().filter(|query| query.name == name).collect();
    named.iter().copied().find(|query| query.is_of(version)).ok_or_else(|| {
        Error::Refused(if named.is_empty() {
            let mut names: Vec<&str> = all().iter().map(|query| query.name.as_str()).collect();
            names.dedup();
            format!("there is no quality query {name}; there are {}", names.join(", "))
        } else {
            let versions: Vec<&str> =
                named.iter().flat_map(|query| &query.fhir).map(String::as_str).collect();
            format!("the quality query {name} is not for FHIR {version}, but for {}", versions.join(", "))
        })
    })
}

/// Reads a file's header; `None` where it lacks something.
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

/// Reads the file of a query's form: what it does not say is as in the query itself. With the query's place.
fn parse_form(sql: &str, queries: &[QualityQuery]) -> Option<(usize, QualityQuery)> {
    let name = header::value(sql, "name")?;
    let place = queries.iter().position(|query| query.name == name)?;
    let fhir = header::list(sql, "fhir")?;
    Some((place, QualityQuery { fhir, sql: sql.to_owned(), ..queries[place].clone() }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::views::omop;

    #[test]
    fn every_file_of_the_folders_is_a_query_with_a_header_that_can_be_read() {
        let files = |folder: &str| -> Vec<String> {
            let listed = std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let paths = listed.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
            paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
        };
        let mut found = [files("sql/quality"), files("sql/quality/r5")].concat();
        found.sort();
        let mut names: Vec<String> = all().iter().map(|query| query.name.clone()).collect();
        names.sort();
        assert_eq!(found, names);
    }

    /// What reads the schema `omop` is for the versions that the schema is for.
    #[test]
    fn a_query_has_one_form_for_each_fhir_version() {
        let names: BTreeSet<&str> = all().iter().map(|query| query.name.as_str()).collect();
        for version in FhirVersion::ALL {
            let has_omop = omop::all().iter().any(|view| view.is_of(*version));
            for name in &names {
                let forms = all().iter().filter(|query| query.name == *name && query.is_of(*version));
                let expected = usize::from(has_omop || *name != "omop_id_collisions");
                assert_eq!(forms.count(), expected, "{name} in {version}");
            }
        }
    }

    #[test]
    fn a_form_has_the_words_of_its_query_and_reads_other_elements() {
        let (of_r4, of_r5) =
            (get("implausible_dates", FhirVersion::R4B), get("implausible_dates", FhirVersion::R5));
        let (of_r4, of_r5) = (of_r4.unwrap(), of_r5.unwrap());
        assert_eq!((of_r5.kind, &of_r5.description), (of_r4.kind, &of_r4.description));
        assert!(of_r5.sql.contains("actualPeriod") && !of_r4.sql.contains("actualPeriod"));
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let refused = |name| get(name, FhirVersion::R5).unwrap_err().to_string();
        let text = refused("omop_id_collisions");
        assert!(text.ends_with("omop_id_collisions is not for FHIR R5, but for R4, R4B"), "{text}");
        let text = refused("completness");
        assert!(text.contains("there is no quality query completness"), "{text}");
        assert_eq!(text.matches("duplicate_observations").count(), 1, "{text}");
    }
}
