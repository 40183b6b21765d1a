//! The tables of items: their columns, and where the value of each comes from.
//!
//! One invariant: no column is an SQL keyword, and one that means the same as a view's has its name (`sql/README.md`).

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A table of items.
#[derive(Debug)]
pub(in crate::query) struct ItemTable {
    /// Its name.
    pub(in crate::query) name: &'static str,
    /// The FHIR type that has a row for each value.
    pub(super) item_type: &'static str,
    /// The columns.
    pub(super) columns: Vec<Column>,
    /// The same as Arrow has them.
    pub(super) schema: SchemaRef,
}

/// A column of a table of items.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) data_type: DataType,
    pub(super) source: Source,
}

/// The names of fields on the way to a leaf. Of a list it is the first element.
pub(super) type Path = &'static [&'static str];

/// Where the value of a column comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// The type of the resource.
    ResourceType,
    /// The id of the resource.
    Id,
    /// The names on the way from the resource to the item.
    ElementPath,
    /// The same with positions, below the resource.
    Place,
    /// The position of a coding in its concept.
    CodingIndex,
    /// Of the item: the first of these leaves that has a value.
    Item(&'static [Path]),
    /// Of what the item lies in, where that is of this type: a leaf.
    Owner { owner: &'static str, leaf: &'static str },
    /// The last moment of the first of these dates that has a value: the path of what it is in, and its name.
    End(&'static [(Path, &'static str)]),
    /// The FHIR type of an extension's value.
    ValueType,
}

/// The places that every table has: type, id, path and place.
fn place_columns() -> Vec<Column> {
    vec![
        text("resource_type", Source::ResourceType),
        text("id", Source::Id),
        text("element_path", Source::ElementPath),
        text("place", Source::Place),
    ]
}

fn text(name: &'static str, source: Source) -> Column {
    Column { name, data_type: DataType::Utf8View, source }
}

fn of(name: &'static str, data_type: DataType, source: Source) -> Column {
    Column { name, data_type, source }
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn table(name: &'static str, item_type: &'static str, own: Vec<Column>) -> ItemTable {
    let mut columns = place_columns();
    columns.extend(own);
    let fields = columns.iter().map(|column| Field::new(column.name, column.data_type.clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    ItemTable { name, item_type, columns, schema }
}

static TABLES: LazyLock<[ItemTable; 4]> =
    LazyLock::new(|| [codings(), identifiers(), references(), extensions()]);

/// All tables of items.
pub(in crate::query) fn tables() -> &'static [ItemTable] {
    TABLES.as_slice()
}

/// The table of a name.
pub(in crate::query) fn find(name: &str) -> Option<&'static ItemTable> {
    tables().iter().find(|table| table.name == name)
}

fn codings() -> ItemTable {
    use Source::{CodingIndex, Item, Owner};
    table(
        "codings",
        "Coding",
        vec![
            of("coding_index", DataType::Int32, CodingIndex),
            text("code_system", Item(&[&["system"]])),
            text("code_version", Item(&[&["version"]])),
            text("code", Item(&[&["code"]])),
            text("code_display", Item(&[&["display"]])),
            of("is_user_selected", DataType::Boolean, Item(&[&["userSelected"]])),
            text("concept_text", Owner { owner: "CodeableConcept", leaf: "text" }),
        ],
    )
}

fn identifiers() -> ItemTable {
    use Source::{End, Item};
    table(
        "identifiers",
        "Identifier",
        vec![
            text("identifier_use", Item(&[&["use"]])),
            text("type_system", Item(&[&["type", "coding", "system"]])),
            text("type_code", Item(&[&["type", "coding", "code"]])),
            text("type_text", Item(&[&["type", "text"]])),
            text("identifier_system", Item(&[&["system"]])),
            text("identifier_value", Item(&[&["value"]])),
            of("start_time", time(), Item(&[&["period", "__start_start"]])),
            of("end_time", time(), End(&[(&["period"], "end")])),
        ],
    )
}

fn references() -> ItemTable {
    use Source::Item;
    table(
        "refs",
        "Reference",
        vec![
            text("reference", Item(&[&["reference"]])),
            text("target_type", Item(&[&["__reference_type"], &["type"]])),
            text("target_id", Item(&[&["__reference_id"]])),
            text("identifier_system", Item(&[&["identifier", "system"]])),
            text("identifier_value", Item(&[&["identifier", "value"]])),
            text("reference_display", Item(&[&["display"]])),
        ],
    )
}

/// What is written in an extension's value, in words.
const VALUE_TEXT: &[Path] = &[
    &["valueString"],
    &["valueCode"],
    &["valueUri"],
    &["valueBoolean"],
    &["valueInteger"],
    &["valueDecimal"],
    &["valueDate"],
    &["valueDateTime"],
    &["valueCoding", "display"],
    &["valueCodeableConcept", "coding", "display"],
    &["valueCodeableConcept", "text"],
    &["valueQuantity", "value"],
    &["valueReference", "reference"],
    &["valueReference", "display"],
    &["valueIdentifier", "value"],
    &["valueAddress", "text"],
];

/// The codes of an extension's value, each beside the system that it is of.
const VALUE_CODE: &[Path] =
    &[&["valueCode"], &["valueCoding", "code"], &["valueCodeableConcept", "coding", "code"]];

const VALUE_SYSTEM: &[Path] = &[
    &["valueCoding", "system"],
    &["valueCodeableConcept", "coding", "system"],
    &["valueIdentifier", "system"],
];

fn extensions() -> ItemTable {
    use Source::{End, Item, Owner, ValueType};
    let starts: &[Path] =
        &[&["__valueDate_start"], &["__valueDateTime_start"], &["valuePeriod", "__start_start"]];
    table(
        "extensions",
        "Extension",
        vec![
            text("extension_url", Item(&[&["url"]])),
            text("parent_url", Owner { owner: "Extension", leaf: "url" }),
            text("value_type", ValueType),
            text("value_text", Item(VALUE_TEXT)),
            of("value_boolean", DataType::Boolean, Item(&[&["valueBoolean"]])),
            of(
                "value_double",
                DataType::Float64,
                Item(&[&["__valueDecimal_double"], &["valueInteger"], &["valueQuantity", "__value_double"]]),
            ),
            text("value_unit", Item(&[&["valueQuantity", "code"], &["valueQuantity", "unit"]])),
            text("value_code_system", Item(VALUE_SYSTEM)),
            text("value_code", Item(VALUE_CODE)),
            of("start_time", time(), Item(starts)),
            of(
                "end_time",
                time(),
                End(&[(&[], "valueDate"), (&[], "valueDateTime"), (&["valuePeriod"], "end")]),
            ),
            text(
                "target_type",
                Item(&[&["valueReference", "__reference_type"], &["valueReference", "type"]]),
            ),
            text("target_id", Item(&[&["valueReference", "__reference_id"]])),
        ],
    )
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;

    use super::*;

    #[test]
    fn no_column_and_no_table_is_a_keyword() {
        for table in tables() {
            // `id` is the resource tables' own.
            let columns = table.columns.iter().map(|column| column.name).filter(|name| *name != "id");
            for name in columns.chain([table.name]) {
                assert!(!ALL_KEYWORDS.contains(&name.to_uppercase().as_str()), "{}.{name}", table.name);
            }
        }
    }
}
