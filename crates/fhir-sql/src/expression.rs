//! An expression that is known to mean something for its resource type.
//!
//! The one invariant: every step knows the type of its values and its place in the text. What remains to go wrong is in the
//! data: several values where one belongs.

use std::sync::Arc;

use fhirpath::{Operator, Span};
use regex::Regex;

use crate::quantity::Quantity;
use crate::types::{Choice, Kind, Type};

/// An expression with its type.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) step: Step,
    pub(crate) of: Type,
    pub(crate) span: Span,
}

impl Expression {
    /// Whether its values lie below `$this`, so that evaluating it on them again comes to an end.
    pub(crate) fn descends(&self) -> bool {
        self.way() == Some(Way::Below)
    }

    /// The way from `$this` to the values; `None` where they may lie elsewhere.
    fn way(&self) -> Option<Way> {
        match &self.step {
            Step::This => Some(Way::Stays),
            Step::Empty => Some(Way::Below),
            Step::Element { from, .. } => from.way().map(|_| Way::Below),
            Step::OfType { from, .. } | Step::Filter { from, .. } => from.way(),
            Step::Select { from, projection } => Some(from.way()?.max(projection.way()?)),
            Step::If { then, otherwise, .. } => {
                let otherwise = otherwise.as_ref().map_or(Some(Way::Below), |otherwise| otherwise.way());
                Some(then.way()?.min(otherwise?))
            }
            Step::Call { from, function, .. } if function.chooses() => from.way(),
            Step::Combine { left, right } => Some(left.way()?.min(right.way()?)),
            Step::Binary { operator: Operator::Union, left, right } => Some(left.way()?.min(right.way()?)),
            _ => None,
        }
    }
}

/// Where values lie, seen from `$this`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// It may be `$this` itself.
    Stays,
    /// Below it.
    Below,
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
#[derive(Debug, Clone)]
pub(crate) enum Literal {
    Boolean(bool),
    Integer(i64),
    /// A text, or what is held as one: a decimal, a date, a time.
    Text(String),
    Quantity(Quantity),
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
    /// FHIRPath's quantity of one of FHIR.
    OfQuantity,
    /// FHIRPath's quantity of a number or a text.
    ToQuantity,
    Abs,
    Round,
    Ceiling,
    Floor,
    Truncate,
}

impl Function {
    /// Whether its values are some of those that it is called on.
    const fn chooses(&self) -> bool {
        matches!(
            self,
            Self::First
                | Self::Last
                | Self::Tail
                | Self::Single
                | Self::Skip
                | Self::Take
                | Self::At
                | Self::Distinct
                | Self::ResourceOfType(_)
        )
    }
}
