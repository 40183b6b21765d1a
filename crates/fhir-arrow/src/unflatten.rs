//! From a row back to its resource.
//!
//! The one invariant: what [`Flattener`](crate::Flattener) made of a resource becomes the same resource, value for
//! value, with numbers as they were written. The order of members is that of the columns; white space and the way
//! that strings are escaped are not kept. How columns and `__rest` are merged is told in [`rest`].

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow_schema::{DataType, Fields};
use base64::Engine as _;

use crate::json::{Kind, Tape, Value, escape_into, is_number};
use crate::primitive::Leaf;
use crate::shape::{Item, Member, Shape};
use crate::{TableSchema, UnflattenError, rest};

/// The resource of a row, as JSON text.
///
/// Columns are found by their names: the batch may have them in another order, have others besides (lineage), and
/// lack some that have no value. Texts, bytes and lists may have any of the forms that Arrow has for them.
///
/// # Errors
/// The batch has no such row, or its columns are not of this schema.
pub fn unflatten(schema: &TableSchema, batch: &RecordBatch, row: usize) -> Result<String, UnflattenError> {
    if row >= batch.num_rows() {
        return Err(UnflattenError::NoSuchRow { row, rows: batch.num_rows() });
    }
    let columns = Columns { fields: batch.schema_ref().fields(), arrays: batch.columns() };
    let mut resource = String::new();
    write_row(schema, columns, row, &mut resource).map_err(|mismatch| mismatch.of(schema))?;
    Ok(resource)
}

fn write_row(
    schema: &TableSchema,
    columns: Columns<'_>,
    row: usize,
    out: &mut String,
) -> Result<(), Mismatch> {
    let mut tape = Tape::default();
    let document;
    let rest = match columns.find(schema.shape.fields.len(), rest::COLUMN) {
        Some(column) if column.is_valid(row) => {
            let text = text(column, row).map_err(|mismatch| mismatch.within(rest::COLUMN))?;
            let parsed = tape.parse(text.as_bytes());
            document = parsed.map_err(|_| Mismatch::not_json().within(rest::COLUMN))?;
            Some(document.root())
        }
        _ => None,
    };
    write_object(&schema.shape, columns, row, rest, out)
}

/// What a column holds that it should not.
struct Mismatch {
    /// The type that was found; `None` for a text that is not JSON.
    found: Option<String>,
    /// The names of the column and of the structs that it is in, innermost first.
    path: Vec<String>,
}

impl Mismatch {
    fn not_json() -> Self {
        Self { found: None, path: Vec::new() }
    }

    fn type_of(array: &dyn Array) -> Self {
        Self { found: Some(array.data_type().to_string()), path: Vec::new() }
    }

    fn within(mut self, name: &str) -> Self {
        self.path.push(name.to_owned());
        self
    }

    fn of(self, schema: &TableSchema) -> UnflattenError {
        let resource_type = schema.resource_type().to_owned();
        let names: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
        let column = names.join(".");
        match self.found {
            Some(found) => UnflattenError::ColumnType { resource_type, column, found },
            None => UnflattenError::NotJson { resource_type, column },
        }
    }
}

/// The columns of a batch or of a struct.
#[derive(Clone, Copy)]
struct Columns<'c> {
    fields: &'c Fields,
    arrays: &'c [ArrayRef],
}

impl<'c> Columns<'c> {
    /// The column of this name, which is probably at this position.
    fn find(self, guess: usize, name: &str) -> Option<&'c dyn Array> {
        let is_named =
            |position: &usize| self.fields.get(*position).is_some_and(|field| field.name() == name);
        let position = Some(guess).filter(is_named).or_else(|| (0..self.fields.len()).find(is_named))?;
        self.arrays.get(position).map(AsRef::as_ref)
    }
}

/// Writes an object: the members that have columns, then those that `__rest` alone has.
fn write_object(
    shape: &Shape,
    columns: Columns<'_>,
    row: usize,
    rest: Option<Value<'_>>,
    out: &mut String,
) -> Result<(), Mismatch> {
    out.push('{');
    let mut guess = 0;
    for member in &shape.members {
        let column = columns.find(guess, &member.name).filter(|column| column.is_valid(row));
        let rest = rest.and_then(|rest| rest.member(&member.name));
        guess += member.width();
        write_member(member, column, row, rest, out).map_err(|mismatch| mismatch.within(&member.name))?;
    }
    for (key, value) in rest.into_iter().flat_map(Value::members) {
        let member = shape.names.find(key.hash(), &key.name());
        if member.is_none_or(|position| is_open(&shape.members[usize::from(position)])) {
            separate(out);
            out.push_str(key.raw());
            out.push(':');
            out.push_str(value.raw());
        }
    }
    out.push('}');
    Ok(())
}

