//! Which views are materialized, and what each says of its rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use fhir_definitions::FhirVersion;
use fhir_sql::ViewDefinition;

use super::in_view;
use crate::error::{Error, Result};
use crate::lake::materialized::SCHEMA;
use crate::views::{self, Column, Folder, FolderView, Key, View, omop};

/// A view that becomes a table.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Its name, as SQL has it.
    pub name: String,
    /// The columns that its header has, where it has one.
    pub columns: Option<SchemaRef>,
    /// Whose rows they are, where each is of one resource.
    pub key: Option<Key>,
    /// Whether it reads the tables of the lake's FHIR version.
    pub is_of_version: bool,
}

impl Target {
    /// The view of that name: one of the folder, of the program, or of the schema `omop`.
    fn find(folder: &Folder, version: FhirVersion, name: &str) -> Result<Self> {
        Self::found(folder, version, name).unwrap_or_else(|| Err(unknown(folder, name)))
    }

    fn found(folder: &Folder, version: FhirVersion, name: &str) -> Option<Result<Self>> {
        if let Some(name) = name.strip_prefix(SCHEMA).and_then(|rest| rest.strip_prefix('.')) {
            let view = omop::find(name)?;
            return Some(columns(&view.columns).map(|columns| Self {
                name: format!("{SCHEMA}.{name}"),
                columns: Some(columns),
                key: None,
                is_of_version: view.is_of(version),
            }));
        }
        let of_sql = |view: &View| {
            Ok(Self {
                name: name.to_owned(),
                columns: Some(columns(&view.columns).map_err(|error| in_view(name, error))?),
                key: view.key.clone(),
                is_of_version: view.is_of(version),
            })
        };
        match folder.find(name) {
            Some(FolderView::Sql(view)) => Some(of_sql(view)),
            Some(FolderView::Definition(view)) => Some(Ok(Self {
                name: name.to_owned(),
                columns: None,
                key: key_of(view),
                is_of_version: true,
            })),
            None => views::find(name, version).map(of_sql),
        }
    }
}

/// The views that are asked for: those that are named, or all.
///
/// # Errors
/// [`Error::Refused`] for a name that no view has, with those that there are; for a view that is not for the lake's FHIR
/// version; and for a name that no folder can have.
pub(super) fn choose(
    folder: &Folder,
    version: FhirVersion,
    named: &[String],
    with_omop: bool,
) -> Result<Vec<Target>> {
    if named.is_empty() {
        return all(folder, version, with_omop);
    }
    let mut chosen: Vec<Target> = Vec::new();
    for name in named {
        let target = Target::find(folder, version, name)?;
        if !target.is_of_version {
            return Err(Error::Refused(format!(
                "the view {name} is not for FHIR {version}, which this lake holds"
            )));
        }
        checked(name)?;
        if chosen.iter().all(|other| other.name != *name) {
            chosen.push(target);
        }
    }
    Ok(chosen)
}

fn all(folder: &Folder, version: FhirVersion, with_omop: bool) -> Result<Vec<Target>> {
    let cdm = omop::all().iter().filter(|view| with_omop && view.is_cdm());
    let names = of_session(folder).map(str::to_owned);
    let names = names.chain(cdm.map(|view| format!("{SCHEMA}.{}", view.name)));
    names
        .map(|name| {
            checked(&name)?;
            Target::find(folder, version, &name)
        })
        .collect()
}

/// The names of the program's views, then of those of one's own that have others.
fn of_session(folder: &Folder) -> impl Iterator<Item = &str> {
    let ours = views::names();
    let others: Vec<&str> = folder.names().filter(|name| !ours.contains(name)).collect();
    ours.into_iter().chain(others)
}

fn unknown(folder: &Folder, name: &str) -> Error {
    let mut names: Vec<String> = of_session(folder).map(str::to_owned).collect();
    names.extend(omop::all().iter().map(|view| format!("{SCHEMA}.{}", view.name)));
    Error::Refused(format!("there is no view {name}; there are {}", names.join(", ")))
}

