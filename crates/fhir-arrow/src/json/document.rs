//! What the parser has found: tokens, and a view of them as values.

use std::borrow::Cow;

use super::text::{unescape, unescape_into};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    /// The name of a member; its value is the next token.
    Key,
    String,
    Number,
    True,
    False,
    Null,
}

/// A value, or the name of a member, as a part of the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(super) kind: Kind,
    /// Whether a key or a string has a backslash in it.
    pub(super) escaped: bool,
    /// Bytes of the text, with the quotes or brackets.
    pub(super) start: u32,
    pub(super) end: u32,
    /// For a value, the token after it and all that is in it; for a key, the hash of its name.
    pub(super) link: u32,
}

/// A text that is well-formed JSON, with its tokens in the order of the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
}

impl<'a> Document<'a> {
    /// The object that is the text.
    #[inline]
    pub(crate) fn root(&self) -> Value<'_> {
        self.at(0)
    }

    /// The value that is this token.
    #[inline]
    pub(super) fn at(&self, at: u32) -> Value<'_> {
        Value { document: self, at }
    }

    /// The key that is this token.
    #[inline]
    pub(super) fn key(&self, at: u32) -> Key<'_> {
        Key { document: self, at }
    }

    #[inline]
    pub(super) fn raw(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    #[inline]
    fn content(&self, token: Token) -> &'a str {
        &self.text[token.start as usize + 1..token.end as usize - 1]
    }
}

/// A value of a document: two words, so that it is passed on in registers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    document: &'a Document<'a>,
    at: u32,
}

impl<'a> Value<'a> {
    #[inline]
    fn token(self) -> Token {
        self.document.tokens[self.at as usize]
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        self.token().kind
    }

    /// The value as it is written.
    #[inline]
    pub(crate) fn raw(self) -> &'a str {
        self.document.raw(self.token())
    }

    /// Where the value starts in the text, in bytes.
    #[inline]
    pub(crate) fn start(self) -> usize {
        self.token().start as usize
    }

    /// What is between the quotes of a string, and whether there is a backslash in it.
    #[inline]
    pub(crate) fn string_content(self) -> Option<(&'a str, bool)> {
        let token = self.token();
        (token.kind == Kind::String).then(|| (self.document.content(token), token.escaped))
    }

    /// The text that a string stands for; `None` for other values and for half surrogates, which are no text.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        match self.string_content()? {
            (content, false) => Some(Cow::Borrowed(content)),
            (content, true) => unescape(content),
        }
    }

    /// The same text, written into the scratch where it has escapes: nothing is allocated for each string.
    #[inline]
    pub(crate) fn text<'t>(self, scratch: &'t mut String) -> Option<&'t str>
    where
        'a: 't,
    {
        let (content, escaped) = self.string_content()?;
        if !escaped {
            return Some(content);
        }
        scratch.clear();
        unescape_into(content, scratch).then_some(scratch)
    }

    /// The members of an object; none for other values.
    #[inline]
    pub(crate) fn members(self) -> Members<'a> {
        Members { document: self.document, at: self.at + 1, end: self.end_of(Kind::Object) }
    }

    /// The values in an array; none for other values.
    #[inline]
    pub(crate) fn elements(self) -> Elements<'a> {
        Elements { document: self.document, at: self.at + 1, end: self.end_of(Kind::Array) }
    }

    /// The value of the member of this name.
    pub(crate) fn member(self, name: &str) -> Option<Value<'a>> {
        self.members().find(|(key, _)| key.name() == name).map(|(_, value)| value)
    }

    /// The key that is a token of the same document.
    pub(crate) fn key(self, token_number: u32) -> Key<'a> {
        self.document.key(token_number)
    }

    /// The token after all that is in a value of this kind; no token for values of another kind.
    #[inline]
    fn end_of(self, kind: Kind) -> u32 {
        let token = self.token();
        if token.kind == kind { token.link } else { 0 }
    }
}

/// The name of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    document: &'a Document<'a>,
    at: u32,
}

impl<'a> Key<'a> {
    #[inline]
    fn token(self) -> Token {
        self.document.tokens[self.at as usize]
    }

    /// Which token of the document it is.
    pub(crate) fn token_number(self) -> u32 {
        self.at
    }

    /// The name as it is written, with its quotes.
    #[inline]
    pub(crate) fn raw(self) -> &'a str {
        self.document.raw(self.token())
    }

    #[inline]
    pub(crate) fn hash(self) -> u32 {
        self.token().link
    }

    /// The name that it stands for. The parser takes no name that is no text.
    #[inline]
    pub(crate) fn name(self) -> Cow<'a, str> {
        let token = self.token();
        let content = self.document.content(token);
        if token.escaped {
            unescape(content).unwrap_or(Cow::Borrowed(content))
        } else {
            Cow::Borrowed(content)
        }
    }

    #[inline]
    pub(crate) fn start(self) -> usize {
        self.token().start as usize
    }
}

/// The members of an object, in the order of the text.
pub(crate) struct Members<'a> {
    document: &'a Document<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Key<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = self.document.key(self.at);
        let value = Value { document: self.document, at: self.at + 1 };
        self.at = value.token().link;
        Some((key, value))
    }
}

/// The values in an array, in order.
pub(crate) struct Elements<'a> {
    document: &'a Document<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { document: self.document, at: self.at };
        self.at = value.token().link;
        Some(value)
    }
}
