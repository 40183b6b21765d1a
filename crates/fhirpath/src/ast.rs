//! The tree of an expression (<http://hl7.org/fhirpath/N1/grammar.html>).

/// A part of the text: bytes from its start, the end is behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
}

impl Span {
    /// From the start of this part to the end of another one.
    pub(crate) const fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// An expression, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// What it is.
    pub kind: Kind,
    /// Where it stands in the text, without parentheses around it.
    pub span: Span,
}

/// What an expression is.
///
/// A step of a path has the expression before its dot in `of`; the first step of a path has none, and is applied to
/// what the expression is evaluated on.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A value that is written out.
    Literal(Literal),
    /// `%name` or `%'name'`: what the environment gives.
    External(String),
    /// `name`: the children of that name, or the type of that name where a path begins.
    Member {
        /// What stands before the dot.
        of: Option<Box<Expression>>,
        /// The name, without backticks.
        name: String,
    },
    /// `name(…)`.
    Call {
        /// What stands before the dot.
        of: Option<Box<Expression>>,
        /// The function's name.
        name: String,
        /// What stands in the parentheses. Where the function wants a type, its name is a path of members.
        arguments: Vec<Expression>,
    },
    /// `$this`, `$index`, `$total`.
    Variable {
        /// What stands before the dot.
        of: Option<Box<Expression>>,
        /// Which one.
        variable: Variable,
    },
    /// `of[index]`.
    Indexer {
        /// The collection.
        of: Box<Expression>,
        /// The position in it, from 0.
        index: Box<Expression>,
    },
    /// `-of` or `+of`.
    Polarity {
        /// Which one.
        sign: Sign,
        /// The number.
        of: Box<Expression>,
    },
    /// Two expressions with an operator between them.
    Binary {
        /// The operator.
        operator: Operator,
        /// What stands before it.
        left: Box<Expression>,
        /// What stands behind it.
        right: Box<Expression>,
    },
    /// `of is Type` or `of as Type`.
    Type {
        /// Which of the two.
        operator: TypeOperator,
        /// What stands before the operator.
        of: Box<Expression>,
        /// The type.
        type_name: TypeName,
    },
}

/// The name of a type, `Patient`, `FHIR.Patient`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// What stands before the last dot, `FHIR` or `System`, where it is given.
    pub namespace: Option<String>,
    /// The name itself.
    pub name: String,
}

/// A value that is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// `{}`: the empty collection.
    Empty,
    /// `true` or `false`.
    Boolean(bool),
    /// `'text'`, without quotes and escapes.
    String(String),
    /// `12`: a whole number.
    Integer(i64),
    /// `1.50`, as it is written.
    Decimal(String),
    /// `@2014-01`, without the `@`.
    Date(String),
    /// `@2014-01-25T14:30`, without the `@`. It may end with the `T`.
    DateTime(String),
    /// `@T14:30`, without the `@T`.
    Time(String),
    /// `4 days`, `4.5 'mg'`.
    Quantity {
        /// The number, as it is written.
        value: String,
        /// The unit behind it.
        unit: Unit,
    },
}

/// The unit of a quantity that is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A unit of the calendar, in the singular: `day` for `4 days`.
    Calendar(&'static str),
    /// A unit of UCUM, `mg`.
    Ucum(String),
}

/// What functions with an expression as their argument set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `$this`: the value that the expression is evaluated on.
    This,
    /// `$index`: its position, from 0.
    Index,
    /// `$total`: what `aggregate` has so far.
    Total,
}

/// The sign before a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sign {
    /// `+`.
    Plus,
    /// `-`.
    Minus,
}

/// `is` or `as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeOperator {
    /// `is`: whether the value is of the type.
    Is,
    /// `as`: the value if it is of the type.
    As,
}

/// What stands between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `div`: a division without its remainder.
    Div,
    /// `mod`: the remainder.
    Mod,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `&`: texts behind each other, an empty collection is an empty text.
    Concatenate,
    /// `|`: what is in one or the other, each once.
    Union,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `=`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `~`: equal but for what does not matter (case, order, precision).
    Equivalent,
    /// `!~`.
    NotEquivalent,
    /// `in`: whether the left one is in the right collection.
    In,
    /// `contains`: whether the right one is in the left collection.
    Contains,
    /// `and`.
    And,
    /// `or`.
    Or,
    /// `xor`.
    Xor,
    /// `implies`.
    Implies,
}

impl Operator {
    /// The operator as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Div => "div",
            Self::Mod => "mod",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Concatenate => "&",
            Self::Union => "|",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Equivalent => "~",
            Self::NotEquivalent => "!~",
            Self::In => "in",
            Self::Contains => "contains",
            Self::And => "and",
            Self::Or => "or",
            Self::Xor => "xor",
            Self::Implies => "implies",
        }
    }

    /// How strongly the operator binds, from 1; all operators bind to the left
    /// (<http://hl7.org/fhirpath/N1/#operator-precedence>).
    pub(crate) const fn strength(self) -> u8 {
        match self {
            Self::Multiply | Self::Divide | Self::Div | Self::Mod => 10,
            Self::Add | Self::Subtract | Self::Concatenate => 9,
            Self::Union => 7,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 6,
            Self::Equal | Self::NotEqual | Self::Equivalent | Self::NotEquivalent => 5,
            Self::In | Self::Contains => 4,
            Self::And => 3,
            Self::Or | Self::Xor => 2,
            Self::Implies => 1,
        }
    }
}

impl TypeOperator {
    /// How strongly `is` and `as` bind, on the scale of [`Operator::strength`].
    pub(crate) const STRENGTH: u8 = 8;

    /// The operator as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::As => "as",
        }
    }
}
