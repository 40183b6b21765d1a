//! From text to tokens, in one pass (RFC 8259).

use std::borrow::Cow;

use super::document::{Document, Key, Kind, Token};
use super::name::hash;
use super::scalar::{number_end, special_bytes};
use super::text::unescape;
use crate::{IssueCode, LineError};

/// How deep arrays and objects may lie in each other. Common JSON readers stop here too.
pub(crate) const MAX_DEPTH: usize = 128;

/// The longest text that is read: tokens have offsets of 32 bits, and Arrow's texts are limited to 2 GiB.
const MAX_LENGTH: usize = 1 << 30;

/// How many tokens' memory a tape keeps in any case: 1 MiB.
const KEPT_TOKENS: usize = 1 << 16;

/// The memory of a parser, filled anew by each text.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    tokens: Vec<Token>,
    open: Vec<Frame>,
}

/// An array or object that has not ended yet.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Its token.
    token: u32,
    /// The token of the last key, in an object.
    key: u32,
    is_object: bool,
    /// A bit for each hash of a key, modulo 64.
    seen: u64,
    /// Whether two keys had the same bit, so that the object may have a member twice.
    suspect: bool,
}

impl Tape {
    /// Reads a text that is one JSON object with nothing but white space around it.
    pub(crate) fn parse<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, LineError> {
        self.tokens.clear();
        self.open.clear();
        // The memory of one huge text is not kept for all small ones after it.
        self.tokens.shrink_to(KEPT_TOKENS.max(text.len()));
        if text.len() > MAX_LENGTH {
            return Err(LineError::new(IssueCode::TooLong, "the line is longer than 1 GiB", MAX_LENGTH));
        }
        let Ok(valid) = simdutf8::basic::from_utf8(text) else {
            return Err(not_utf8(text));
        };
        Parser { text: valid, bytes: text, at: 0, tokens: &mut self.tokens, open: &mut self.open }.run()?;
        Ok(Document { text: valid, tokens: &self.tokens })
    }
}

