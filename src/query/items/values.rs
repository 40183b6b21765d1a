//! The columns of items: which leaves they are made of, and their values.
//!
//! One invariant: a column is made of the leaves that are named for it here, so a scan of these is enough.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, RecordBatch, RecordBatchOptions, StringViewArray,
    StringViewBuilder, TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use datafusion::arrow::compute::kernels::zip::zip;
use datafusion::arrow::compute::{cast, is_not_null, take};
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, SchemaRef, TimestampMicrosecondType};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;

use super::kind::{Column, Path, Source};
use super::place::Place;
use crate::query::walk::Walk;

/// The table's column with the id.
pub(super) const ID: &str = "id";

/// The leaves below the resource that a column is made of at a place.
pub(super) fn leaves(source: Source, place: &Place) -> Vec<Vec<String>> {
    let below = |path: &[&str]| -> Vec<String> {
        place.path().iter().chain(path).map(|name| (*name).to_owned()).collect()
    };
    match source {
        Source::ResourceType | Source::ElementPath | Source::Place | Source::CodingIndex => Vec::new(),
        Source::Id => vec![vec![ID.to_owned()]],
        Source::Item(paths) => {
            paths.iter().filter(|path| is_there(place, path)).map(|path| below(path)).collect()
        }
        Source::Owner { leaf, .. } if is_owned(source, place) => {
            let path = place.owner_path();
            vec![path.into_iter().chain([leaf]).map(str::to_owned).collect()]
        }
        Source::Owner { .. } => Vec::new(),
        Source::End(dates) => dates
            .iter()
            .filter(|(parent, name)| is_there(place, &join(parent, name)))
            .flat_map(|(parent, name)| {
                let names = [(*name).to_owned(), format!("__{name}_start"), format!("__{name}_end")];
                names.map(|name| below(&join(parent, &name)))
            })
            .collect(),
        Source::ValueType => values_of(place).map(|(name, _)| below(&[name])).collect(),
    }
}

fn join<'n>(parent: &[&'n str], name: &'n str) -> Vec<&'n str> {
    parent.iter().copied().chain([name]).collect()
}

/// Whether the item has the leaf: that of some types stands where its columns have less of it.
fn is_there(place: &Place, path: &[&str]) -> bool {
    let mut fields = &place.fields;
    for (position, name) in path.iter().enumerate() {
        let Some((_, field)) = fields.find(name) else { return false };
        let item = match field.data_type() {
            DataType::List(item) => item.data_type(),
            item => item,
        };
        match item {
            DataType::Struct(inside) => fields = inside,
            _ => return position + 1 == path.len(),
        }
    }
    true
}

fn is_owned(source: Source, place: &Place) -> bool {
    matches!(source, Source::Owner { owner, .. } if place.owner.as_deref() == Some(owner))
}

/// The columns of an extension's value, each with the FHIR type that it is for.
fn values_of(place: &Place) -> impl Iterator<Item = (&str, String)> {
    place.fields.iter().filter_map(|field| {
        let type_name = field.name().strip_prefix("value")?;
        let type_name = match field.data_type() {
            DataType::Struct(_) => type_name.to_owned(),
            _ => {
                let mut letters = type_name.chars();
                letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
            }
        };
        Some((field.name().as_str(), type_name))
    })
}

/// What the rows of a place have in common, and the batch that they are from.
pub(super) struct Origin<'b> {
    pub(super) resource_type: &'b str,
    pub(super) place: &'b Place,
    pub(super) batch: &'b RecordBatch,
}

/// The items of a batch at a place.
pub(super) fn find(batch: &RecordBatch, place: &Place) -> Result<Walk> {
    let mut steps = place.steps.iter();
    let first = steps.next().and_then(|step| batch.column_by_name(&step.name));
    let first =
        first.ok_or_else(|| exec_datafusion_err!("the scan has brought no {}", place.element_path))?;
    let mut walk = Walk::over(first)?;
    steps.try_for_each(|step| walk.enter(&step.name))?;
    Ok(walk)
}

/// The rows of some of the items of a place.
pub(super) fn rows(
    origin: &Origin<'_>,
    items: &Walk,
    range: Range<usize>,
    columns: &[&Column],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let arrays = columns.iter().map(|column| {
        let array = array(origin, items, &range, column)?;
        Ok(if array.data_type() == &column.data_type { array } else { cast(&array, &column.data_type)? })
    });
    let options = RecordBatchOptions::new().with_row_count(Some(range.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays.collect::<Result<_>>()?, &options)?)
}

fn array(origin: &Origin<'_>, items: &Walk, range: &Range<usize>, column: &Column) -> Result<ArrayRef> {
    let nulls = || new_null_array(&column.data_type, range.len());
    let at = &items.at[range.clone()];
    Ok(match column.source {
        Source::ResourceType => constant(origin.resource_type, range.len())?,
        Source::ElementPath => constant(&origin.place.element_path, range.len())?,
        Source::Id => {
            let ids = origin.batch.column_by_name(ID);
            let ids = ids.ok_or_else(|| exec_datafusion_err!("the scan has brought no {ID}"))?;
            take(ids, &UInt32Array::from(items.rows[range.clone()].to_vec()), None)?
        }
        Source::Place => Arc::new(places(origin.place, items, range)),
        Source::CodingIndex => {
            let in_concept = origin.place.element_steps < origin.place.steps.len();
            let positions = items.positions.last().filter(|_| in_concept);
            let index = |item: usize| positions.map_or(1, |positions| number(positions[item]));
            Arc::new(Int32Array::from_iter_values(range.clone().map(|item| i32::usize_as(index(item)))))
        }
        Source::Item(paths) => first_value(&items.array, at, paths, &column.data_type)?.unwrap_or_else(nulls),
        Source::Owner { leaf: name, .. } => match &items.owner {
            Some(owner) if is_owned(column.source, origin.place) => {
                leaf(owner, &items.owner_at[range.clone()], &[name])?.unwrap_or_else(nulls)
            }
            _ => nulls(),
        },
        Source::End(dates) => {
            let ends = dates.iter().map(|(parent, name)| end(&items.array, at, parent, name));
            coalesce(ends, &column.data_type)?.unwrap_or_else(nulls)
        }
        Source::ValueType => Arc::new(value_types(origin.place, &items.array, at)?),
    })
}

