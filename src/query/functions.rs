//! The functions that our SQL has and DataFusion does not.
//!
//! One invariant: a function answers for every text. Data that are not as they should be make no query fail.

mod age_at;
mod arguments;
mod code_in;
mod codings;
mod conditional_reference;
mod extension;
mod fhir_ref_id;
pub(super) mod in_value_set;
mod preferred_coding;
mod quantity_in;
#[cfg(test)]
mod testing;

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_string_view_array;
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use fhir_arrow::References;
use percent_encoding::percent_decode_str;

use super::omop_id;
use super::value_sets::ValueSets;

/// What functions have to know of the session.
pub(super) struct Known {
    /// Which references are those of the lake's own server.
    pub(super) references: References,
    /// The value sets that are loaded.
    pub(super) value_sets: Arc<ValueSets>,
}

/// All functions.
pub(super) fn all(known: Known) -> [ScalarUDF; 10] {
    [
        percent_decode(),
        conditional_reference::conditional_reference(),
        preferred_coding::preferred_coding(),
        omop_id::function(),
        fhir_ref_id::fhir_ref_id(Arc::new(known.references)),
        code_in::code_in(),
        extension::extension(),
        quantity_in::quantity_in(),
        age_at::age_at(),
        in_value_set::in_value_set(known.value_sets),
    ]
}

/// `percent_decode(text)`: a text of a URL without its percent-encoding (RFC 3986, section 2.1).
///
/// A plus sign stays one: identifiers stand in references unencoded as well, and there it is part of them. For the same
/// reason a text that is not the encoding of UTF-8 stays as it is.
fn percent_decode() -> ScalarUDF {
    let text = DataType::Utf8View;
    create_udf("percent_decode", vec![text.clone()], text, Volatility::Immutable, Arc::new(decode_all))
}

fn decode_all(arguments: &[ColumnarValue]) -> SqlResult<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(arguments)?;
    let texts = as_string_view_array(&arrays[0])?;
    let decoded: StringViewArray = texts.iter().map(|text| text.map(decode)).collect();
    Ok(ColumnarValue::Array(Arc::new(decoded)))
}

fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_percent_encoded_is_decoded_and_all_else_stays() {
        for (text, decoded) in [
            ("http%3A%2F%2Fs%7c1", "http://s|1"),
            ("%C3%84 %E6%9D%8E", "Ä 李"),
            ("http://s|1+2", "http://s|1+2"),
            ("50%", "50%"),
            ("%zz%7C", "%zz|"),
            ("%FF%7C", "%FF%7C"),
            ("", ""),
        ] {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }
}
