//! What functions take: texts, arguments that are the same in every row, and what they know of the session.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

/// The texts of an array, whatever kind of text it holds.
pub(super) fn texts(array: &dyn Array) -> Result<StringViewArray> {
    Ok(cast(array, &DataType::Utf8View)?.as_string_view().clone())
}

/// Whether values of the type are texts.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
}

/// The text at a place, if it is not null.
pub(super) fn at(texts: &StringViewArray, place: usize) -> Option<&str> {
    texts.is_valid(place).then(|| texts.value(place))
}

/// The arguments from a place on, when a statement is planned.
///
/// # Errors
/// Where one of them is no text, or not the same in every row; `usage` says what the function takes.
pub(super) fn planned_texts<'a>(
    arguments: &ReturnFieldArgs<'a>,
    from: usize,
    usage: &str,
) -> Result<Vec<&'a str>> {
    let constants = arguments.scalar_arguments.iter().skip(from);
    constants
        .map(|constant| match constant.and_then(|value| value.try_as_str()).flatten() {
            Some(text) => Ok(text),
            None => plan_err!("{usage}, as texts that are the same in every row"),
        })
        .collect()
}

/// The same when it is carried out.
pub(super) fn constant_texts(arguments: &[ColumnarValue], from: usize) -> Vec<&str> {
    let mut texts = Vec::new();
    for argument in arguments.iter().skip(from) {
        if let ColumnarValue::Scalar(value) = argument {
            texts.extend(value.try_as_str().flatten());
        }
    }
    texts
}

/// What a function of a name answers.
pub(super) fn answer(name: &str, data_type: DataType) -> Result<FieldRef> {
    Ok(Arc::new(Field::new(name, data_type, true)))
}

/// The type of the elements of a list, at any depth; of what is no list, its own.
pub(super) fn element_type(mut data_type: &DataType) -> &DataType {
    while let DataType::List(element) = data_type {
        data_type = element.data_type();
    }
    data_type
}

/// Whether a struct has fields of these names.
pub(super) fn has_fields(data_type: &DataType, names: &[&str]) -> bool {
    matches!(data_type, DataType::Struct(fields) if names.iter().all(|name| fields.find(name).is_some()))
}

/// The type in the words of who wrote the statement.
pub(super) fn said(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).take(4).collect();
            format!("a struct with {}…", names.join(", "))
        }
        DataType::List(element) => format!("a list of {}", said(element.data_type())),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "a text".to_owned(),
        other => format!("{other}"),
    }
}

/// What a session has one of: the same if it is the same thing.
#[derive(Debug)]
pub(super) struct Same<T>(pub(super) Arc<T>);

impl<T> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Same<T> {}

impl<T> std::hash::Hash for Same<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