#[cold]
fn not_utf8(text: &[u8]) -> LineError {
    let offset = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
    LineError::new(IssueCode::Structure, "the line is not UTF-8", offset)
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    tokens: &'a mut Vec<Token>,
    open: &'a mut Vec<Frame>,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), LineError> {
        self.skip_space();
        if self.peek() != Some(b'{') {
            return Err(self.fault("the line is no JSON object"));
        }
        loop {
            if self.value()? {
                continue;
            }
            // A value has ended: so have those that end with it, until a comma says that another one follows.
            loop {
                let Some(frame) = self.open.last() else {
                    return self.end();
                };
                let is_object = frame.is_object;
                self.skip_space();
                match (self.peek(), is_object) {
                    (Some(b','), true) => {
                        self.at += 1;
                        self.skip_space();
                        self.key()?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.at += 1;
                        self.skip_space();
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => self.close()?,
                    (None, _) => return Err(self.fault("the line ends within the resource")),
                    (Some(_), true) => return Err(self.fault("neither `,` nor `}` follows a member")),
                    (Some(_), false) => return Err(self.fault("neither `,` nor `]` follows a value")),
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), LineError> {
        self.skip_space();
        if self.at < self.bytes.len() {
            return Err(self.fault("there is more on the line after the resource"));
        }
        Ok(())
    }

    /// Reads a value. True if it is an array or object and the next thing to read is the first value in it.
    #[inline]
    fn value(&mut self) -> Result<bool, LineError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                let escaped = self.string()?;
                self.push(Kind::String, escaped, start);
                Ok(false)
            }
            Some(b'{') => self.open(Kind::Object),
            Some(b'[') => self.open(Kind::Array),
            Some(b'-' | b'0'..=b'9') => {
                let Some(end) = number_end(self.bytes, start) else {
                    return Err(self.fault("a number is not written as JSON requires"));
                };
                self.at = end;
                self.push(Kind::Number, false, start);
                Ok(false)
            }
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            Some(_) => Err(self.fault("a JSON value is expected")),
            None => Err(self.fault("the line ends within the resource")),
        }
    }

    fn push(&mut self, kind: Kind, escaped: bool, start: usize) {
        let link = self.tokens.len() as u32 + 1;
        self.tokens.push(Token { kind, escaped, start: start as u32, end: self.at as u32, link });
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<bool, LineError> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word) {
            return Err(self.fault("a JSON value is expected"));
        }
        self.at += word.len();
        self.push(kind, false, start);
        Ok(false)
    }

    fn open(&mut self, kind: Kind) -> Result<bool, LineError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fault("the resource is nested deeper than 128 levels"));
        }
        let is_object = kind == Kind::Object;
        let token = self.tokens.len() as u32;
        self.open.push(Frame { token, key: 0, is_object, seen: 0, suspect: false });
        self.push(kind, false, self.at);
        self.at += 1;
        self.skip_space();
        match (self.peek(), is_object) {
            (Some(b'}'), true) | (Some(b']'), false) => self.close().map(|()| false),
            (_, true) => self.key().map(|()| true),
            (_, false) => Ok(true),
        }
    }

    /// Ends the innermost array or object at its closing bracket.
    fn close(&mut self) -> Result<(), LineError> {
        self.at += 1;
        let Some(frame) = self.open.last().copied() else { return Ok(()) };
        let link = self.tokens.len() as u32;
        let token = &mut self.tokens[frame.token as usize];
        (token.end, token.link) = (self.at as u32, link);
        if frame.suspect {
            self.check_members(frame.token)?;
        }
        self.open.pop();
        Ok(())
    }

    /// Reads the name of a member and the colon after it, up to the start of the value.
    #[inline]
    fn key(&mut self) -> Result<(), LineError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.fault("the name of a member is expected"));
        }
        let escaped = self.string()?;
        let content = start + 1..self.at - 1;
        let hash = if escaped {
            let name = unescape(&self.text[content]);
            let name = name.ok_or_else(|| self.fault("the name of a member is no text"))?;
            hash(name.as_bytes())
        } else {
            hash(&self.bytes[content])
        };
        let key = self.tokens.len() as u32;
        let token = Token { kind: Kind::Key, escaped, start: start as u32, end: self.at as u32, link: hash };
        self.tokens.push(token);
        if let Some(frame) = self.open.last_mut() {
            let bit = 1 << (hash & 63);
            frame.key = key;
            frame.suspect |= frame.seen & bit != 0;
            frame.seen |= bit;
        }
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.fault("no `:` follows the name of a member"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Reads a string from its opening to behind its closing quote; says whether there is a backslash in it.
    #[inline]
    fn string(&mut self) -> Result<bool, LineError> {
        let mut escaped = false;
        self.at += 1;
        loop {
            while let Some(word) = self.bytes[self.at..].first_chunk::<8>() {
                let special = special_bytes(u64::from_le_bytes(*word));
                if special != 0 {
                    self.at += (special.trailing_zeros() / 8) as usize;
                    break;
                }
                self.at += 8;
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..b' ') => return Err(self.fault("a control character within a string")),
                Some(_) => self.at += 1,
                None => return Err(self.fault("the line ends within a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), LineError> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(
                        self.fault("`\\u` within a string is not followed by four hexadecimal digits")
                    );
                }
                6
            }
            _ => return Err(self.fault("a backslash within a string is not followed by what JSON allows")),
        };
        self.at += length;
        Ok(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Compares the names of an object's members with each other.
    #[cold]
    fn check_members(&self, object: u32) -> Result<(), LineError> {
        let document = Document { text: self.text, tokens: self.tokens };
        let keys = || document.at(object).members().map(|(key, _)| key);
        if are_distinct(keys().map(Key::hash)) {
            return Ok(());
        }
        let mut keys: Vec<_> = keys().collect();
        keys.sort_unstable_by_key(|key| (key.hash(), key.start()));
        for same_hash in keys.chunk_by(|a, b| a.hash() == b.hash()).filter(|keys| keys.len() > 1) {
            let mut names: Vec<(Cow<'_, str>, usize)> =
                same_hash.iter().map(|key| (key.name(), key.start())).collect();
            names.sort_unstable();
            if let Some([_, (name, start)]) =
                names.array_windows::<2>().find(|[first, second]| first.0 == second.0)
            {
                let error =
                    LineError::new(IssueCode::Structure, "a member of an object is given twice", *start);
                return Err(error.within(self.path(self.open.len() - 1, Some(name))));
            }
        }
        Ok(())
    }

    #[cold]
    fn fault(&self, reason: &'static str) -> LineError {
        let error = LineError::new(IssueCode::Structure, reason, self.at);
        match self.open.first() {
            Some(root) if root.key != 0 => error.within(self.path(self.open.len(), None)),
            _ => error,
        }
    }

    /// The element that is being read, `Patient.name.given`: that of the outer levels, and in it a last name. Only
    /// names that FHIR could have are written out: nobody knows what is in a damaged line.
    fn path(&self, levels: usize, last: Option<&str>) -> String {
        let document = Document { text: self.text, tokens: self.tokens };
        let frames = self.open.iter().take(levels).filter(|frame| frame.is_object && frame.key != 0);
        let names = frames.map(|frame| document.key(frame.key).name());
        let mut path = self.resource_type().unwrap_or("Resource").to_owned();
        for name in names.chain(last.map(Cow::Borrowed)) {
            let plain =
                name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            path.push('.');
            path.push_str(if plain { &name } else { "?" });
        }
        path
    }

    /// The resource type, where it is the line's first member and has been read.
    fn resource_type(&self) -> Option<&str> {
        let document = Document { text: self.text, tokens: self.tokens };
        let [_, key, value, ..] = self.tokens.as_slice() else { return None };
        let name = document.raw(*value).trim_matches('"');
        let is_type = document.raw(*key) == "\"resourceType\"" && value.kind == Kind::String;
        (is_type && crate::scan::is_type_name(name)).then_some(name)
    }
}

/// Whether the hashes are all different; false also if there are too many to compare each with each.
fn are_distinct(hashes: impl Iterator<Item = u32>) -> bool {
    let mut before = [0; 64];
    for (count, hash) in hashes.enumerate() {
        if count == before.len() || before[..count].contains(&hash) {
            return false;
        }
        before[count] = hash;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<LineError> {
        Tape::default().parse(text.as_bytes()).err()
    }

    #[test]
    fn what_serde_json_reads_is_read_and_nothing_else() {
        let texts = [
            r"{}",
            r" { } ",
            "\t{\"a\" : [ ] , \"b\":[1 , 2.50,-0,1e9,1E-2,0.1e+3]}\r\n",
            r#"{"a":{"b":[[],[{}],{"c":[null,true,false,"x"]}]}}"#,
            r#"{"a":"\"\\\/\b\f\n\r\té"}"#,
            r#"{"a":"exactly 8","b":"123456\"8","c":"1234567"}"#,
            "{\"a\":\"é😀\u{7f}\"}",
            "",
            "null",
            "[]",
            "{",
            "}",
            "{]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a" 1}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[,1]}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":[1}"#,
            r#"{"a":[1]"#,
            r#"{"a":[1]]"#,
            r#"{"a":tru}"#,
            r#"{"a":True}"#,
            r#"{"a":nul"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.1}"#,
            r#"{"a":+1}"#,
            r#"{"a":-}"#,
            r#"{"a":1e}"#,
            r#"{"a":1e+}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"x}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12g4"}"#,
            r#"{"a":"\u123"#,
            "{\"a\":\"line\nend\"}",
            "{\"a\":\"12345678\u{1f}\"}",
            r#"{"a":1}{"#,
            r#"{"a":1} x"#,
            r"{'a':1}",
            r"{a:1}",
            "\u{feff}{}",
        ];
        for text in texts {
            let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
            assert_eq!(fault(text).is_none(), is_object, "{text:?}: {:?}", fault(text));
        }
    }

    #[test]
    fn each_cut_of_a_line_is_refused() {
        let text = r#"{"resourceType":"Patient","name":[{"given":["A\n",null]}],"a":-1.5e3,"b":true}"#;
        assert!(fault(text).is_none());
        for end in 0..text.len() {
            assert!(fault(&text[..end]).is_some(), "{}", &text[..end]);
        }
    }

    #[test]
    fn a_fault_says_where_it_is_without_values() {
        let error = fault(r#"{"resourceType":"Patient","name":[{"family":"Doe" "given":[]}]}"#).unwrap();
        assert_eq!(
            error.to_string(),
            "neither `,` nor `}` follows a member at byte 50 in Patient.name.family"
        );
        let error = fault(r#"{"John Doe":"born 1980"#).unwrap();
        assert_eq!(error.to_string(), "the line ends within a string at byte 22 in Resource.?");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        let error = Tape::default().parse(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!((error.code, error.offset), (IssueCode::Structure, 6));
    }

    #[test]
    fn a_member_given_twice_is_refused_on_every_level_however_it_is_written() {
        for text in [r#"{"a":1,"b":2,"a":1}"#, r#"{"x":[{"a":{"id":1,"\u0069d":2}}]}"#, r#"{"":1,"":2}"#] {
            let error = fault(text).unwrap();
            assert_eq!(error.reason, "a member of an object is given twice", "{text}");
        }
        assert!(fault(r#"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":{"a":1}}"#).is_none());
        let many: Vec<String> = (0..1_000).map(|number| format!("\"m{number}\":{number}")).collect();
        assert!(fault(&format!("{{{}}}", many.join(","))).is_none());
        let error = fault(&format!("{{{},\"m77\":0}}", many.join(","))).unwrap();
        assert_eq!(error.element_path.as_deref(), Some("Resource.m77"));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(fault(&nested(MAX_DEPTH)).is_none());
        assert!(fault(&nested(MAX_DEPTH + 1)).is_some());
    }

    #[test]
    fn a_name_that_is_no_text_is_refused() {
        assert!(fault(r#"{"\ud800":1}"#).is_some());
        assert!(fault(r#"{"a":"\ud800"}"#).is_none());
    }

    #[test]
    fn values_are_walked_in_order() {
        let mut tape = Tape::default();
        let text = r#"{"a":[1,{"b":[]},"x\n"],"c":{"d":null}}"#;
        let document = tape.parse(text.as_bytes()).unwrap();
        let members: Vec<_> =
            document.root().members().map(|(key, value)| (key.name(), value.raw())).collect();
        assert_eq!(
            members,
            [("a".into(), r#"[1,{"b":[]},"x\n"]"#), ("c".into(), r#"{"d":null}"#)] as [(Cow<'_, str>, _); 2]
        );
        let elements: Vec<_> =
            document.root().member("a").into_iter().flat_map(Value::elements).map(Value::raw).collect();
        assert_eq!(elements, ["1", r#"{"b":[]}"#, r#""x\n""#]);
        assert_eq!(document.root().elements().count(), 0);
    }

    use super::super::Value;
}
