//! The SQL views: embedded files of `sql/views`, each with a header that says what it is.
//!
//! One invariant: a view's columns are a contract. Its header names them all, in order, and a test compares.

pub mod definition;
pub mod dialect;
pub mod export;
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

/// All views. Where FHIR versions have what a view selects in different elements, it is there in several forms: of one
/// name, with the same columns, each of other versions.
pub fn all() -> &'static [View] {
    static VIEWS: LazyLock<Vec<View>> = LazyLock::new(|| {
        let mut views: Vec<View> = library::FILES.iter().filter_map(|file| parse(file)).collect();
        let forms: Vec<View> = library::R5_FILES.iter().filter_map(|file| parse_form(file, &views)).collect();
        for form in forms {
            let place = views.iter().position(|view| view.name == form.name).unwrap_or(views.len());
            views.insert(place + 1, form);
        }
        views
    });
    &VIEWS
}

/// The names of all views.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = all().iter().map(|view| view.name.as_str()).collect();
    names.dedup();
    names
}

/// A view by its name, in its form for a FHIR version.
pub fn find(name: &str, version: FhirVersion) -> Option<&'static View> {
    all().iter().find(|view| view.name == name && view.is_of(version))
}

impl View {
    /// Whether it reads the tables of a FHIR version.
    pub fn is_of(&self, version: FhirVersion) -> bool {
        self.fhir.iter().any(|label| label == version.label())
    }
}

/// A view by its name, in its form for a FHIR version.
///
/// # Errors
/// [`Error::Refused`] with the views that there are, or with the versions that this one is for.
pub fn get(name: &str, version: FhirVersion) -> Result<&'static View> {
    find(name, version).ok_or_else(|| {
        let versions: Vec<&str> = all()
            .iter()
            .filter(|view| view.name == name)
            .flat_map(|view| &view.fhir)
            .map(String::as_str)
            .collect();
        Error::Refused(if versions.is_empty() {
            format!("there is no view {name}; there are {}", names().join(", "))
        } else {
            format!("the view {name} is not for FHIR {version}, but for {}", versions.join(", "))
        })
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

/// Reads the file of a view's form: what it does not say is as in the view itself.
fn parse_form(sql: &str, views: &[View]) -> Option<View> {
    let name = header::value(sql, "name")?;
    let view = views.iter().find(|view| view.name == name)?;
    let fhir = header::list(sql, "fhir")?;
    let grain = header::value(sql, "grain")?;
    let columns: Vec<&str> = header::columns(&view.sql).collect();
    let whole = format!(
        "-- name: {name}\n-- description: {}\n-- fhir: {}\n-- grain: {grain}\n{}-- columns:\n--{}\n{}",
        view.description,
        fhir.join(", "),
        view.key
            .as_ref()
            .map(|key| format!("-- key: {} of {}\n", key.column, key.resource))
            .unwrap_or_default(),
        columns.join("\n--"),
        header::statement(sql)
    );
    Some(View { fhir, grain, sql: whole, ..view.clone() })
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
        let files = |folder: &str| -> Vec<String> {
            let listed = std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let paths = listed.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
            paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
        };
        let mut found = [files("sql/views"), files("sql/views/r5")].concat();
        found.sort();
        let mut names: Vec<String> = all().iter().map(|view| view.name.clone()).collect();
        names.sort();
        assert_eq!(found, names);
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
    fn a_view_has_one_form_for_each_fhir_version() {
        for name in names() {
            for version in FhirVersion::ALL {
                let forms = all().iter().filter(|view| view.name == name && view.is_of(*version)).count();
                assert_eq!(forms, 1, "{name} in {version}");
            }
        }
    }

    #[test]
    fn a_form_has_the_columns_and_the_words_of_its_view() {
        let (of_r4, of_r5) = (get("encounters", FhirVersion::R4), get("encounters", FhirVersion::R5));
        let (of_r4, of_r5) = (of_r4.unwrap(), of_r5.unwrap());
        assert_eq!(of_r5.columns, of_r4.columns);
        assert_eq!(parse(&of_r5.sql).as_ref(), Some(of_r5));
        assert!(of_r5.sql.contains("actualPeriod") && !of_r4.sql.contains("actualPeriod"));
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