fn constant(text: &str, rows: usize) -> Result<ArrayRef> {
    let one = StringViewArray::from_iter_values([text]);
    Ok(take(&one, &UInt32Array::from(vec![0; rows]), None)?)
}

/// Positions count from 1, as SQL's lists do.
fn number(position: u32) -> usize {
    position.as_usize() + 1
}

/// `component[1].code`: the names below the resource with positions.
fn places(place: &Place, items: &Walk, range: &Range<usize>) -> StringViewArray {
    let mut out = StringViewBuilder::with_capacity(range.len());
    let mut text = String::new();
    for item in range.clone() {
        text.clear();
        let mut positions = items.positions.iter();
        for (step, at) in place.steps[..place.element_steps].iter().zip(0..) {
            let separator = if at == 0 { "" } else { "." };
            // Writing to a text cannot fail.
            let _ = write!(text, "{separator}{}", step.name);
            if step.many
                && let Some(positions) = positions.next()
            {
                let _ = write!(text, "[{}]", number(positions[item]));
            }
        }
        out.append_value(&text);
    }
    out.finish()
}

/// The first of these leaves that has a value, item by item.
fn first_value(
    item: &ArrayRef,
    at: &[u32],
    paths: &[Path],
    data_type: &DataType,
) -> Result<Option<ArrayRef>> {
    coalesce(paths.iter().map(|path| leaf(item, at, path)), data_type)
}

fn coalesce(
    arrays: impl Iterator<Item = Result<Option<ArrayRef>>>,
    data_type: &DataType,
) -> Result<Option<ArrayRef>> {
    let mut found: Option<ArrayRef> = None;
    for array in arrays {
        let Some(array) = array? else { continue };
        let array = cast(&array, data_type)?;
        found = Some(match found {
            None => array,
            Some(before) if before.null_count() == 0 => before,
            Some(before) => zip(&is_not_null(&before)?, &before, &array)?,
        });
    }
    Ok(found)
}

/// The leaf at the end of a path, of the first element where there are lists on the way; `None` where the item has no such
/// field.
fn leaf(item: &ArrayRef, at: &[u32], path: &[&str]) -> Result<Option<ArrayRef>> {
    let mut array = Arc::clone(item);
    let mut places: Vec<Option<u32>> = at.iter().copied().map(Some).collect();
    for name in path {
        if let Some(lists) = array.as_list_opt::<i32>() {
            let first = |place: u32| {
                let place = place.as_usize();
                let (start, end) = (lists.value_offsets()[place], lists.value_offsets()[place + 1]);
                (lists.is_valid(place) && start < end).then(|| u32::usize_as(start.as_usize()))
            };
            places.iter_mut().for_each(|place| *place = place.and_then(first));
            let values = Arc::clone(lists.values());
            array = values;
        }
        let Some(structs) = array.as_struct_opt() else { return Ok(None) };
        let Some(field) = structs.column_by_name(name).cloned() else { return Ok(None) };
        if structs.null_count() > 0 {
            places
                .iter_mut()
                .for_each(|place| *place = place.filter(|place| structs.is_valid(place.as_usize())));
        }
        array = field;
    }
    Ok(Some(take(&array, &UInt32Array::from(places), None)?))
}

/// The last moment that a date means: of one with a time of day that time, of a day or more its end.
fn end(item: &ArrayRef, at: &[u32], parent: &[&str], name: &str) -> Result<Option<ArrayRef>> {
    let (start_name, end_name) = (format!("__{name}_start"), format!("__{name}_end"));
    let (Some(written), Some(start), Some(end)) = (
        leaf(item, at, &join(parent, name))?,
        leaf(item, at, &join(parent, &start_name))?,
        leaf(item, at, &join(parent, &end_name))?,
    ) else {
        return Ok(None);
    };
    let data_type = end.data_type().clone();
    let written = cast(&written, &DataType::Utf8View)?;
    let (start, end) =
        (start.as_primitive::<TimestampMicrosecondType>(), end.as_primitive::<TimestampMicrosecondType>());
    let last: TimestampMicrosecondArray = written
        .as_string_view()
        .iter()
        .zip(start.iter().zip(end))
        .map(|(written, (start, end))| if written?.contains('T') { start } else { end })
        .collect();
    Ok(Some(cast(&last, &data_type)?))
}

/// The FHIR type of each extension's value.
fn value_types(place: &Place, item: &ArrayRef, at: &[u32]) -> Result<StringViewArray> {
    let mut columns = Vec::new();
    for (name, type_name) in values_of(place) {
        let Some(column) = item.as_struct_opt().and_then(|item| item.column_by_name(name)) else { continue };
        columns.push((column, type_name));
    }
    let of = |place: &u32| {
        let chosen = columns.iter().find(|(column, _)| column.is_valid(place.as_usize()));
        chosen.map(|(_, type_name)| type_name.as_str())
    };
    Ok(at.iter().map(of).collect())
}
