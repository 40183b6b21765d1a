//! The columns of values that are not made of columns themselves, with their annotations.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder as _, BinaryBuilder, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use base64::Engine as _;

use super::Walk;
use crate::json::{Key, Kind, Value};
use crate::parse_range;
use crate::primitive::{self, Leaf};

/// The values of an element in the rows so far, or, in a list, in the positions so far.
#[derive(Debug)]
pub(super) enum LeafColumn {
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Integer(Int32Builder),
    Integer64(Int64Builder),
    Decimal { literal: StringBuilder, double: Float64Builder },
    Moment { literal: StringBuilder, start: TimestampMicrosecondBuilder, end: TimestampMicrosecondBuilder },
    Base64(BinaryBuilder),
    ReferenceUrl { literal: StringBuilder, resource_type: StringBuilder, id: StringBuilder },
    Resource(StringBuilder),
    Open(OpenColumn),
}

/// Values of an open choice: one text for all members of an object that belong to it.
#[derive(Debug, Default)]
pub(super) struct OpenColumn {
    texts: StringBuilder,
    /// The last row, as long as members may come.
    last: Option<(usize, String)>,
}

/// Columns that can be padded with nulls.
pub(super) trait Fill {
    /// Appends nulls until there are so many values.
    fn fill(&mut self, length: usize);
}

macro_rules! fill {
    ($($builder:ty),*) => {$(
        impl Fill for $builder {
            #[inline]
            fn fill(&mut self, length: usize) {
                if self.len() < length {
                    self.append_nulls(length - self.len());
                }
            }
        }
    )*};
}

fill!(
    StringBuilder,
    BinaryBuilder,
    BooleanBuilder,
    Int32Builder,
    Int64Builder,
    Float64Builder,
    TimestampMicrosecondBuilder
);

fn timestamps() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_data_type(primitive::timestamp())
}

