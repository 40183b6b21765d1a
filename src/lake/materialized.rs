//! The tables of materialized views: where they lie, and what each says of itself.
//!
//! One invariant: what a table's rows were computed from is a property of the table, and changes with its rows, in one commit.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};
use delta_upsert::Table;
use delta_upsert::contents::ByContents;
use serde::{Deserialize, Serialize};

use super::exports::APPLICATION;
use crate::error::{Error, Result};
use crate::storage::{Lock, Root};

/// The folder of the tables.
pub const FOLDER: &str = "views";

/// The schema of views that has a folder of its own below it.
pub const SCHEMA: &str = "omop";

/// The property that has a table's [`Record`].
const PROPERTY: &str = "fhirlake.view";

/// How many columns have statistics: each is in the log's entry of every file.
const INDEXED: usize = 8;

/// The columns, by their names in all views, that have the id of a patient or of an encounter.
const REFERENCES: [&str; 2] = ["patient_id", "encounter_id"];

/// What the rows of a table were computed from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// A hash of the view's definition, and of all that it stands on.
    pub definition: String,
    /// Table → version.
    pub read: BTreeMap<String, i64>,
    /// The column with the ids of the resources whose rows they are.
    pub key: Option<String>,
}

impl Record {
    /// The record of a table; `None` of one that has not had its rows yet.
    ///
    /// # Errors
    /// [`Error::Refused`] for a table that another program has made; [`Error::Damaged`].
    pub fn of(table: &Table) -> Result<Option<Self>> {
        let folder = &table.place().folder;
        match table.property(PROPERTY) {
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|error| Error::Damaged {
                path: folder.clone(),
                reason: format!("its property {PROPERTY} cannot be read: {error}"),
            }),
            None if table.version() == 0 => Ok(None),
            None => Err(Error::Refused(format!(
                "{folder} has a table that `fhirlake views materialize` has not made: move it elsewhere, or give the view \
                 another name"
            ))),
        }
    }

    /// The record as properties of the table.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let text = serde_json::to_string(self).expect("texts and numbers are JSON");
        [(PROPERTY.to_owned(), text)].into()
    }

    /// Who knows the keys of the table's rows.
    pub fn keys(&self) -> ByContents {
        ByContents { id: self.key.clone() }
    }
}

/// The application of the tables' transactions.
pub fn application() -> String {
    format!("{APPLICATION}{FOLDER}")
}

/// The path of a view's table below the folder.
pub fn path(view: &str) -> String {
    view.replacen('.', "/", 1)
}

/// The paths of all folders that may be tables.
async fn paths(root: &Root) -> Result<Vec<String>> {
    let mut paths = root.folders(FOLDER).await?;
    paths.retain(|path| path != SCHEMA);
    let of_schema = root.folders(&format!("{FOLDER}/{SCHEMA}")).await?;
    paths.extend(of_schema.into_iter().map(|name| format!("{SCHEMA}/{name}")));
    Ok(paths)
}

/// Opens a table at its newest version; `None` where there is none.
pub async fn open(root: &Root, path: &str) -> Result<Option<Table>> {
    Ok(Table::open(&root.view(path)?).await?)
}

/// A table with the rows of a view.
#[derive(Debug)]
pub struct Stored {
    /// The view.
    pub view: String,
    /// Its table, at the newest version.
    pub table: Table,
    /// What the rows were computed from.
    pub record: Record,
}

/// The tables that have rows of a view: another program's are left alone, and one that has just been made is none yet.
pub async fn all(root: &Root) -> Result<Vec<Stored>> {
    let mut all = Vec::new();
    for path in paths(root).await? {
        let Some(table) = open(root, &path).await? else { continue };
        match Record::of(&table) {
            Ok(Some(record)) => all.push(Stored { view: path.replace('/', "."), table, record }),
            Ok(None) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Takes all of the tables for this process.
///
/// # Errors
/// [`Error::Refused`], where another process has them.
pub async fn lease(root: &Root) -> Result<Lock> {
    let taken = "another process writes the materialized views of this lake: nothing was done; run again when it has ended";
    root.lock(&format!("_leases/{FOLDER}/lock"), taken).await
}

/// The columns of a view with statistics in the log: ids of resources, and points in time. Never anything else of a patient.
pub fn indexed(columns: &Schema, key: Option<&str>) -> Vec<String> {
    let is_reference = |name: &str| key == Some(name) || REFERENCES.contains(&name);
    let of_type =
        |is: fn(&DataType) -> bool| columns.fields().iter().filter(move |field| is(field.data_type()));
    let ids = of_type(|of| *of == DataType::Utf8).filter(|field| is_reference(field.name()));
    let times = of_type(|of| matches!(of, DataType::Timestamp(..)));
    ids.chain(times).take(INDEXED).map(|field| field.name().clone()).collect()
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn statistics_are_of_ids_and_points_in_time() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let fields = [
            ("start_time", time),
            ("condition_id", DataType::Utf8),
            ("code_display", DataType::Utf8),
            ("patient_id", DataType::Utf8),
            ("person_id", DataType::Int64),
            ("encounter_id", DataType::Int64),
        ];
        let columns = Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).to_vec());
        assert_eq!(indexed(&columns, Some("condition_id")), ["condition_id", "patient_id", "start_time"]);
        assert_eq!(indexed(&columns, None), ["patient_id", "start_time"]);
    }
}