fn is_open(member: &Member) -> bool {
    matches!(member.item, Item::Leaf(Leaf::Open))
}

/// Writes the comma before a member or value that is not the first one.
fn separate(out: &mut String) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
}

fn write_member(
    member: &Member,
    column: Option<&dyn Array>,
    row: usize,
    rest: Option<Value<'_>>,
    out: &mut String,
) -> Result<(), Mismatch> {
    if is_open(member) {
        let Some(column) = column else { return Ok(()) };
        let object = text(column, row)?.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        separate(out);
        out.push_str(object.filter(|members| !members.is_empty()).ok_or_else(Mismatch::not_json)?);
        return Ok(());
    }
    if column.is_none() && rest.is_none() {
        return Ok(());
    }
    separate(out);
    escape_into(&member.name, out);
    out.push(':');
    match column {
        Some(column) if member.many => write_list(&member.item, column, row, rest, out),
        _ => write_value(&member.item, column, row, rest, out),
    }
}

/// Writes the value of a column that has one in this row, or else the one of `__rest`, or else `null`.
fn write_value(
    item: &Item,
    column: Option<&dyn Array>,
    row: usize,
    rest: Option<Value<'_>>,
    out: &mut String,
) -> Result<(), Mismatch> {
    match (item, column, rest) {
        (Item::Object(shape), Some(column), None) => write_struct(shape, column, row, None, out),
        (Item::Object(shape), Some(column), Some(rest)) if rest.kind() == Kind::Object => {
            write_struct(shape, column, row, Some(rest), out)
        }
        (_, _, Some(rest)) => {
            out.push_str(rest.raw());
            Ok(())
        }
        (Item::Leaf(leaf), Some(column), None) => write_leaf(*leaf, column, row, out),
        (_, None, None) => {
            out.push_str("null");
            Ok(())
        }
    }
}

fn write_struct(
    shape: &Shape,
    column: &dyn Array,
    row: usize,
    rest: Option<Value<'_>>,
    out: &mut String,
) -> Result<(), Mismatch> {
    let objects = column.as_struct_opt().ok_or_else(|| Mismatch::type_of(column))?;
    let columns = Columns { fields: objects.fields(), arrays: objects.columns() };
    write_object(shape, columns, row, rest, out)
}

fn write_list(
    item: &Item,
    column: &dyn Array,
    row: usize,
    rest: Option<Value<'_>>,
    out: &mut String,
) -> Result<(), Mismatch> {
    if let Some(rest) = rest.filter(|rest| rest.kind() != Kind::Array) {
        out.push_str(rest.raw());
        return Ok(());
    }
    let (values, positions) = match column.data_type() {
        DataType::List(_) => list(column.as_list::<i32>(), row),
        DataType::LargeList(_) => list(column.as_list::<i64>(), row),
        _ => return Err(Mismatch::type_of(column)),
    };
    let mut rest = rest.into_iter().flat_map(Value::elements);
    out.push('[');
    for position in positions {
        let value = Some(values).filter(|values| values.is_valid(position));
        let rest = rest.next().filter(|rest| rest.kind() != Kind::Null);
        separate(out);
        write_value(item, value, position, rest, out)?;
    }
    out.push(']');
    Ok(())
}

/// Where the values of a list are.
fn list<O: OffsetSizeTrait>(lists: &GenericListArray<O>, row: usize) -> (&dyn Array, Range<usize>) {
    let [start, end] = [row, row + 1].map(|at| lists.value_offsets()[at].as_usize());
    (lists.values(), start..end)
}

fn write_leaf(leaf: Leaf, column: &dyn Array, row: usize, out: &mut String) -> Result<(), Mismatch> {
    match leaf {
        Leaf::Boolean => {
            let values = column.as_boolean_opt().ok_or_else(|| Mismatch::type_of(column))?;
            out.push_str(if values.value(row) { "true" } else { "false" });
        }
        Leaf::Integer => {
            let values = column.as_primitive_opt::<Int32Type>().ok_or_else(|| Mismatch::type_of(column))?;
            out.push_str(&values.value(row).to_string());
        }
        Leaf::Integer64 => {
            let values = column.as_primitive_opt::<Int64Type>().ok_or_else(|| Mismatch::type_of(column))?;
            out.push('"');
            out.push_str(&values.value(row).to_string());
            out.push('"');
        }
        Leaf::Decimal => {
            let literal = text(column, row)?;
            out.push_str(Some(literal).filter(|text| is_number(text)).ok_or_else(Mismatch::not_json)?);
        }
        Leaf::Base64 => {
            out.push('"');
            base64::engine::general_purpose::STANDARD.encode_string(bytes(column, row)?, out);
            out.push('"');
        }
        Leaf::Resource | Leaf::Open => out.push_str(text(column, row)?),
        Leaf::Text | Leaf::Moment | Leaf::ReferenceUrl => escape_into(text(column, row)?, out),
    }
    Ok(())
}

