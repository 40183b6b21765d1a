//! The text that a JSON string stands for, and the other way round (RFC 8259, section 7).

use std::borrow::Cow;

use memchr::memchr;

/// The text of what is between the quotes of a well-formed JSON string; `None` where an escape is half a
/// surrogate pair, which no text can hold.
pub(crate) fn unescape(content: &str) -> Option<Cow<'_, str>> {
    if memchr(b'\\', content.as_bytes()).is_none() {
        return Some(Cow::Borrowed(content));
    }
    let mut out = String::new();
    unescape_into(content, &mut out).then_some(Cow::Owned(out))
}

/// Appends the text of what is between the quotes; false where it is no text.
pub(crate) fn unescape_into(content: &str, out: &mut String) -> bool {
    out.reserve(content.len());
    let mut rest = content;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let Some(letter) = rest.as_bytes().get(at + 1) else { return false };
        rest = &rest[at + 2..];
        let character = match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => match unicode(&mut rest) {
                Some(character) => character,
                None => return false,
            },
            other => char::from(*other),
        };
        out.push(character);
    }
    out.push_str(rest);
    true
}

/// Reads the digits after `\u`, and the second half of a pair.
fn unicode(rest: &mut &str) -> Option<char> {
    let first = hexadecimal(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix("\\u")?;
    let second = hexadecimal(rest).filter(|second| (0xdc00..0xe000).contains(second))?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn hexadecimal(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u32::from_str_radix(digits, 16).ok()
}

/// Appends the text as a JSON string, quotes included, with as few escapes as JSON allows.
pub(crate) fn escape_into(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[start..at]);
        start = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escape(text: &str) -> String {
        let mut out = String::new();
        escape_into(text, &mut out);
        out
    }

    #[test]
    fn every_escape_is_read() {
        let read = |content| unescape(content).map(Cow::into_owned);
        assert_eq!(read("plain é").as_deref(), Some("plain é"));
        assert_eq!(read(r#"\"\\\/\b\f\n\r\t"#).as_deref(), Some("\"\\/\u{8}\u{c}\n\r\t"));
        assert_eq!(read(r"a\u00e9\u0000b").as_deref(), Some("aé\0b"));
        assert_eq!(read(r"\ud83d\uDE00!").as_deref(), Some("😀!"));
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        for content in [r"\ud83d", r"\ud83dx", r"\ud83d\n", r"\ude00", r"\ud83d\u0041", r"\ud83d\ud83d"] {
            assert_eq!(unescape(content), None, "{content}");
        }
    }

    #[test]
    fn what_is_escaped_is_read_back() {
        for text in ["", "plain", "\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}", "é😀\u{2028}"] {
            let escaped = escape(text);
            let read: String = serde_json::from_str(&escaped).unwrap();
            assert_eq!(read, text);
            assert_eq!(unescape(&escaped[1..escaped.len() - 1]).as_deref(), Some(text));
        }
        assert_eq!(escape("a\"b\n\u{1}"), r#""a\"b\n\u0001""#);
    }
}
