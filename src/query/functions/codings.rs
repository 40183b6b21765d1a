//! The codings of an argument: a CodeableConcept, a Coding, a CodeableReference, or a list of them.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::datatypes::{ArrowNativeType, DataType};
use datafusion::error::Result;

use super::arguments::{at, element_type, has_fields, texts};
use crate::query::walk::Walk;

/// What of its first argument a function about codings reads.
pub(super) const READ: &[&[&str]] = &[
    &["coding", "system"],
    &["coding", "code"],
    &["concept", "coding", "system"],
    &["concept", "coding", "code"],
    &["system"],
    &["code"],
];

/// The fields on the way to the codings of a type; `None` where it has none.
fn way(data_type: &DataType) -> Option<Vec<&'static str>> {
    let within = |name: &str| match element_type(data_type) {
        DataType::Struct(fields) => fields.find(name).map(|(_, field)| field.data_type()),
        _ => None,
    };
    if has_fields(element_type(data_type), &["system", "code"]) {
        return Some(Vec::new());
    }
    ["coding", "concept"].into_iter().find_map(|name| {
        let inside = way(within(name)?)?;
        Some(std::iter::once(name).chain(inside).collect())
    })
}

/// Whether values of the type have codings.
pub(super) fn are_in(data_type: &DataType) -> bool {
    way(data_type).is_some()
}

/// For each row whether a coding of it is one that is looked for; null where the argument is null.
pub(super) fn any(
    argument: &ArrayRef,
    is_wanted: impl Fn(Option<&str>, &str) -> bool,
) -> Result<Vec<Option<bool>>> {
    // Arrow says that the values of this type are valid.
    let is_nothing = argument.data_type().is_null();
    let mut found: Vec<Option<bool>> =
        (0..argument.len()).map(|row| (!is_nothing && argument.is_valid(row)).then_some(false)).collect();
    let mut walk = Walk::over(argument)?;
    for name in way(argument.data_type()).unwrap_or_default() {
        walk.enter(name)?;
    }
    let column = |name: &str| -> Result<Option<StringViewArray>> {
        let field = walk.array.as_struct_opt().and_then(|codings| codings.column_by_name(name));
        field.map(|field| texts(field)).transpose()
    };
    let (Some(systems), Some(codes)) = (column("system")?, column("code")?) else { return Ok(found) };
    for (place, row) in walk.at.iter().zip(&walk.rows) {
        let place = place.as_usize();
        if let Some(code) = at(&codes, place)
            && is_wanted(at(&systems, place), code)
        {
            found[row.as_usize()] = Some(true);
        }
    }
    Ok(found)
}