/// The name of a view is that of a folder, in any store.
fn checked(name: &str) -> Result<()> {
    let table = name.strip_prefix("omop.").unwrap_or(name);
    let is_legal = table.starts_with(|first: char| first.is_ascii_alphabetic())
        && table.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name != SCHEMA;
    if is_legal {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the view {name} cannot be materialized under this name: letters, digits and _ make one, a letter first, and it is not {SCHEMA}"
    )))
}

/// The columns that a header names.
fn columns(columns: &[Column]) -> Result<SchemaRef> {
    let fields = columns.iter().map(|column| {
        let data_type = match column.data_type.trim_end_matches(" NOT NULL") {
            "STRING" => DataType::Utf8,
            "BOOLEAN" => DataType::Boolean,
            "INT" => DataType::Int32,
            "BIGINT" => DataType::Int64,
            "DOUBLE" => DataType::Float64,
            "DECIMAL" => DataType::Decimal128(18, 2),
            "DATE" => DataType::Date32,
            "TIMESTAMP" => timestamp(),
            other => {
                return Err(Error::Query(format!(
                    "its header has the column {} of the type {other}: the types are STRING, BOOLEAN, INT, BIGINT, DOUBLE, \
                     DECIMAL, DATE, TIMESTAMP",
                    column.name
                )));
            }
        };
        Ok(Field::new(&column.name, data_type, true))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?)))
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The columns of a plan, with the types that Delta has.
pub(super) fn stored(plan: &Schema) -> SchemaRef {
    Arc::new(Schema::new(plan.fields().iter().map(stored_field).collect::<Vec<_>>()))
}

fn stored_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), stored_type(field.data_type()), true))
}

fn stored_type(of: &DataType) -> DataType {
    match of {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Timestamp(..) => timestamp(),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(stored_field).collect()),
        DataType::List(element) | DataType::LargeList(element) => {
            DataType::List(Arc::new(Field::new("element", stored_type(element.data_type()), true)))
        }
        other => other.clone(),
    }
}

/// The column of a ViewDefinition that has the id of the resource that a row is of.
fn key_of(view: &ViewDefinition) -> Option<Key> {
    let of_resource = view.select.iter().filter(|select| {
        select.for_each.is_none() && select.for_each_or_null.is_none() && select.repeat.is_empty()
    });
    let mut columns = of_resource.flat_map(|select| &select.column);
    let column = columns.find(|column| {
        column.collection != Some(true) && matches!(column.path.trim(), "id" | "getResourceKey()")
    })?;
    Some(Key { column: column.name.clone(), resource: view.resource.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(select: &str) -> ViewDefinition {
        ViewDefinition::parse(&format!(r#"{{"resource":"Patient","select":[{select}]}}"#)).unwrap()
    }

    #[test]
    fn a_view_definition_has_the_key_that_a_column_says_on_the_resource_itself() {
        let key = |select: &str| key_of(&definition(select)).map(|key| key.column);
        let (name, id) = (
            r#"{"forEach":"name","column":[{"name":"n","path":"id"}]}"#,
            r#"{"column":[{"name":"p","path":"getResourceKey()"}]}"#,
        );
        assert_eq!(key(name), None);
        assert_eq!(key(&format!("{name},{id}")).as_deref(), Some("p"));
    }

    #[test]
    fn a_name_that_no_view_has_is_refused_with_those_that_there_are() {
        let choose = |name: &str| choose(&Folder::default(), FhirVersion::R5, &[name.to_owned()], false);
        let said = |name: &str| choose(name).unwrap_err().to_string();
        assert!(said("nothing").contains("there is no view nothing; there are patients,"));
        assert!(said("omop.person").contains("is not for FHIR R5"));
        assert_eq!(choose("patients").unwrap().len(), 1);
    }

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for name in ["../tables/Patient", "a/b", "omop", "_delta_log", "omop.../x", ""] {
            assert!(checked(name).is_err(), "{name}");
        }
        assert!(checked("omop.person").is_ok() && checked("my_view2").is_ok());
    }

    #[test]
    fn what_delta_does_not_have_becomes_what_it_has() {
        let views = DataType::List(Arc::new(Field::new("item", DataType::Utf8View, false)));
        let strings = DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)));
        assert_eq!(stored_type(&views), strings);
        assert_eq!(stored_type(&DataType::Timestamp(TimeUnit::Nanosecond, None)), timestamp());
    }
}
