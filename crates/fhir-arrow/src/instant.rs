//! Instants and partial dates on the time line.
//!
//! FHIR's date, dateTime and instant (<https://hl7.org/fhir/R4/datatypes.html#dateTime>) name a span of time: a
//! year, a day, a second, a thousandth. Text without a zone is read as UTC, never by a configured zone, so that
//! the same text gives the same number in every lake. Second 60 (a leap second) is read as 59.999999. The
//! calendar is the proleptic Gregorian one, years 0001 to 9999.

use std::fmt;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, and what the text had beyond them.
///
/// Two versions of a resource are ordered by `meta.lastUpdated`, and there are servers that write it with nine
/// digits; so the digits beyond the microsecond take part in the order, the first nine of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    micros: i64,
    /// Digits 7 to 15 of the fraction of the second, as a number.
    beyond: u32,
}

impl Instant {
    /// The instant of a number of microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros, beyond: 0 }
    }

    /// What is beyond the microseconds: nine digits more, as a number.
    #[must_use]
    pub const fn beyond(self) -> u32 {
        self.beyond
    }

    /// Microseconds since 1970-01-01T00:00:00Z; what is beyond them is cut off.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.micros
    }
}

impl fmt::Display for Instant {
    /// As a FHIR instant in UTC, `2024-05-01T12:00:00.5Z`, with as many digits as it has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = (self.micros.div_euclid(DAY), self.micros.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (in_day / HOUR, in_day / MINUTE % 60, in_day / SECOND % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let fraction = format!("{:06}{:09}", in_day % SECOND, self.beyond);
        match fraction.trim_end_matches('0') {
            "" => f.write_str("Z"),
            digits => write!(f, ".{digits}Z"),
        }
    }
}

/// The point in time that a text with a time of day names; `None` for a partial date and for anything else.
///
/// Seconds and zone may be missing, as in FHIR's dateTime of other versions and of some servers: missing seconds
/// are 0, a missing zone is UTC.
///
/// ```
/// use fhir_arrow::parse_instant;
///
/// let early = parse_instant("2024-05-01T12:00:00.123456+02:00").ok_or("no instant")?;
/// let late = parse_instant("2024-05-01T10:00:00.1234561Z").ok_or("no instant")?;
/// assert_eq!(early.micros(), late.micros());
/// assert!(early < late);
/// assert_eq!(parse_instant("2024-05-01"), None);
/// # Ok::<(), &'static str>(())
/// ```
#[must_use]
pub fn parse_instant(text: &str) -> Option<Instant> {
    let moment = parse(text.as_bytes())?;
    moment.has_time.then_some(Instant { micros: moment.first, beyond: moment.beyond })
}

