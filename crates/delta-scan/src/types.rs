//! The types that a scan gives.
//!
//! One invariant: a type depends on the table's schema alone, never on a file.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema};

/// The types that a scan of a table with these columns gives: views for texts and bytes, at every depth, which the decoder
/// fills without copying.
pub fn with_views(schema: &Schema) -> Schema {
    let fields: Vec<FieldRef> = schema.fields().iter().map(viewed).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

fn viewed(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed).collect()),
        DataType::List(item) => DataType::List(viewed(item)),
        DataType::LargeList(item) => DataType::LargeList(viewed(item)),
        _ => return Arc::clone(field),
    };
    retyped(field, data_type)
}

/// The field with another type.
pub(crate) fn retyped(field: &Field, data_type: DataType) -> FieldRef {
    Arc::new(field.clone().with_data_type(data_type))
}