fn text(column: &dyn Array, row: usize) -> Result<&str, Mismatch> {
    match column.data_type() {
        DataType::Utf8 => Ok(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Ok(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Ok(column.as_string_view().value(row)),
        _ => Err(Mismatch::type_of(column)),
    }
}

fn bytes(column: &dyn Array, row: usize) -> Result<&[u8], Mismatch> {
    match column.data_type() {
        DataType::Binary => Ok(column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Ok(column.as_binary::<i64>().value(row)),
        DataType::BinaryView => Ok(column.as_binary_view().value(row)),
        _ => Err(Mismatch::type_of(column)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryViewArray, StringArray, StringViewArray};
    use arrow_schema::{Field, Schema};
    use fhir_definitions::Definitions;

    use super::*;
    use crate::Flattener;

    const LINE: &str = r#"{"resourceType":"Binary","id":"1","contentType":"a/b","data":"AAE=","x":[1]}"#;

    fn binary() -> (Arc<TableSchema>, RecordBatch) {
        let schema = Arc::new(TableSchema::new(Definitions::r4(), "Binary").unwrap());
        let mut flattener = Flattener::new(Arc::clone(&schema), None);
        flattener.append(LINE.as_bytes()).unwrap();
        let batch = flattener.finish();
        (schema, batch)
    }

    fn batch_of(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }

    fn texts(text: &str) -> ArrayRef {
        Arc::new(StringArray::from(vec![text]))
    }

    #[test]
    fn columns_may_be_in_another_order_left_out_and_views() {
        let (schema, _) = binary();
        let batch = batch_of(vec![
            ("__source", texts("local")),
            ("__rest", Arc::new(StringViewArray::from(vec![r#"{"x":[1]}"#]))),
            ("data", Arc::new(BinaryViewArray::from(vec![&b"\0\x01"[..]]))),
            ("contentType", Arc::new(StringViewArray::from(vec!["a/b"]))),
            ("id", texts("1")),
            ("resourceType", texts("Binary")),
        ]);
        assert_eq!(unflatten(&schema, &batch, 0).as_deref(), Ok(LINE));
    }

    #[test]
    fn a_slice_of_a_batch_has_its_own_rows() {
        let schema = Arc::new(TableSchema::new(Definitions::r4(), "Patient").unwrap());
        let mut flattener = Flattener::new(Arc::clone(&schema), None);
        let line = |row: usize| {
            let names = vec![format!(r#"{{"given":["A{row}","B{row}"]}}"#); row % 3];
            format!(r#"{{"resourceType":"Patient","id":"{row}","name":[{}]}}"#, names.join(","))
        };
        for row in 0..20 {
            flattener.append(line(row).as_bytes()).unwrap();
        }
        let slice = flattener.finish().slice(7, 5);
        for row in 0..5 {
            assert_eq!(unflatten(&schema, &slice, row), Ok(line(row + 7)));
        }
    }

    #[test]
    fn a_row_that_is_not_there_is_named() {
        let (schema, batch) = binary();
        assert_eq!(unflatten(&schema, &batch, 1), Err(UnflattenError::NoSuchRow { row: 1, rows: 1 }));
    }

    #[test]
    fn columns_of_other_types_are_named() {
        let (schema, _) = binary();
        let error = unflatten(&schema, &batch_of(vec![("data", texts("AAE="))]), 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column data of Binary is of the type Utf8, which does not hold its element"
        );
        let schema = TableSchema::new(Definitions::r4(), "Patient").unwrap();
        let error = unflatten(&schema, &batch_of(vec![("name", texts("A"))]), 0).unwrap_err();
        assert!(matches!(error, UnflattenError::ColumnType { column, .. } if column == "name"));
    }

    #[test]
    fn a_text_that_is_not_json_is_named() {
        let (schema, _) = binary();
        for text in ["", "1", "{", "[]"] {
            let error = unflatten(&schema, &batch_of(vec![("__rest", texts(text))]), 0).unwrap_err();
            assert_eq!(
                error.to_string(),
                "column __rest of Binary holds a text that is not the JSON it should be"
            );
        }
    }
}