/// The first and the last microsecond (both inclusive, since 1970-01-01T00:00:00Z) of the span that a date,
/// dateTime or instant names; `None` for a text that is none of them.
///
/// ```
/// use fhir_arrow::parse_range;
///
/// assert_eq!(parse_range("1970"), Some((0, 365 * 86_400_000_000 - 1)));
/// assert_eq!(parse_range("1970-01-01T00:00:01.5Z"), Some((1_500_000, 1_599_999)));
/// assert_eq!(parse_range("1970-02-30"), None);
/// ```
#[must_use]
pub fn parse_range(text: &str) -> Option<(i64, i64)> {
    let moment = parse(text.as_bytes())?;
    Some((moment.first, moment.last))
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

struct Moment {
    first: i64,
    last: i64,
    beyond: u32,
    has_time: bool,
}

impl Moment {
    fn of_days(first_day: i64, days: i64) -> Self {
        let first = first_day * DAY;
        Self { first, last: first + days * DAY - 1, beyond: 0, has_time: false }
    }
}

fn parse(text: &[u8]) -> Option<Moment> {
    let mut rest = text;
    let year = i64::from(digits::<4>(&mut rest)?);
    if year == 0 {
        return None;
    }
    if rest.is_empty() {
        let first = days_from_civil(year, 1, 1);
        return Some(Moment::of_days(first, days_from_civil(year + 1, 1, 1) - first));
    }
    skip(&mut rest, b'-')?;
    let month = digits::<2>(&mut rest).filter(|month| (1..=12).contains(month))?;
    let days_in_month = days_in_month(year, month);
    if rest.is_empty() {
        return Some(Moment::of_days(days_from_civil(year, month, 1), i64::from(days_in_month)));
    }
    skip(&mut rest, b'-')?;
    let day = digits::<2>(&mut rest).filter(|day| (1..=days_in_month).contains(day))?;
    let date = days_from_civil(year, month, day);
    if rest.is_empty() {
        return Some(Moment::of_days(date, 1));
    }
    skip(&mut rest, b'T')?;
    time(date * DAY, rest)
}

/// Reads `hh:mm[:ss[.f…]][zone]` after the start of its day.
fn time(midnight: i64, mut rest: &[u8]) -> Option<Moment> {
    let hour = digits::<2>(&mut rest).filter(|hour| *hour < 24)?;
    skip(&mut rest, b':')?;
    let minute = digits::<2>(&mut rest).filter(|minute| *minute < 60)?;
    let mut first = midnight + i64::from(hour) * HOUR + i64::from(minute) * MINUTE;
    let mut span = MINUTE;
    let mut beyond = 0;
    if skip(&mut rest, b':').is_some() {
        let second = digits::<2>(&mut rest).filter(|second| *second <= 60)?;
        let fraction = if skip(&mut rest, b'.').is_some() { fraction(&mut rest)? } else { Fraction::NONE };
        if second == 60 {
            (first, span) = (first + MINUTE - 1, 1);
        } else {
            (first, span) = (first + i64::from(second) * SECOND + fraction.micros, fraction.span);
            beyond = fraction.beyond;
        }
    }
    let first = first - offset(rest)?;
    Some(Moment { first, last: first + span - 1, beyond, has_time: true })
}

struct Fraction {
    micros: i64,
    /// How many microseconds the last digit stands for, at least 1.
    span: i64,
    beyond: u32,
}

impl Fraction {
    const NONE: Self = Self { micros: 0, span: SECOND, beyond: 0 };
}

fn fraction(rest: &mut &[u8]) -> Option<Fraction> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    let digit = |place: usize| u32::from(digits.get(place).map_or(0, |byte| byte - b'0'));
    let number = |places: std::ops::Range<usize>| places.fold(0, |number, place| number * 10 + digit(place));
    (length > 0).then(|| Fraction {
        micros: i64::from(number(0..6)),
        span: 10_i64.pow(6_u32.saturating_sub(u32::try_from(length).unwrap_or(u32::MAX))),
        beyond: if length > 6 { number(6..15) } else { 0 },
    })
}

