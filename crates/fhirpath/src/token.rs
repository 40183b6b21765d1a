//! What a text is made of.

use std::fmt;

use crate::{Literal, Operator, Span};

/// A token, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// A name that is no keyword, or one in backticks.
    Name(String),
    /// `as`, `is`, `in`, `contains`: operators that can be names too.
    NameOrOperator(&'static str),
    /// `$this`, with the `$`.
    Variable(String),
    /// A value, but for numbers and `{}`.
    Literal(Literal),
    /// A number, as it is written.
    Number(String),
    /// An operator that is no name.
    Operator(Operator),
    Dot,
    Comma,
    Percent,
    Open(Bracket),
    Close(Bracket),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    Round,
    Square,
    Curly,
}

impl TokenKind {
    /// The operator between two expressions that the token is.
    pub(crate) fn operator(&self) -> Option<Operator> {
        match self {
            Self::Operator(operator) => Some(*operator),
            Self::NameOrOperator("in") => Some(Operator::In),
            Self::NameOrOperator("contains") => Some(Operator::Contains),
            _ => None,
        }
    }
}

impl fmt::Display for TokenKind {
    /// As errors name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Name(name) | Self::Variable(name) => name,
            Self::NameOrOperator(name) => *name,
            Self::Literal(_) => return f.write_str("a value"),
            Self::Number(number) => number,
            Self::Operator(operator) => operator.as_str(),
            Self::Dot => ".",
            Self::Comma => ",",
            Self::Percent => "%",
            Self::Open(Bracket::Round) => "(",
            Self::Open(Bracket::Square) => "[",
            Self::Open(Bracket::Curly) => "{",
            Self::Close(Bracket::Round) => ")",
            Self::Close(Bracket::Square) => "]",
            Self::Close(Bracket::Curly) => "}",
            Self::End => return f.write_str("the end"),
        };
        write!(f, "`{text}`")
    }
}
