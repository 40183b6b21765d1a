//! Values that are written out: in an expression, and as a view's constants.

use std::sync::Arc;

use fhirpath::{Literal as Written, Span, Unit as WrittenUnit};
use serde_json::Value;

use super::Compiler;
use crate::decimal::Decimal;
use crate::error::Fault;
use crate::expression::{Expression, Literal, Step};
use crate::quantity::{Calendar, Quantity, Unit};
use crate::temporal::Moment;
use crate::types::{Kind, Type};

impl Compiler {
    pub(super) fn literal(&self, written: &Written, span: Span) -> Result<Expression, Fault> {
        let text = |text: &String| Literal::Text(text.clone());
        let (literal, kind) = match written {
            Written::Empty => return Ok(Expression { step: Step::Empty, of: Type::Nothing, span }),
            Written::Boolean(value) => (Literal::Boolean(*value), Kind::Boolean),
            Written::String(value) => (text(value), Kind::String),
            Written::Integer(value) => (Literal::Integer(*value), Kind::Integer),
            Written::Decimal(value) => (text(value), Kind::Decimal),
            Written::Date(value) => (text(value), Kind::Date),
            Written::DateTime(value) => (text(value), Kind::DateTime),
            Written::Time(value) => (text(value), Kind::Time),
            Written::Quantity { value, unit } => {
                let quantity = quantity(value, unit).map_err(|reason| Fault::new(span, reason))?;
                let step = Step::Literal(Literal::Quantity(quantity));
                return Ok(Expression { step, of: Type::Quantity, span });
            }
        };
        if let (Literal::Text(text), true) = (&literal, kind != Kind::String)
            && !is_of(kind, text)
        {
            return Err(Fault::new(span, format!("this is no {}", kind.system())));
        }
        Ok(Expression { step: Step::Literal(literal), of: Type::system(kind), span })
    }
}

fn quantity(value: &str, unit: &WrittenUnit) -> Result<Quantity, String> {
    let value = Decimal::parse(value).ok_or("this is no Decimal")?;
    let unit = match unit {
        WrittenUnit::Ucum(code) => {
            Unit::written(code).map_err(|why| format!("this is no unit of UCUM: {why}"))?
        }
        WrittenUnit::Calendar(name) => {
            Unit::Calendar(Calendar::named(name).ok_or("this is no unit of the calendar")?)
        }
    };
    Ok(Quantity { value, unit: Arc::new(unit) })
}

fn is_of(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Decimal => Decimal::parse(text).is_some(),
        Kind::Date | Kind::DateTime => Moment::parse(text).is_some(),
        Kind::Time => Moment::parse_time(text).is_some(),
        _ => true,
    }
}

/// The types that a constant may have (`value[x]` of ViewDefinition.constant).
const CONSTANTS: [&str; 19] = [
    "base64Binary",
    "boolean",
    "canonical",
    "code",
    "date",
    "dateTime",
    "decimal",
    "id",
    "instant",
    "integer",
    "integer64",
    "oid",
    "string",
    "positiveInt",
    "time",
    "unsignedInt",
    "uri",
    "url",
    "uuid",
];

/// The value of a constant, out of its one member `value[x]`.
pub(crate) fn constant<'v>(
    members: impl Iterator<Item = (&'v String, &'v Value)>,
) -> Result<(Literal, Type), String> {
    let mut values = members.filter(|(name, _)| name.starts_with("value"));
    let (Some((member, value)), None) = (values.next(), values.next()) else {
        return Err("a constant has exactly one value[x], such as valueString or valueInteger".to_owned());
    };
    let named = |code: &&str| {
        member.strip_prefix("value").is_some_and(|suffix| {
            suffix.len() == code.len()
                && suffix[..1].eq_ignore_ascii_case(&code[..1])
                && suffix[1..] == code[1..]
                && suffix.starts_with(|first: char| first.is_ascii_uppercase())
        })
    };
    let Some(code) = CONSTANTS.into_iter().find(named) else {
        return Err(format!("{member} is no type of a constant; the types are {}", CONSTANTS.join(", ")));
    };
    let kind = Kind::of(code);
    let literal = match (kind, value) {
        (Kind::Boolean, Value::Bool(value)) => Some(Literal::Boolean(*value)),
        (Kind::Integer, Value::Number(value)) => value.as_i64().map(Literal::Integer),
        // integer64 is a string in JSON.
        (Kind::Integer, Value::String(text)) => text.parse().ok().map(Literal::Integer),
        (Kind::Decimal, Value::Number(value)) => Some(Literal::Text(value.to_string())),
        (Kind::Boolean | Kind::Integer | Kind::Decimal, _) => None,
        (_, Value::String(text)) => Some(Literal::Text(text.clone())),
        _ => None,
    };
    let literal = literal.filter(|literal| !matches!(literal, Literal::Text(text) if !is_of(kind, text)));
    let literal = literal.ok_or_else(|| format!("the value of {member} is no {code}"))?;
    Ok((literal, Type::Primitive(code.to_owned(), kind)))
}
