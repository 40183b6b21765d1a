//! Arrow arrays as the values of elements.
//!
//! The one invariant: texts, bytes and lists may have any of the forms that Arrow has for them.

use std::borrow::Cow;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, Int32Array, Int64Array, LargeBinaryArray,
    LargeListArray, LargeStringArray, ListArray, StringArray, StringViewArray, StructArray,
};
use arrow_schema::DataType;
use base64::Engine as _;

/// A column of an element: its values, which are in lists where it may have several.
pub(super) struct Column<'a> {
    list: Option<List<'a>>,
    pub(super) values: Leaf<'a>,
    validity: Option<&'a arrow_buffer::NullBuffer>,
}

enum List<'a> {
    Small(&'a ListArray),
    Large(&'a LargeListArray),
}

/// The values of a column.
pub(super) enum Leaf<'a> {
    Struct(&'a StructArray),
    Boolean(&'a BooleanArray),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Text(Text<'a>),
}

/// Texts, or bytes that are texts in JSON.
pub(super) enum Text<'a> {
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
}

impl<'a> Column<'a> {
    /// The column of that name; `None` where there is none, or one of a type that no element has.
    pub(super) fn of(within: &'a StructArray, name: &str) -> Option<Self> {
        let array = within.column_by_name(name)?;
        let (list, values): (_, &dyn Array) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (Some(List::Small(list)), list.values())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (Some(List::Large(list)), list.values())
            }
            _ => (None, array),
        };
        let leaf = match values.data_type() {
            DataType::Struct(_) => Leaf::Struct(values.as_struct()),
            DataType::Boolean => Leaf::Boolean(values.as_boolean()),
            DataType::Int32 => Leaf::Int32(values.as_primitive::<Int32Type>()),
            DataType::Int64 => Leaf::Int64(values.as_primitive::<Int64Type>()),
            DataType::Utf8 => Leaf::Text(Text::Utf8(values.as_string())),
            DataType::LargeUtf8 => Leaf::Text(Text::Large(values.as_string())),
            DataType::Utf8View => Leaf::Text(Text::View(values.as_string_view())),
            DataType::Binary => Leaf::Text(Text::Binary(values.as_binary())),
            DataType::LargeBinary => Leaf::Text(Text::LargeBinary(values.as_binary())),
            DataType::BinaryView => Leaf::Text(Text::BinaryView(values.as_binary_view())),
            _ => return None,
        };
        Some(Self { list, values: leaf, validity: values.nulls() })
    }

    /// Whether it has lists.
    pub(super) fn is_list(&self) -> bool {
        self.list.is_some()
    }

    /// Where the values of a place are; not all of them need be valid.
    #[inline]
    pub(super) fn places(&self, at: usize) -> Range<usize> {
        match &self.list {
            None => at..at + 1,
            Some(List::Small(list)) if list.is_valid(at) => {
                let [start, end] = [at, at + 1].map(|at| list.value_offsets()[at]);
                usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0)
            }
            Some(List::Large(list)) if list.is_valid(at) => {
                let [start, end] = [at, at + 1].map(|at| list.value_offsets()[at]);
                usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0)
            }
            Some(_) => 0..0,
        }
    }

    #[inline]
    pub(super) fn is_valid(&self, place: usize) -> bool {
        self.validity.is_none_or(|validity| validity.is_valid(place))
    }
}

impl<'a> Text<'a> {
    /// The text of a place.
    #[inline]
    pub(super) fn value(&self, place: usize) -> Cow<'a, str> {
        let encoded = |bytes: &[u8]| Cow::Owned(base64::engine::general_purpose::STANDARD.encode(bytes));
        match self {
            Self::Utf8(values) => Cow::Borrowed(values.value(place)),
            Self::Large(values) => Cow::Borrowed(values.value(place)),
            Self::View(values) => Cow::Borrowed(values.value(place)),
            Self::Binary(values) => encoded(values.value(place)),
            Self::LargeBinary(values) => encoded(values.value(place)),
            Self::BinaryView(values) => encoded(values.value(place)),
        }
    }

    /// The text of a place, where it is held as one.
    pub(super) fn borrowed(&self, place: usize) -> &'a str {
        match self {
            Self::Utf8(values) => values.value(place),
            Self::Large(values) => values.value(place),
            Self::View(values) => values.value(place),
            _ => "",
        }
    }
}
