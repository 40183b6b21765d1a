//! What is known of an expression before any data: the FHIR types of its values, and where its values lie.
//!
//! The one invariant: types come from the definitions alone, so that a view means the same over every lake of a FHIR version.

use std::fmt;

use arrow_schema::{DataType, Fields};
use fhir_definitions::{Definitions, Element, Max, TypeKind};

/// How a primitive value is held and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
}

impl Kind {
    /// The kind of a FHIR primitive, or of one of FHIRPath's own types.
    pub(crate) fn of(code: &str) -> Self {
        match code {
            "boolean" | "Boolean" => Self::Boolean,
            "integer" | "positiveInt" | "unsignedInt" | "integer64" | "Integer" => Self::Integer,
            "decimal" | "Decimal" => Self::Decimal,
            "date" | "Date" => Self::Date,
            "dateTime" | "instant" | "DateTime" => Self::DateTime,
            "time" | "Time" => Self::Time,
            _ => Self::String,
        }
    }

    /// The name of FHIRPath's type.
    pub(crate) const fn system(self) -> &'static str {
        match self {
            Self::Boolean => "Boolean",
            Self::Integer => "Integer",
            Self::Decimal => "Decimal",
            Self::String => "String",
            Self::Date => "Date",
            Self::DateTime => "DateTime",
            Self::Time => "Time",
        }
    }

    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal)
    }

    pub(crate) const fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::DateTime)
    }

    /// Whether values of the two can be equal, or follow one another.
    pub(crate) fn compares_with(self, other: Self) -> bool {
        self == other || self.is_number() && other.is_number() || self.is_date() && other.is_date()
    }
}

/// The type of an expression's values.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    /// There are none.
    Nothing,
    /// A primitive, by its name: `code`, or `String` for what FHIRPath makes itself.
    Primitive(String, Kind),
    /// A quantity of FHIRPath: a number with a unit.
    Quantity,
    /// Something with elements.
    Complex(Complex),
    /// One of several.
    Choice(Vec<Choice>),
}

/// Something with elements.
#[derive(Debug, Clone)]
pub(crate) struct Complex {
    /// The name of the type, or the path of an element that is defined in place.
    pub(crate) name: String,
    pub(crate) elements: &'static [Element],
    /// Where its values lie.
    pub(crate) sites: Vec<Site>,
}

/// An element, as one of its types.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Its name in JSON, and that of its column: `valueQuantity`.
    pub(crate) json: String,
    /// The name of the column that has choices of any type as JSON: `value`.
    pub(crate) open: Option<String>,
    /// The type's name, as the definitions have it.
    pub(crate) code: String,
    pub(crate) of: Type,
}

/// Where values with elements lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    /// In columns: their fields, and the path to them from the table's columns.
    Columns(Fields, Vec<String>),
    /// In JSON.
    Json,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Primitive(name, _) => f.write_str(name),
            Self::Quantity => f.write_str("Quantity"),
            Self::Complex(complex) => f.write_str(&complex.name),
            Self::Choice(choices) => {
                for (position, choice) in choices.iter().take(8).enumerate() {
                    f.write_str(if position > 0 { ", " } else { "" })?;
                    f.write_str(&choice.code)?;
                }
                f.write_str(if choices.len() > 8 { ", …" } else { "" })
            }
        }
    }
}

impl Type {
    pub(crate) fn system(kind: Kind) -> Self {
        Self::Primitive(kind.system().to_owned(), kind)
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Primitive(_, kind) => Some(*kind),
            _ => None,
        }
    }

    /// Whether a value of this type is one of the type of that name.
    pub(crate) fn is(&self, definitions: &Definitions, name: &str) -> bool {
        match self {
            Self::Primitive(code, kind) => {
                code == name
                    || name.starts_with(|first: char| first.is_ascii_uppercase()) && kind.system() == name
                    || definitions.with_base_types(code).any(|base| base.name == name)
            }
            Self::Complex(complex) => {
                complex.name == name
                    || definitions.with_base_types(&complex.name).any(|base| base.name == name)
            }
            Self::Quantity => name == "Quantity",
            Self::Nothing | Self::Choice(_) => false,
        }
    }

    /// Whether the two hold values of one form, so that a column or a list may have both.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => true,
            (Self::Primitive(_, left), Self::Primitive(_, right)) => left == right,
            (Self::Complex(left), Self::Complex(right)) => left.name == right.name,
            (Self::Quantity, Self::Quantity) => true,
            _ => false,
        }
    }
}

/// An element of a type, and how often it may be there.
pub(crate) fn element_of(
    definitions: &'static Definitions,
    within: &Complex,
    element: &'static Element,
) -> (Vec<Choice>, bool) {
    let many = element.max == Max::Many;
    if let Some(path) = &element.content_reference {
        let elements = definitions.elements_inside(element);
        let of = Type::Complex(Complex { name: path.clone(), elements, sites: Vec::new() });
        return (vec![Choice { json: element.name.clone(), open: None, code: path.clone(), of }], many);
    }
    let choices = element.json_names().into_iter().map(|(json, type_ref)| {
        let of = if element.children.is_empty() {
            type_named(definitions, &type_ref.code)
        } else {
            let name = format!("{}.{}", within.name, element.name);
            Type::Complex(Complex { name, elements: &element.children, sites: Vec::new() })
        };
        let open = element.choice.then(|| element.name.clone());
        Choice { json, open, code: type_ref.code.clone(), of }
    });
    (choices.collect(), many)
}

/// The type of a name, without a place.
pub(crate) fn type_named(definitions: &'static Definitions, code: &str) -> Type {
    match definitions.definition(code) {
        Some(definition) if definition.kind != TypeKind::Primitive => Type::Complex(Complex {
            name: code.to_owned(),
            elements: &definition.elements,
            sites: Vec::new(),
        }),
        _ => Type::Primitive(code.to_owned(), Kind::of(code)),
    }
}

/// The struct fields of a column, of its values where it is a list.
pub(crate) fn fields_of(data_type: &DataType) -> Option<&Fields> {
    match data_type {
        DataType::Struct(fields) => Some(fields),
        DataType::List(element) | DataType::LargeList(element) => fields_of(element.data_type()),
        _ => None,
    }
}
