//! An expression that is known to mean something for its resource type.
//!
//! The one invariant: every step knows the type of its values and its place in the text. What remains to go wrong is in the
//! data: several values where one belongs.

use std::sync::Arc;

use fhirpath::{Operator, Span};
use regex::Regex;

use crate::types::{Choice, Kind, Type};

/// An expression with its type.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) step: Step,
    pub(crate) of: Type,
    pub(crate) span: Span,
}

/// What an expression does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// `$this`: what it is evaluated on.
    This,
    /// `%resource`.
    Resource,
    /// `$index`: the position of `$this`.
    Index,
    /// `%rowIndex`: the position of the row among those of its `forEach`.
    RowIndex,
    /// `{}`.
    Empty,
    /// A value that is written out.
    Literal(Literal),
    /// An element of each value: as one of its types, or as any of several.
    Element { from: Box<Expression>, choices: Vec<Choice> },
    /// The values that are of some of the types that a choice has, by their positions in it.
    OfType { from: Box<Expression>, keep: Vec<usize> },
    /// The values that a condition is true of.
    Filter { from: Box<Expression>, condition: Box<Expression> },
    /// The values of an expression on each value.
    Select { from: Box<Expression>, projection: Box<Expression> },
    /// `condition ? then : otherwise`.
    If { condition: Box<Expression>, then: Box<Expression>, otherwise: Option<Box<Expression>> },
    /// A function of the values.
    Call { from: Box<Expression>, function: Function, arguments: Vec<Expression> },
    /// The values of both, equal ones too.
    Combine { left: Box<Expression>, right: Box<Expression> },
    /// An operator.
    Binary { operator: Operator, left: Box<Expression>, right: Box<Expression> },
}

/// A value that is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    Boolean(bool),
    Integer(i64),
    /// A text, or what is held as one: a decimal, a date, a time.
    Text(String),
}

/// A function of a collection.
#[derive(Debug, Clone)]
pub(crate) enum Function {
    Exists,
    Empty,
    Not,
    Count,
    First,
    Last,
    Tail,
    Single,
    Skip,
    Take,
    /// `[n]`.
    At,
    Distinct,
    IsDistinct,
    AllTrue,
    AnyTrue,
    AllFalse,
    AnyFalse,
    Negate,
    Join,
    /// The id of what a Reference refers to, if it is of this type.
    ReferenceKey(Option<String>),
    /// Resources of this type, among any.
    ResourceOfType(String),
    Boundary {
        high: bool,
        kind: Kind,
    },
    StartsWith,
    EndsWith,
    Contains,
    Matches(Option<Arc<Regex>>),
    IndexOf,
    Substring,
    Replace,
    Length,
    Upper,
    Lower,
    Trim,
    ToText,
    ToInteger,
    ToDecimal,
    Abs,
    Round,
    Ceiling,
    Floor,
    Truncate,
}
