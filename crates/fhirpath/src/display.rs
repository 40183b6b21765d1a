//! An expression as text, with parentheses around everything that has an operator.
//!
//! The one invariant: the text is read back as the same tree, its places aside.

use std::fmt::{Display, Formatter, Result, Write as _};

use crate::ast::{Expression, Kind, Literal, Sign, TypeName, Unit, Variable};

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            Kind::Literal(literal) => literal.fmt(f),
            Kind::External(name) => {
                f.write_char('%')?;
                write_name(f, name)
            }
            Kind::Member { of, name } => {
                write_step(f, of.as_deref())?;
                write_name(f, name)
            }
            Kind::Call { of, name, arguments } => {
                write_step(f, of.as_deref())?;
                write_name(f, name)?;
                f.write_char('(')?;
                for (position, argument) in arguments.iter().enumerate() {
                    f.write_str(if position > 0 { ", " } else { "" })?;
                    argument.fmt(f)?;
                }
                f.write_char(')')
            }
            Kind::Variable { of, variable } => {
                write_step(f, of.as_deref())?;
                f.write_str(match variable {
                    Variable::This => "$this",
                    Variable::Index => "$index",
                    Variable::Total => "$total",
                })
            }
            Kind::Indexer { of, index } => write!(f, "{of}[{index}]"),
            Kind::Polarity { sign: Sign::Plus, of } => write!(f, "(+{of})"),
            Kind::Polarity { sign: Sign::Minus, of } => write!(f, "(-{of})"),
            Kind::Binary { operator, left, right } => write!(f, "({left} {} {right})", operator.as_str()),
            Kind::Type { operator, of, type_name } => write!(f, "({of} {} {type_name})", operator.as_str()),
        }
    }
}

impl Display for TypeName {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for part in self.namespace.iter().flat_map(|namespace| namespace.split('.')) {
            write_name(f, part)?;
            f.write_char('.')?;
        }
        write_name(f, &self.name)
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Empty => f.write_str("{}"),
            Self::Boolean(value) => value.fmt(f),
            Self::String(text) => write_quoted(f, text, '\''),
            Self::Integer(value) => value.fmt(f),
            Self::Decimal(value) => f.write_str(value),
            Self::Date(text) | Self::DateTime(text) => write!(f, "@{text}"),
            Self::Time(text) => write!(f, "@T{text}"),
            Self::Quantity { value, unit: Unit::Calendar(unit) } => write!(f, "{value} {unit}"),
            Self::Quantity { value, unit: Unit::Ucum(unit) } => {
                write!(f, "{value} ")?;
                write_quoted(f, unit, '\'')
            }
        }
    }
}

fn write_step(f: &mut Formatter<'_>, of: Option<&Expression>) -> Result {
    of.map_or(Ok(()), |of| write!(f, "{of}."))
}

/// Writes a name, in backticks where it would be read otherwise.
fn write_name(f: &mut Formatter<'_>, name: &str) -> Result {
    const KEYWORDS: [&str; 8] = ["and", "or", "xor", "implies", "div", "mod", "true", "false"];
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && !KEYWORDS.contains(&name);
    if plain { f.write_str(name) } else { write_quoted(f, name, '`') }
}

fn write_quoted(f: &mut Formatter<'_>, text: &str, quote: char) -> Result {
    f.write_char(quote)?;
    for character in text.chars() {
        match character {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{c}' => f.write_str("\\f")?,
            _ if character == quote => write!(f, "\\{quote}")?,
            _ => f.write_char(character)?,
        }
    }
    f.write_char(quote)
}
