//! Dates and times (<https://hl7.org/fhir/R4/datatypes.html#dateTime>): years 0001 to 9999 of the Gregorian calendar,
//! second 60 allowed, zones up to fourteen hours.

use crate::instant::days_in_month;

/// Whether the text is a year, a month or a day.
pub(super) fn is_date(text: &[u8]) -> bool {
    date_end(text) == Some(text.len())
}

/// Whether the text is a date, or a day with time and zone.
pub(super) fn is_date_time(text: &[u8]) -> bool {
    match date_end(text) {
        Some(10) if text.len() > 10 => is_time_with_zone(&text[10..]),
        end => end == Some(text.len()),
    }
}

/// Whether the text is a day with time and zone.
pub(super) fn is_instant(text: &[u8]) -> bool {
    date_end(text) == Some(10) && is_time_with_zone(&text[10..])
}

/// Whether the text is a time without zone.
pub(super) fn is_time(text: &[u8]) -> bool {
    time_end(text) == Some(text.len())
}

fn is_time_with_zone(text: &[u8]) -> bool {
    let Some(time) = text.strip_prefix(b"T") else { return false };
    time_end(time).is_some_and(|end| is_zone(&time[end..]))
}

/// Where the date at the start of the text ends: behind its year, month or day.
fn date_end(text: &[u8]) -> Option<usize> {
    let year = two(text, 0)? * 100 + two(text, 2)?;
    if year == 0 {
        return None;
    }
    if text.get(4) != Some(&b'-') {
        return Some(4);
    }
    let month = two(text, 5).filter(|month| (1..=12).contains(month))?;
    if text.get(7) != Some(&b'-') {
        return Some(7);
    }
    let day = two(text, 8)?;
    (1..=days_in_month(i64::from(year), month)).contains(&day).then_some(10)
}

/// Where the time `hh:mm:ss` or `hh:mm:ss.f…` at the start of the text ends.
fn time_end(text: &[u8]) -> Option<usize> {
    let colons = text.get(2) == Some(&b':') && text.get(5) == Some(&b':');
    let holds = colons && two(text, 0)? < 24 && two(text, 3)? < 60 && two(text, 6)? <= 60;
    if !holds {
        return None;
    }
    if text.get(8) != Some(&b'.') {
        return Some(8);
    }
    let digits = text[9..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(9 + digits)
}

fn is_zone(text: &[u8]) -> bool {
    let [sign, zone @ ..] = text else { return false };
    match (sign, zone.len(), zone.get(2)) {
        (b'Z', 0, _) => true,
        (b'+' | b'-', 5, Some(b':')) => match (two(zone, 0), two(zone, 3)) {
            (Some(hours), Some(minutes)) => (hours < 14 && minutes < 60) || (hours == 14 && minutes == 0),
            _ => false,
        },
        _ => false,
    }
}

/// The number that two digits make.
#[inline]
fn two(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 2)?;
    let (tens, ones) = (digits[0].wrapping_sub(b'0'), digits[1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(u32::from(tens) * 10 + u32::from(ones))
}
