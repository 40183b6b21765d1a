//! Texts: codes, addresses, numbers that JSON has as strings.

/// The most characters that a string may have (<https://hl7.org/fhir/R4/datatypes.html#string>).
const MAX_CHARACTERS: usize = 1 << 20;

#[inline]
pub(super) fn is_string(text: &str) -> bool {
    text.len() <= MAX_CHARACTERS || text.chars().count() <= MAX_CHARACTERS
}

/// The namespace of XHTML, in both ways of quoting.
const NAMESPACES: [&str; 2] =
    ["xmlns=\"http://www.w3.org/1999/xhtml\"", "xmlns='http://www.w3.org/1999/xhtml'"];

/// Whether no byte is white space. There is no way out at the first one, so that the loop is vectorised.
#[inline]
pub(super) fn has_no_space(bytes: &[u8]) -> bool {
    // What is below a space is white space or a control character, which no such text has either.
    !bytes.iter().fold(false, |found, byte| found | (*byte <= b' '))
}

#[inline]
pub(super) fn is_code(bytes: &[u8]) -> bool {
    has_no_space(bytes) || is_code_with_spaces(bytes)
}

#[cold]
fn is_code_with_spaces(bytes: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let at_ends = bytes.first().is_none_or(is_space) || bytes.last().is_none_or(is_space);
    !at_ends && !bytes.array_windows::<2>().any(|pair| pair.iter().all(is_space))
}

#[inline]
pub(super) fn is_uri(text: &str) -> bool {
    has_no_space(text.as_bytes()) && (!text.starts_with("urn:") || is_urn(text))
}

fn is_urn(text: &str) -> bool {
    (!text.starts_with("urn:oid:") || is_oid(text)) && (!text.starts_with("urn:uuid:") || is_uuid(text))
}

/// Whether the text is `urn:oid:` with a tree of numbers, each without zeros before it.
pub(super) fn is_oid(text: &str) -> bool {
    let Some((root, numbers)) = text.strip_prefix("urn:oid:").and_then(|oid| oid.split_once('.')) else {
        return false;
    };
    let is_number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits && (text == "0" || !text.starts_with('0'))
    };
    matches!(root, "0" | "1" | "2") && numbers.split('.').all(is_number)
}

/// Whether the text is `urn:uuid:` with 32 hexadecimal digits in lower case, in their five groups.
pub(super) fn is_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    uuid.len() == 36
        && uuid.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Whether the text is a number of 64 bits without zeros before it; it may have a `+`.
pub(super) fn is_integer64(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (digits == "0" || !digits.starts_with('0')) && text.parse::<i64>().is_ok()
}

/// Whether the text is a `div` in its namespace from beginning to end; what is in it is not looked at.
pub(super) fn is_div(text: &str) -> bool {
    let text = text.trim();
    let Some((start, _)) = text.strip_prefix("<div").and_then(|rest| rest.split_once('>')) else {
        return false;
    };
    start.starts_with([' ', '\t', '\r', '\n'])
        && NAMESPACES.iter().any(|namespace| start.contains(namespace))
        && (text.ends_with("</div>") || start.ends_with('/'))
}
