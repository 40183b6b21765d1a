//! The SQL views: embedded files of `sql/views`, each with a header that says what it is.
//!
//! One invariant: a view's columns are a contract. Its header names them all, in order, and a test compares.

pub mod definition;
pub mod folder;
mod header;
mod library;
pub mod omop;
pub mod quality;

use std::sync::LazyLock;

use fhir_definitions::FhirVersion;

pub use folder::{Folder, FolderView};

use crate::error::{Error, Result};

/// A view.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// What a row of it is.
    pub description: String,
    /// The labels of the FHIR versions whose tables it reads.
    pub fhir: Vec<String>,
    /// A query of one number: how many rows it has, said without it.
    pub grain: String,
    /// Whose rows they are, where each is of one resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The whole file.
    pub sql: String,
}

/// Of a view whose rows each come from one resource of a type, and change only when that resource does as long as the other
/// tables stay as they are: `condition_id of Condition`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Key {
    /// The column with the resource's id.
    pub column: String,
    /// The resource's type.
    pub resource: String,
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let (column, resource) = text.split_once(" of ")?;
        Some(Self { column: column.to_owned(), resource: resource.to_owned() })
    }
}

/// A view's column.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `STRING`, `BOOLEAN`, `INT`, `BIGINT`, `DOUBLE`, `DECIMAL` (of 18 digits, two of them after the point), `DATE`,
    /// `TIMESTAMP`.
    #[serde(rename = "type")]
    pub data_type: String,
    /// What it means.
    pub meaning: String,
}

/// All views.
pub fn all() -> &'static [View] {
    static VIEWS: LazyLock<Vec<View>> =
        LazyLock::new(|| library::FILES.iter().filter_map(|file| parse(file)).collect());
    &VIEWS
}

/// A view by its name.
pub fn find(name: &str) -> Option<&'static View> {
    all().iter().find(|view| view.name == name)
}

impl View {
    /// Whether it reads the tables of a FHIR version.
    pub fn is_of(&self, version: FhirVersion) -> bool {
        self.fhir.iter().any(|label| label == version.label())
    }
}

/// A view by its name, or an error that lists what there is.
pub fn get(name: &str) -> Result<&'static View> {
    find(name).ok_or_else(|| {
        let names: Vec<&str> = all().iter().map(|view| view.name.as_str()).collect();
        Error::Refused(format!("there is no view {name}; there are {}", names.join(", ")))
    })
}

/// Reads a file's header; `None` where it lacks something.
fn parse(sql: &str) -> Option<View> {
    Some(View {
        name: header::value(sql, "name")?,
        description: header::value(sql, "description")?,
        fhir: header::list(sql, "fhir")?,
        grain: header::value(sql, "grain")?,
        key: match header::value(sql, "key") {
            None => None,
            Some(text) => Some(Key::parse(&text)?),
        },
        columns: header::columns(sql).map(column).collect::<Option<_>>()?,
        sql: sql.to_owned(),
    })
}

/// `patient_id STRING: id of the Patient`.
fn column(line: &str) -> Option<Column> {
    let (declared, meaning) = line.trim().split_once(": ")?;
    let (name, data_type) = declared.split_once(' ')?;
    Some(Column { name: name.to_owned(), data_type: data_type.to_owned(), meaning: meaning.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_view_with_a_header_that_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/views");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let mut names: Vec<String> = all().iter().map(|view| view.name.clone()).collect();
        names.sort();
        assert_eq!(files, names);
        for view in all() {
            assert!(!view.columns.is_empty(), "{}", view.name);
            assert!(view.grain.starts_with("SELECT "), "{}", view.name);
            let mut columns = view.columns.iter().map(|column| &column.name);
            assert!(view.key.iter().all(|key| columns.any(|name| *name == key.column)), "{}", view.name);
        }
    }

    #[test]
    fn a_view_selects_only_from_views_that_stand_before_it() {
        for (place, view) in all().iter().enumerate() {
            let words: Vec<&str> = view.sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let sources =
                words.windows(2).filter(|pair| matches!(pair[0], "FROM" | "JOIN")).map(|pair| pair[1]);
            for source in sources {
                let found = all().iter().position(|other| other.name == source);
                assert!(found.is_none_or(|before| before < place), "{} selects from {source}", view.name);
            }
        }
    }

    #[test]
    fn a_key_is_a_column_and_a_type() {
        let sql = |key: &str| {
            format!(
                "-- name: x\n-- description: y\n-- fhir: R4\n-- grain: SELECT 1\n-- key: {key}\n-- columns:\nSELECT 1"
            )
        };
        let key = parse(&sql("x_id of Patient")).unwrap().key.unwrap();
        assert_eq!((key.column.as_str(), key.resource.as_str()), ("x_id", "Patient"));
        assert_eq!(parse(&sql("x_id")), None);
    }

    #[test]
    fn a_file_without_a_grain_is_no_view() {
        assert_eq!(parse("-- name: x\n-- description: y\n-- fhir: R4\n-- columns:\nSELECT 1"), None);
    }
}
