//! Where strings and numbers end.

/// Which of eight bytes are a quote, a backslash or a control character: the lowest bit set lies in the first one.
#[inline]
pub(super) fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * b' ' as u64) & !word & HIGH;
    quote | backslash | control
}

/// The end of the number that starts here; `None` if it is not written as JSON requires.
#[inline]
pub(super) fn number_end(bytes: &[u8], start: usize) -> Option<usize> {
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at += match bytes.get(at)? {
        b'0' => 1,
        b'1'..=b'9' => digits(at),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        at += (fraction > 0).then_some(fraction + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        at += (exponent > 0).then_some(exponent + sign + 1)?;
    }
    Some(at)
}

/// Whether the text is a JSON number and nothing else.
pub(crate) fn is_number(text: &str) -> bool {
    number_end(text.as_bytes(), 0) == Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_among_any_others() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut word = [b'a', 0x80, 0xff, b'!', b'#', b'[', b']', 0x7f];
                word[place] = byte;
                let expected = byte < b' ' || byte == b'"' || byte == b'\\';
                let found = special_bytes(u64::from_le_bytes(word));
                let first = (found != 0).then(|| (found.trailing_zeros() / 8) as usize);
                assert_eq!(first, expected.then_some(place), "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn numbers_are_what_json_says() {
        for text in ["0", "-0", "10", "1.5", "1.50e10", "1E+2", "0e-1"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", "01", "1.", ".1", "+1", "1e", "1e+", "1 ", "0x1", "NaN", "1.5.1", "１"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
