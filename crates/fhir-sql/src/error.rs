//! What can be wrong with a view, and where.
//!
//! The one invariant: no error has a value of the data in it. Errors name the part of the ViewDefinition, and point at the
//! character of its expression.

use fhirpath::Span;

/// Why a ViewDefinition is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The text is no ViewDefinition: not JSON, or not of its shape.
    #[error("it is no ViewDefinition: {reason}")]
    Document {
        /// What is wrong, with line and column.
        reason: String,
    },
    /// A part of it cannot be.
    #[error("{location}: {reason}")]
    Part {
        /// The part, as in `select[0].column[1].name`.
        location: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// An expression cannot be read, or means nothing for the resource.
    #[error("{location}:\n{excerpt}")]
    Expression {
        /// The part that has the expression, as in `select[0].column[1].path`.
        location: String,
        /// The line of the expression, and below it the error at its character.
        excerpt: String,
    },
}

/// A view that cannot go on: what it finds in the data is not what its expressions allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {reason}\n{excerpt}")]
pub struct EvaluationError {
    /// The part that has the expression, as in `select[0].column[1].path`.
    pub location: String,
    /// What is wrong, and what to do.
    pub reason: String,
    /// The expression, with a mark below the character.
    pub excerpt: String,
}

/// Something wrong at a place of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: String,
    pub(crate) span: Span,
}

impl Fault {
    pub(crate) fn new(span: Span, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), span }
    }

    /// The line of the expression that is wrong, with the reason below the character that it is about.
    pub(crate) fn excerpt(&self, text: &str, reason: &str) -> String {
        let at = text.floor_char_boundary(self.span.start);
        let (before, after) = text.split_at(at);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let end = after.find('\n').map_or(text.len(), |length| at + length);
        let column = text[start..at].chars().count();
        let mark = format!("{}\n{:column$}^ {reason}", &text[start..end], "");
        mark.trim_end().to_owned()
    }

    pub(crate) fn in_view(&self, location: &str, text: &str) -> ViewError {
        ViewError::Expression { location: location.to_owned(), excerpt: self.excerpt(text, &self.reason) }
    }

    pub(crate) fn in_data(&self, location: &str, text: &str) -> EvaluationError {
        EvaluationError {
            location: location.to_owned(),
            reason: self.reason.clone(),
            excerpt: self.excerpt(text, ""),
        }
    }
}