impl LeafColumn {
    pub(super) fn new(leaf: Leaf) -> Self {
        let texts = StringBuilder::new;
        match leaf {
            Leaf::Text => Self::Text(texts()),
            Leaf::Boolean => Self::Boolean(BooleanBuilder::new()),
            Leaf::Integer => Self::Integer(Int32Builder::new()),
            Leaf::Integer64 => Self::Integer64(Int64Builder::new()),
            Leaf::Decimal => Self::Decimal { literal: texts(), double: Float64Builder::new() },
            Leaf::Moment => Self::Moment { literal: texts(), start: timestamps(), end: timestamps() },
            Leaf::Base64 => Self::Base64(BinaryBuilder::new()),
            Leaf::ReferenceUrl => {
                Self::ReferenceUrl { literal: texts(), resource_type: texts(), id: texts() }
            }
            Leaf::Resource => Self::Resource(texts()),
            Leaf::Open => Self::Open(OpenColumn::default()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(texts)
            | Self::Resource(texts)
            | Self::Decimal { literal: texts, .. }
            | Self::Moment { literal: texts, .. }
            | Self::ReferenceUrl { literal: texts, .. } => texts.is_empty(),
            Self::Boolean(values) => values.is_empty(),
            Self::Integer(values) => values.is_empty(),
            Self::Integer64(values) => values.is_empty(),
            Self::Base64(values) => values.is_empty(),
            Self::Open(open) => open.last.is_none(),
        }
    }

    /// Puts the value at a position, which is behind all others. False if the column does not hold it exactly.
    #[inline]
    pub(super) fn put(&mut self, at: usize, value: Value<'_>, walk: &mut Walk<'_>) -> bool {
        match self {
            Self::Text(texts) => {
                let Some(text) = value.text(walk.scratch) else { return false };
                append(texts, at, text, &mut walk.bytes)
            }
            Self::Boolean(values) => {
                let truth = match value.kind() {
                    Kind::True => true,
                    Kind::False => false,
                    _ => return false,
                };
                values.fill(at);
                values.append_value(truth);
                walk.bytes += 1;
            }
            Self::Integer(values) => {
                let Some(number) = integer(value) else { return false };
                values.fill(at);
                values.append_value(number);
                walk.bytes += 4;
            }
            Self::Integer64(values) => {
                let Some(number) = value.text(walk.scratch).and_then(integer64) else { return false };
                values.fill(at);
                values.append_value(number);
                walk.bytes += 8;
            }
            Self::Decimal { literal, double } => {
                if value.kind() != Kind::Number {
                    return false;
                }
                append(literal, at, value.raw(), &mut walk.bytes);
                if let Some(number) = value.raw().parse().ok().filter(|number: &f64| number.is_finite()) {
                    double.fill(at);
                    double.append_value(number);
                    walk.bytes += 8;
                }
            }
            Self::Moment { literal, start, end } => {
                let Some(text) = value.text(walk.scratch) else { return false };
                append(literal, at, text, &mut walk.bytes);
                if let Some((first, last)) = parse_range(text) {
                    start.fill(at);
                    start.append_value(first);
                    end.fill(at);
                    end.append_value(last);
                    walk.bytes += 16;
                }
            }
            Self::ReferenceUrl { literal, resource_type, id } => {
                let Some(text) = value.text(walk.scratch) else { return false };
                append(literal, at, text, &mut walk.bytes);
                let target = walk.resolver.resolve(text);
                if let Some(name) = target.resource_type {
                    append(resource_type, at, name, &mut walk.bytes);
                }
                if let Some(text) = target.id {
                    append(id, at, text, &mut walk.bytes);
                }
            }
            Self::Base64(values) => return put_base64(values, at, value, walk),
            Self::Resource(texts) => {
                if value.kind() != Kind::Object {
                    return false;
                }
                append(texts, at, value.raw(), &mut walk.bytes);
            }
            // Its values come with their names, one by one.
            Self::Open(_) => return false,
        }
        true
    }

    /// The arrays of the element's columns, with so many values. There are none in the column afterwards.
    pub(super) fn finish(&mut self, length: usize) -> Vec<ArrayRef> {
        macro_rules! arrays {
            ($($builder:expr),*) => {{
                $($builder.fill(length);)*
                vec![$(Arc::new($builder.finish()) as ArrayRef),*]
            }};
        }
        match self {
            Self::Text(texts) | Self::Resource(texts) => arrays!(texts),
            Self::Boolean(values) => arrays!(values),
            Self::Integer(values) => arrays!(values),
            Self::Integer64(values) => arrays!(values),
            Self::Base64(values) => arrays!(values),
            Self::Decimal { literal, double } => arrays!(literal, double),
            Self::Moment { literal, start, end } => arrays!(literal, start, end),
            Self::ReferenceUrl { literal, resource_type, id } => arrays!(literal, resource_type, id),
            Self::Open(open) => {
                open.close();
                arrays!(open.texts)
            }
        }
    }
}

impl OpenColumn {
    /// Adds a member to the object at a position, which is the last one or behind it.
    pub(super) fn put(&mut self, at: usize, key: Key<'_>, value: Value<'_>, walk: &mut Walk<'_>) {
        if self.last.as_ref().is_none_or(|(last, _)| *last != at) {
            self.close();
            self.last = Some((at, "{".to_owned()));
        }
        if let Some((_, text)) = &mut self.last {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(key.raw());
            text.push(':');
            text.push_str(value.raw());
            walk.bytes += key.raw().len() + value.raw().len() + 2;
        }
    }

    fn close(&mut self) {
        if let Some((at, mut text)) = self.last.take() {
            text.push('}');
            self.texts.fill(at);
            self.texts.append_value(text);
        }
    }
}

#[inline]
fn append(texts: &mut StringBuilder, at: usize, text: &str, bytes: &mut usize) {
    texts.fill(at);
    texts.append_value(text);
    *bytes += text.len() + 4;
}

/// The number, if it is written as a 32-bit number is written anew.
fn integer(value: Value<'_>) -> Option<i32> {
    let literal = value.raw();
    let number = literal.parse().ok().filter(|_| value.kind() == Kind::Number)?;
    (literal != "-0").then_some(number)
}

/// The number, if its text is that of a 64-bit number written anew: without `+`, without zeros before it.
fn integer64(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

/// The bytes of a base64Binary go to the column, even if they would be written differently.
fn put_base64(values: &mut BinaryBuilder, at: usize, value: Value<'_>, walk: &mut Walk<'_>) -> bool {
    let engine = base64::engine::general_purpose::STANDARD;
    let Some(text) = value.text(walk.scratch) else { return false };
    let (bytes, exact) = match engine.decode(text) {
        Ok(bytes) => (bytes, true),
        Err(_) => {
            let compact: String = text.split_ascii_whitespace().collect();
            let Ok(bytes) = engine.decode(compact) else { return false };
            (bytes, false)
        }
    };
    values.fill(at);
    walk.bytes += bytes.len() + 4;
    values.append_value(bytes);
    exact
}
