//! `omop_id(text)`: the integer that stands for a FHIR id in OMOP.
//!
//! One invariant: the same text has the same number in every lake, and in every engine that knows SHA-256: the first 8
//! bytes of the text's hash as a big-endian number, without its highest bit.

use std::sync::Arc;

use datafusion::arrow::array::Int64Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_string_view_array;
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use sha2::{Digest, Sha256};

/// The function.
pub(super) fn function() -> ScalarUDF {
    let (text, number) = (DataType::Utf8View, DataType::Int64);
    create_udf("omop_id", vec![text], number, Volatility::Immutable, Arc::new(all))
}

fn all(arguments: &[ColumnarValue]) -> SqlResult<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(arguments)?;
    let texts = as_string_view_array(&arrays[0])?;
    let numbers: Int64Array = texts.iter().map(|text| text.map(one)).collect();
    Ok(ColumnarValue::Array(Arc::new(numbers)))
}

fn one(text: &str) -> i64 {
    let hash = Sha256::digest(text.as_bytes());
    let first = hash.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    i64::try_from(first & (u64::MAX >> 1)).expect("the highest bit is not set")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_beginning_of_the_sha_256_without_its_sign() {
        // printf 'abc' | sha256sum: ba7816bf8f01cfea…; FIPS 180-4 has the same example.
        assert_eq!(one("abc"), 0x3a78_16bf_8f01_cfea);
        // e3b0c44298fc1c14…
        assert_eq!(one(""), 0x63b0_c442_98fc_1c14);
    }
}