/// Reads the zone up to the end of the text, as microseconds east of UTC.
fn offset(mut rest: &[u8]) -> Option<i64> {
    let sign = match rest {
        [] | b"Z" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    rest = rest.get(1..)?;
    let hours = digits::<2>(&mut rest)?;
    skip(&mut rest, b':')?;
    let minutes = digits::<2>(&mut rest).filter(|minutes| *minutes < 60)?;
    let within = rest.is_empty() && hours * 60 + minutes <= 14 * 60;
    within.then_some(sign * (i64::from(hours) * HOUR + i64::from(minutes) * MINUTE))
}

fn skip(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

fn digits<const N: usize>(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    let mut number = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    Some(number)
}

pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, by counting years from March: the leap day is then the last of its year, and
/// the days before a month are a linear function of its number.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let month = i64::from(month);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date that lies a number of days after 1970-01-01: the inverse of [`days_from_civil`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> Option<i64> {
        parse_instant(text).map(Instant::micros)
    }

    #[test]
    fn an_instant_is_counted_from_1970_in_utc() {
        assert_eq!(micros("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(micros("2024-02-29T23:59:59.123456Z"), Some(1_709_251_199_123_456));
        assert_eq!(micros("1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(micros("0001-01-01T00:00:00Z"), Some(-62_135_596_800_000_000));
        assert_eq!(micros("9999-12-31T23:59:59Z"), Some(253_402_300_799_000_000));
    }

    #[test]
    fn the_zone_is_taken_off_and_a_missing_one_is_utc() {
        assert_eq!(micros("1970-01-01T02:00:00+02:00"), Some(0));
        assert_eq!(micros("1969-12-31T18:30:00-05:30"), Some(0));
        assert_eq!(micros("1970-01-01T00:00:00"), Some(0));
        assert_eq!(micros("1970-01-01T00:00:00+14:00"), Some(-14 * HOUR));
    }

    #[test]
    fn digits_beyond_the_microsecond_order_instants() {
        let order = [
            "2024-01-01T00:00:00.123456Z",
            "2024-01-01T00:00:00.1234560001Z",
            "2024-01-01T00:00:00.123456999999999Z",
            "2024-01-01T00:00:00.123457Z",
        ];
        let instants: Vec<_> = order.iter().filter_map(|text| parse_instant(text)).collect();
        assert_eq!(instants.len(), 4);
        assert!(instants.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_range_has_the_first_and_last_microsecond_of_what_is_named() {
        let span = |text| parse_range(text).map(|(first, last)| last - first + 1);
        assert_eq!(span("2024"), Some(366 * DAY));
        assert_eq!(span("1900-02"), Some(28 * DAY));
        assert_eq!(span("2024-05-01"), Some(DAY));
        assert_eq!(span("2024-05-01T10:00"), Some(MINUTE));
        assert_eq!(span("2024-05-01T10:00:00+01:00"), Some(SECOND));
        assert_eq!(span("2024-05-01T10:00:00.123Z"), Some(1_000));
        assert_eq!(span("2024-05-01T10:00:00.123456Z"), Some(1));
        assert_eq!(span("2024-05-01T10:00:00.123456789Z"), Some(1));
        assert_eq!(parse_range("1970-01-02"), Some((DAY, 2 * DAY - 1)));
    }

    #[test]
    fn a_leap_second_is_the_last_microsecond_before_it() {
        let expected = 1_483_228_800_000_000 - 1;
        assert_eq!(parse_range("2016-12-31T23:59:60Z"), Some((expected, expected)));
        assert_eq!(parse_range("2016-12-31T23:59:60.5Z"), Some((expected, expected)));
    }

    #[test]
    fn what_is_no_date_gives_nothing() {
        let wrong = [
            "",
            "20",
            "0000",
            "2024-13",
            "2024-00",
            "2023-02-29",
            "2024-04-31",
            "2024-1-1",
            "2024-01-01 10:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:60:00Z",
            "2024-01-01T10:00:61Z",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00+15:00",
            "2024-01-01T10:00:00+0100",
            "2024-01-01T10:00:00Zulu",
            "2024-01-01T10",
            "2024-01-01T",
            "２024",
            " 2024",
        ];
        for text in wrong {
            assert_eq!(parse_range(text), None, "{text}");
            assert_eq!(parse_instant(text), None, "{text}");
        }
        assert_eq!(parse_instant("2024-01-01"), None, "a day is no instant");
    }

    #[test]
    fn every_day_of_four_centuries_is_displayed_as_it_was_read() {
        let mut day = days_from_civil(1800, 1, 1);
        let end = days_from_civil(2200, 1, 1);
        while day < end {
            let instant = Instant::from_micros(day * DAY + 12 * HOUR + 500_000);
            assert_eq!(parse_instant(&instant.to_string()), Some(instant));
            day += 1;
        }
        assert_eq!(Instant::from_micros(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(
            parse_instant("2024-05-01T12:00:00.123456789+02:00").map(|instant| instant.to_string()),
            Some("2024-05-01T10:00:00.123456789Z".to_owned())
        );
    }
}
