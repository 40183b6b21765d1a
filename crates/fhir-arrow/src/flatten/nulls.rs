//! Columns without values.
//!
//! A type has hundreds of columns that a batch has no value for. All of one length are made of the same few
//! arrays, which are shared and not copied.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, ListArray, PrimitiveArray, StringArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;

/// Arrays of nulls, made once for each length.
#[derive(Default)]
pub(super) struct Nulls(HashMap<usize, Arrays>);

#[derive(Clone)]
struct Arrays {
    validity: NullBuffer,
    offsets: OffsetBuffer<i32>,
    text: ArrayRef,
    binary: ArrayRef,
    boolean: ArrayRef,
    integer: ArrayRef,
    integer64: ArrayRef,
    double: ArrayRef,
    timestamp: ArrayRef,
}

impl Arrays {
    fn new(length: usize) -> Self {
        Self {
            validity: NullBuffer::new_null(length),
            offsets: OffsetBuffer::new_zeroed(length),
            text: Arc::new(StringArray::new_null(length)),
            binary: Arc::new(BinaryArray::new_null(length)),
            boolean: Arc::new(BooleanArray::new_null(length)),
            integer: Arc::new(PrimitiveArray::<Int32Type>::new_null(length)),
            integer64: Arc::new(PrimitiveArray::<Int64Type>::new_null(length)),
            double: Arc::new(PrimitiveArray::<Float64Type>::new_null(length)),
            timestamp: Arc::new(
                PrimitiveArray::<TimestampMicrosecondType>::new_null(length).with_timezone("UTC"),
            ),
        }
    }
}

impl Nulls {
    /// A column of nulls, of one of the types that a schema has.
    pub(super) fn column(&mut self, data_type: &DataType, length: usize) -> ArrayRef {
        let arrays = self.0.entry(length).or_insert_with(|| Arrays::new(length));
        match data_type {
            DataType::Boolean => Arc::clone(&arrays.boolean),
            DataType::Int32 => Arc::clone(&arrays.integer),
            DataType::Int64 => Arc::clone(&arrays.integer64),
            DataType::Float64 => Arc::clone(&arrays.double),
            DataType::Timestamp(..) => Arc::clone(&arrays.timestamp),
            DataType::Binary => Arc::clone(&arrays.binary),
            DataType::Struct(fields) => {
                let validity = arrays.validity.clone();
                let children = fields.iter().map(|field| self.column(field.data_type(), length)).collect();
                Arc::new(StructArray::new(fields.clone(), children, Some(validity)))
            }
            DataType::List(element) => {
                let (offsets, validity) = (arrays.offsets.clone(), arrays.validity.clone());
                let values = self.column(element.data_type(), 0);
                Arc::new(ListArray::new(Arc::clone(element), offsets, values, Some(validity)))
            }
            _ => Arc::clone(&arrays.text),
        }
    }
}
