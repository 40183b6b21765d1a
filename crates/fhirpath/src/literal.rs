//! Values that are written out: strings, dates and times (<http://hl7.org/fhirpath/N1/#literals>).

use crate::{Literal, ParseError, Problem, Span};

/// Reads a text in quotes or backticks, with its escapes. Returns it with the length of what was read.
pub(crate) fn quoted(rest: &str, start: usize, what: &'static str) -> Result<(String, usize), ParseError> {
    let mut text = String::new();
    // All quotes are one byte.
    let (quote, mut at) = (&rest[..1], 1);
    while let Some(length) = rest[at..].find(|character| quote.contains(character) || character == '\\') {
        text.push_str(&rest[at..at + length]);
        at += length + 1;
        if rest[..at].ends_with(quote) {
            return Ok((text, at));
        }
        let Some((character, length)) = escape(&rest[at..]) else {
            let span = Span { start: start + at - 1, end: start + at };
            return Err(ParseError { problem: Problem::Escape, span });
        };
        text.push(character);
        at += length;
    }
    let span = Span { start, end: start + rest.len() };
    Err(ParseError { problem: Problem::NoEnd(what), span })
}

/// The character that an escape stands for, and how long the escape is behind its backslash.
fn escape(rest: &str) -> Option<(char, usize)> {
    let character = match rest.chars().next()? {
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        same @ ('\'' | '"' | '`' | '\\' | '/') => same,
        'u' => {
            let digits =
                rest.get(1..5).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            return Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 5));
        }
        _ => return None,
    };
    Some((character, 1))
}

/// Reads what begins with `@`. Returns it with its length.
pub(crate) fn temporal(rest: &str, start: usize) -> Result<(Literal, usize), ParseError> {
    let text = &rest[1..];
    let mut reader = Digits { bytes: text.as_bytes(), at: 0 };
    let literal = if reader.skip(b'T') {
        reader.time().then(|| Literal::Time(text[1..reader.at].to_owned()))
    } else {
        match reader.date() {
            None => None,
            Some(()) if reader.skip(b'T') => {
                let complete = !reader.is_at_digit() || (reader.time() && reader.zone());
                complete.then(|| Literal::DateTime(text[..reader.at].to_owned()))
            }
            Some(()) => Some(Literal::Date(text[..reader.at].to_owned())),
        }
    };
    let length = 1 + reader.at;
    let span = Span { start, end: start + length };
    literal.map(|literal| (literal, length)).ok_or(ParseError { problem: Problem::Date, span })
}

/// Reads groups of digits with what stands between them.
struct Digits<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Digits<'_> {
    fn is_at_digit(&self) -> bool {
        self.bytes.get(self.at).is_some_and(u8::is_ascii_digit)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self, count: usize) -> bool {
        let digits = self.bytes.get(self.at..self.at + count);
        let found = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
        self.at += if found { count } else { 0 };
        found
    }

    /// Skips a separator that two digits follow: elsewhere it is an operator.
    fn part(&mut self, separator: u8) -> bool {
        let start = self.at;
        let found = self.skip(separator) && self.digits(2);
        self.at = if found { self.at } else { start };
        found
    }

    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    fn date(&mut self) -> Option<()> {
        let found = self.digits(4);
        let _ = found && self.part(b'-') && self.part(b'-');
        found.then_some(())
    }

    /// `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`.
    fn time(&mut self) -> bool {
        let found = self.digits(2);
        if found && self.part(b':') && self.part(b':') {
            let start = self.at;
            if self.skip(b'.') && self.is_at_digit() {
                while self.digits(1) {}
            } else {
                self.at = start;
            }
        }
        found
    }

    /// `Z`, `+hh:mm`, `-hh:mm` or nothing.
    fn zone(&mut self) -> bool {
        if self.skip(b'Z') {
            return true;
        }
        let start = self.at;
        let signed = self.skip(b'+') || self.skip(b'-');
        if !(signed && self.digits(2) && self.part(b':')) {
            self.at = start;
        }
        true
    }
}
