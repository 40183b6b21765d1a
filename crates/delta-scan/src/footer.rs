//! The footer of a data file, narrowed to the columns and fields that a scan asks for.
//!
//! A resource type's table has hundreds of leaves, and a query wants a few. A footer that knows of no others makes the
//! decoder read no others, at any depth, and spares it the work of looking through them for each file.
//!
//! One invariant: what stays is as it was. Levels and chunks of the leaves that stay are those of the file.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use datafusion::parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema, parquet_to_arrow_schema};
use datafusion::parquet::basic::{ConvertedType, LogicalType};
use datafusion::parquet::errors::Result;
use datafusion::parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder, RowGroupMetaData,
};
use datafusion::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use crate::types::with_views;

/// The footer with what a schema names. One leaf at least stays.
pub(crate) fn narrowed(footer: &ParquetMetaData, schema: &Schema) -> Result<ParquetMetaData> {
    let file = footer.file_metadata();
    let root = file.schema_descr().root_schema();
    let mut leaves = Leaves { next: 0, kept: Vec::new() };
    let mut fields = Vec::new();
    for field in root.get_fields() {
        match schema.field_with_name(field.name()) {
            Ok(wanted) => fields.push(leaves.narrow(field, wanted.data_type())?),
            Err(_) => leaves.skip(field),
        }
    }
    if fields.is_empty() {
        // Rows are counted by row groups, and these are found by the place of their first column.
        leaves = Leaves { next: 0, kept: Vec::new() };
        if let Some(first) = root.get_fields().first() {
            leaves.keep(first);
            fields.push(Arc::clone(first));
        }
    }
    let root = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    let descriptor = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    let groups = footer.row_groups().iter().map(|group| narrow_group(group, &descriptor, &leaves.kept));
    let orders = file.column_orders().map(|orders| leaves.kept.iter().map(|&leaf| orders[leaf]).collect());
    let groups = groups.collect::<Result<_>>()?;
    let hint = Some(vec![decoded_as(&descriptor)?]);
    let written_by = file.created_by().map(str::to_owned);
    let file = FileMetaData::new(file.version(), file.num_rows(), written_by, hint, descriptor, orders);
    Ok(ParquetMetaDataBuilder::new(file).set_row_groups(groups).build())
}

/// The types that the leaves are decoded into: texts and bytes as views.
fn decoded_as(descriptor: &SchemaDescriptor) -> Result<KeyValue> {
    let schema = with_views(&parquet_to_arrow_schema(descriptor, None)?);
    Ok(KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&schema)))
}

fn narrow_group(
    group: &RowGroupMetaData,
    descriptor: &Arc<SchemaDescriptor>,
    kept: &[usize],
) -> Result<RowGroupMetaData> {
    let columns = kept.iter().map(|&leaf| group.column(leaf).clone()).collect();
    let mut narrow = RowGroupMetaData::builder(Arc::clone(descriptor))
        .set_num_rows(group.num_rows())
        .set_total_byte_size(group.total_byte_size())
        .set_column_metadata(columns);
    if let Some(ordinal) = group.ordinal() {
        narrow = narrow.set_ordinal(ordinal);
    }
    if let Some(offset) = group.file_offset() {
        narrow = narrow.set_file_offset(offset);
    }
    narrow.build()
}

/// The leaves of a file in their order, and which of them stay.
struct Leaves {
    next: usize,
    kept: Vec<usize>,
}

impl Leaves {
    /// What of a type of the file has a place in the type that is asked for.
    fn narrow(&mut self, of: &TypePtr, wanted: &DataType) -> Result<TypePtr> {
        match wanted {
            DataType::Struct(fields) if is_struct(of) => {
                let mut narrow = Vec::new();
                for child in of.get_fields() {
                    match fields.find(child.name()) {
                        Some((_, wanted)) => narrow.push(self.narrow(child, wanted.data_type())?),
                        None => self.skip(child),
                    }
                }
                if narrow.is_empty() { self.shape(of) } else { with_fields(of, narrow) }
            }
            DataType::List(item) | DataType::LargeList(item) => match list_element(of) {
                Some((repeated, element)) => {
                    let element = self.narrow(element, item.data_type())?;
                    with_fields(of, vec![with_fields(repeated, vec![element])?])
                }
                None => Ok(self.keep(of)),
            },
            _ => Ok(self.keep(of)),
        }
    }

    /// A struct that has none of the fields that are asked for: its first leaves say where there is one.
    fn shape(&mut self, of: &TypePtr) -> Result<TypePtr> {
        let shape = first_leaf(of)?;
        let first = self.next - leaves_of(of);
        self.kept.extend(first..first + leaves_of(&shape));
        Ok(shape)
    }

    fn keep(&mut self, of: &TypePtr) -> TypePtr {
        let count = leaves_of(of);
        self.kept.extend(self.next..self.next + count);
        self.next += count;
        Arc::clone(of)
    }

    fn skip(&mut self, of: &TypePtr) {
        self.next += leaves_of(of);
    }
}

fn leaves_of(of: &Type) -> usize {
    if of.is_primitive() { 1 } else { of.get_fields().iter().map(|child| leaves_of(child)).sum() }
}

/// The type with its first leaf alone.
fn first_leaf(of: &TypePtr) -> Result<TypePtr> {
    match of.is_group().then(|| of.get_fields().first()).flatten() {
        // A map has both of its columns, or is none.
        Some(_) if !is_struct(of) && list_element(of).is_none() => Ok(Arc::clone(of)),
        Some(first) => with_fields(of, vec![first_leaf(first)?]),
        None => Ok(Arc::clone(of)),
    }
}

fn is_struct(of: &Type) -> bool {
    let info = of.get_basic_info();
    of.is_group() && info.logical_type_ref().is_none() && info.converted_type() == ConvertedType::NONE
}

/// The repeated group and the element of a list that is written as the format's version 2 says.
fn list_element(of: &Type) -> Option<(&TypePtr, &TypePtr)> {
    let info = of.get_basic_info();
    let list = matches!(info.logical_type_ref(), Some(LogicalType::List))
        || info.converted_type() == ConvertedType::LIST;
    let [repeated] = (list && of.is_group()).then(|| of.get_fields())? else { return None };
    if !repeated.is_group() || repeated.name() != "list" {
        return None;
    }
    let [element] = repeated.get_fields() else { return None };
    Some((repeated, element))
}

fn with_fields(of: &Type, fields: Vec<TypePtr>) -> Result<TypePtr> {
    let info = of.get_basic_info();
    let mut group = Type::group_type_builder(of.name())
        .with_fields(fields)
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_id(info.has_id().then(|| info.id()));
    if info.has_repetition() {
        group = group.with_repetition(info.repetition());
    }
    group.build().map(Arc::new)
}
