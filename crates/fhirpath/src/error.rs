//! What can be wrong with an expression, and where.

use crate::Span;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {}", span.start)]
pub struct ParseError {
    /// What is wrong.
    pub problem: Problem,
    /// The part of the text that is wrong; empty at its end where something is missing.
    pub span: Span,
}

impl ParseError {
    /// The line of the text that is wrong, with the error below the character that it is about.
    ///
    /// `text` is the text that was parsed.
    #[must_use]
    pub fn in_text(&self, text: &str) -> String {
        let at = text.floor_char_boundary(self.span.start);
        let (before, after) = text.split_at(at);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let end = after.find('\n').map_or(text.len(), |length| at + length);
        let column = text[start..at].chars().count();
        format!("{}\n{:column$}^ {}", &text[start..end], "", self.problem)
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Something else had to come.
    #[error("{expected} is expected, not {found}")]
    Expected {
        /// What may stand here, `an expression`.
        expected: &'static str,
        /// What stands here, `` `)` `` or `the end`.
        found: String,
    },
    /// A character that no token begins with.
    #[error("{0:?} means nothing here")]
    Character(char),
    /// A string, a name in backticks or a comment has no end.
    #[error("{0} has no end")]
    NoEnd(&'static str),
    /// A backslash in a string is not followed by what may follow it.
    #[error("a backslash is not followed by one of ' \" ` \\ / f n r t or u with four hexadecimal digits")]
    Escape,
    /// What stands behind an `@` is no date and no time.
    #[error("no date, date with time, or time in the form of ISO 8601 follows the @")]
    Date,
    /// A whole number that does not fit into 64 bits.
    #[error("the number is too large")]
    Number,
    /// The expression is nested too deeply to be read without danger.
    #[error("the expression is nested deeper than {} levels", crate::MAX_DEPTH)]
    Depth,
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn an_error_points_at_its_character_in_its_line() {
        let text = "a.b\n  and 'é' = = 1\n or c";
        let error = parse(text).unwrap_err();
        assert_eq!(error.in_text(text), "  and 'é' = = 1\n            ^ an expression is expected, not `=`");
        assert_eq!(error.to_string(), "an expression is expected, not `=` at byte 17");
    }

    #[test]
    fn what_is_missing_is_missing_at_the_end() {
        let error = parse("a.").unwrap_err();
        assert_eq!(error.in_text("a."), "a.\n  ^ a name is expected, not the end");
    }
}
