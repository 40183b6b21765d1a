//! From text to tokens.

use crate::literal::{quoted, temporal};
use crate::token::{Bracket, Token, TokenKind};
use crate::{Literal, Operator, ParseError, Problem, Span};

/// Reads tokens off the front of a text.
pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; [`TokenKind::End`] again and again at the end.
    pub(crate) fn next(&mut self) -> Result<Token, ParseError> {
        self.skip_space()?;
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else {
            return Ok(Token { kind: TokenKind::End, span: Span { start, end: start } });
        };
        let (kind, length) = match first {
            'A'..='Z' | 'a'..='z' | '_' => word(rest),
            '0'..='9' => number(rest),
            '\'' => {
                let (text, length) = quoted(rest, start, "a string")?;
                (TokenKind::Literal(Literal::String(text)), length)
            }
            '`' => {
                let (name, length) = quoted(rest, start, "a name in backticks")?;
                (TokenKind::Name(name), length)
            }
            '@' => {
                let (literal, length) = temporal(rest, start)?;
                (TokenKind::Literal(literal), length)
            }
            '$' => {
                let length = 1 + word_length(&rest[1..]);
                (TokenKind::Variable(rest[..length].to_owned()), length)
            }
            _ => symbol(rest).ok_or_else(|| {
                let span = Span { start, end: start + first.len_utf8() };
                ParseError { problem: Problem::Character(first), span }
            })?,
        };
        self.at += length;
        Ok(Token { kind, span: Span { start, end: self.at } })
    }

    /// White space and comments.
    fn skip_space(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let Some(length) = comment.find("*/") else {
                    let span = Span { start: self.at, end: self.text.len() };
                    return Err(ParseError { problem: Problem::NoEnd("a comment"), span });
                };
                self.at += length + 4;
            } else {
                return Ok(());
            }
        }
    }
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

fn word(rest: &str) -> (TokenKind, usize) {
    let length = word_length(rest);
    let kind = match &rest[..length] {
        "true" => TokenKind::Literal(Literal::Boolean(true)),
        "false" => TokenKind::Literal(Literal::Boolean(false)),
        "and" => TokenKind::Operator(Operator::And),
        "or" => TokenKind::Operator(Operator::Or),
        "xor" => TokenKind::Operator(Operator::Xor),
        "implies" => TokenKind::Operator(Operator::Implies),
        "div" => TokenKind::Operator(Operator::Div),
        "mod" => TokenKind::Operator(Operator::Mod),
        "as" => TokenKind::NameOrOperator("as"),
        "is" => TokenKind::NameOrOperator("is"),
        "in" => TokenKind::NameOrOperator("in"),
        "contains" => TokenKind::NameOrOperator("contains"),
        name => TokenKind::Name(name.to_owned()),
    };
    (kind, length)
}

/// A number has digits on both sides of its dot: in `1.abs()` the dot is not the number's.
fn number(rest: &str) -> (TokenKind, usize) {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(rest);
    if let Some(fraction) = rest[length..].strip_prefix('.').map(digits).filter(|count| *count > 0) {
        length += 1 + fraction;
    }
    (TokenKind::Number(rest[..length].to_owned()), length)
}

fn symbol(rest: &str) -> Option<(TokenKind, usize)> {
    const SYMBOLS: [(&str, TokenKind); 23] = [
        ("<=", TokenKind::Operator(Operator::LessOrEqual)),
        (">=", TokenKind::Operator(Operator::GreaterOrEqual)),
        ("!=", TokenKind::Operator(Operator::NotEqual)),
        ("!~", TokenKind::Operator(Operator::NotEquivalent)),
        ("<", TokenKind::Operator(Operator::Less)),
        (">", TokenKind::Operator(Operator::Greater)),
        ("=", TokenKind::Operator(Operator::Equal)),
        ("~", TokenKind::Operator(Operator::Equivalent)),
        ("*", TokenKind::Operator(Operator::Multiply)),
        ("/", TokenKind::Operator(Operator::Divide)),
        ("+", TokenKind::Operator(Operator::Add)),
        ("-", TokenKind::Operator(Operator::Subtract)),
        ("&", TokenKind::Operator(Operator::Concatenate)),
        ("|", TokenKind::Operator(Operator::Union)),
        (".", TokenKind::Dot),
        (",", TokenKind::Comma),
        ("%", TokenKind::Percent),
        ("(", TokenKind::Open(Bracket::Round)),
        (")", TokenKind::Close(Bracket::Round)),
        ("[", TokenKind::Open(Bracket::Square)),
        ("]", TokenKind::Close(Bracket::Square)),
        ("{", TokenKind::Open(Bracket::Curly)),
        ("}", TokenKind::Close(Bracket::Curly)),
    ];
    let (text, kind) = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text))?;
    Some((kind.clone(), text.len()))
}
