//! The functions that our SQL has and DataFusion does not.
//!
//! One invariant: a function answers for every text. Data that are not as they should be make no query fail.

mod conditional_reference;
mod preferred_coding;

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::StringViewArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_string_view_array;
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use percent_encoding::percent_decode_str;

pub(super) use conditional_reference::conditional_reference;
pub(super) use preferred_coding::preferred_coding;

/// `percent_decode(text)`: a text of a URL without its percent-encoding (RFC 3986, section 2.1).
///
/// A plus sign stays one: identifiers stand in references unencoded as well, and there it is part of them. For the same
/// reason a text that is not the encoding of UTF-8 stays as it is.
pub(super) fn percent_decode() -> ScalarUDF {
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
