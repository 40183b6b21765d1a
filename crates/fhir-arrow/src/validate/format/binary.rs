//! Bytes as text.

/// Whether the text is base64 (RFC 4648, section 4): groups of four characters, of which the last one may be filled up
/// with one or two `=`. White space between groups is allowed, as it is in R4.
pub(super) fn is_base64(bytes: &[u8]) -> bool {
    is_groups(bytes) || is_groups_with_space(bytes)
}

fn is_groups(bytes: &[u8]) -> bool {
    let content = bytes.strip_suffix(b"==").or_else(|| bytes.strip_suffix(b"=")).unwrap_or(bytes);
    bytes.len().is_multiple_of(4) && content.len() % 4 != 1 && are_digits(content)
}

/// Whether all bytes are digits of base64. There is no way out at the first other one, so that the loop is vectorised:
/// these are the longest texts that there are.
fn are_digits(bytes: &[u8]) -> bool {
    let is_digit = |byte: u8| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        letter | digit | (byte == b'+') | (byte == b'/')
    };
    bytes.iter().fold(true, |all, byte| all & is_digit(*byte))
}

#[cold]
fn is_groups_with_space(bytes: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let mut parts = bytes.split(is_space).filter(|part| !part.is_empty()).peekable();
    let mut any = false;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        if !is_groups(part) || (!is_last && part.ends_with(b"=")) {
            return false;
        }
        any = true;
    }
    any
}
