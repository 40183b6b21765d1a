//! What a column of a view holds, and how values become it.
//!
//! The one invariant: a column's type is known before any row. Numbers are numbers (a decimal is the nearest double); dates and
//! times are the text that the resource has, with its precision.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};

use crate::error::Fault;
use crate::eval::{Collection, NONE, Values, singles};
use crate::expression::Expression;
use crate::types::{Kind, Type};

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    form: Form,
    /// Whether it has a list.
    collection: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Boolean,
    Integer,
    Integer64,
    Decimal,
    Text,
}

impl Form {
    fn of(code: &str) -> Self {
        match Kind::of(code) {
            Kind::Boolean => Self::Boolean,
            Kind::Integer if code == "integer64" => Self::Integer64,
            Kind::Integer => Self::Integer,
            Kind::Decimal => Self::Decimal,
            _ => Self::Text,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int32,
            Self::Integer64 => DataType::Int64,
            Self::Decimal => DataType::Float64,
            Self::Text => DataType::Utf8View,
        }
    }

    /// Whether values of the other form can be held.
    fn holds(self, other: Self) -> bool {
        let integer = |form| matches!(form, Self::Integer | Self::Integer64);
        self == other || integer(self) && integer(other) || self == Self::Decimal && integer(other)
    }
}

impl Output {
    /// The column of an expression: of the type that the view names, or else of the expression's own.
    pub(crate) fn new(
        expression: &Expression,
        declared: Option<&str>,
        collection: bool,
    ) -> Result<Self, Fault> {
        let declared = declared.map(|url| url.rsplit(['/', '.']).next().unwrap_or(url));
        let fault = |reason: String| Err(Fault::new(expression.span, reason));
        let own = match &expression.of {
            Type::Nothing => declared.map_or(Form::Text, Form::of),
            Type::Primitive(code, _) => Form::of(code),
            Type::Quantity => {
                return fault(
                    "a column has values without elements: compare the quantity, or name its value"
                        .to_owned(),
                );
            }
            Type::Complex(complex) => {
                let names: Vec<_> = complex.elements.iter().map(|element| element.name.as_str()).collect();
                return fault(format!(
                    "a column has values without elements, and this is a {}: name one of {}",
                    complex.name,
                    names.join(", ")
                ));
            }
            Type::Choice(_) => {
                let reason = format!("its type may be any of {}: say which with ofType(…)", expression.of);
                return fault(reason);
            }
        };
        let form = declared.map_or(own, Form::of);
        if !form.holds(own) {
            let declared = declared.unwrap_or_default();
            return fault(format!("the column is to be a {declared}, and this is a {}", expression.of));
        }
        Ok(Self { form, collection })
    }

    pub(crate) fn field(&self, name: &str) -> Field {
        Field::new(name, self.data_type(), true)
    }

    /// What it is called in errors.
    pub(crate) fn name(&self) -> String {
        let form = match self.form {
            Form::Boolean => "boolean",
            Form::Integer => "integer",
            Form::Integer64 => "integer64",
            Form::Decimal => "decimal",
            Form::Text => "string",
        };
        if self.collection { format!("list of {form}") } else { form.to_owned() }
    }

    fn data_type(&self) -> DataType {
        if self.collection { DataType::List(self.element()) } else { self.form.data_type() }
    }

    fn element(&self) -> Arc<Field> {
        Arc::new(Field::new("element", self.form.data_type(), true))
    }

    /// The values of each context.
    pub(crate) fn array(
        &self,
        of: &Collection<'_>,
        contexts: usize,
        expression: &Expression,
    ) -> Result<ArrayRef, Fault> {
        if self.collection {
            return Ok(self.lists(of, contexts));
        }
        let single = singles(of, contexts, expression.span).map_err(|fault| {
            let reason = "a resource has several values for this column: choose one, as with first(), have a row for each, \
                          with forEach, or set \"collection\": true";
            Fault::new(fault.span, reason)
        })?;
        Ok(self.values(&of.values, single.into_iter()))
    }

    fn lists(&self, of: &Collection<'_>, contexts: usize) -> ArrayRef {
        let positions = 0..crate::eval::number(of.owner.len());
        let values = self.values(&of.values, positions);
        let lengths = of.counts(contexts).into_iter().map(|count| count as usize);
        Arc::new(ListArray::new(self.element(), OffsetBuffer::from_lengths(lengths), values, None))
    }

    fn values(&self, of: &Values<'_>, positions: impl ExactSizeIterator<Item = u32>) -> ArrayRef {
        let at = |position: u32| (position != NONE).then_some(position as usize);
        match (self.form, of) {
            (Form::Boolean, Values::Booleans(values)) => {
                Arc::new(positions.map(|position| Some(values[at(position)?])).collect::<BooleanArray>())
            }
            (Form::Integer, Values::Integers(values)) => {
                let narrow = |position| i32::try_from(values[at(position)?]).ok();
                Arc::new(positions.map(narrow).collect::<Int32Array>())
            }
            (Form::Integer64, Values::Integers(values)) => {
                Arc::new(positions.map(|position| Some(values[at(position)?])).collect::<Int64Array>())
            }
            (Form::Decimal, Values::Integers(values)) => {
                #[allow(clippy::cast_precision_loss)]
                let double = |position| Some(values[at(position)?] as f64);
                Arc::new(positions.map(double).collect::<Float64Array>())
            }
            (Form::Decimal, Values::Texts(values)) => {
                let double = |position| values[at(position)?].parse::<f64>().ok();
                Arc::new(positions.map(double).collect::<Float64Array>())
            }
            (Form::Text, Values::Texts(values)) => {
                let mut texts = StringViewBuilder::with_capacity(positions.len());
                positions.for_each(|position| texts.append_option(at(position).map(|at| &*values[at])));
                Arc::new(texts.finish())
            }
            // An expression without values, whatever its form.
            (form, _) => arrow_array::new_null_array(&form.data_type(), positions.len()),
        }
    }
}
