//! Dates and times with the precision that they are written with (<http://hl7.org/fhirpath/N1/#datetime-equality>).
//!
//! The one invariant: a comparison that the precision of its sides does not decide has no answer. What has a time and no zone
//! is read as UTC, like the annotations of the tables.

use std::cmp::Ordering;

use chrono::{Datelike, Days, NaiveDate};

/// A date, a date with a time, or a time, to be compared with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Year, month, day, hour, minute, microseconds of the minute. A time alone has the first three at their start.
    parts: [i64; 6],
    /// How many of them are known.
    known: usize,
}

const MINUTE: i64 = 60_000_000;

impl Moment {
    /// Reads a date or a date with a time: `2014`, `2014-01-25T14:30:14.559+01:00`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time).filter(|time| !time.is_empty())),
            None => (text, None),
        };
        let mut parts = [0, 1, 1, 0, 0, 0];
        let mut known = 0;
        for (part, width) in date.split('-').zip([4, 2, 2]) {
            parts[known] = digits(part, width)?;
            known += 1;
        }
        if date.len() != [4, 7, 10][known.checked_sub(1)?] {
            return None;
        }
        NaiveDate::from_ymd_opt(
            i32::try_from(parts[0]).ok()?,
            u32::try_from(parts[1]).ok()?,
            u32::try_from(parts[2]).ok()?,
        )?;
        let Some(time) = time.filter(|_| known == 3) else {
            return time.is_none().then_some(Self { parts, known });
        };
        let (time, zone) = split_zone(time);
        known += clock(time, &mut parts)?;
        let moment = Self { parts, known };
        moment.less_minutes(zone.map_or(Some(0), offset)?)
    }

    /// Reads a time: `14:30`, `14:30:14.559`.
    pub(crate) fn parse_time(text: &str) -> Option<Self> {
        let mut parts = [0, 1, 1, 0, 0, 0];
        let known = 3 + clock(text, &mut parts)?;
        Some(Self { parts, known })
    }

    /// The moment so many minutes earlier.
    fn less_minutes(self, minutes: i64) -> Option<Self> {
        if minutes == 0 {
            return Some(self);
        }
        let mut parts = self.parts;
        let total = parts[3] * 60 + parts[4] - minutes;
        let date = NaiveDate::from_ymd_opt(
            i32::try_from(parts[0]).ok()?,
            u32::try_from(parts[1]).ok()?,
            u32::try_from(parts[2]).ok()?,
        )?;
        let date = match total.div_euclid(1440) {
            0 => date,
            days if days < 0 => date.checked_sub_days(Days::new(days.unsigned_abs()))?,
            days => date.checked_add_days(Days::new(days.unsigned_abs()))?,
        };
        let of_day = total.rem_euclid(1440);
        parts[..5].copy_from_slice(&[
            i64::from(date.year()),
            i64::from(date.month()),
            i64::from(date.day()),
            of_day / 60,
            of_day % 60,
        ]);
        Some(Self { parts, known: self.known })
    }

    /// How the two compare; `None` where they are the same as far as both are known, and one is known further.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        let shared = self.known.min(other.known);
        match self.parts[..shared].cmp(&other.parts[..shared]) {
            Ordering::Equal if self.known != other.known => None,
            order => Some(order),
        }
    }
}

fn digits(text: &str, width: usize) -> Option<i64> {
    (text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A time, and the zone behind it.
fn split_zone(time: &str) -> (&str, Option<&str>) {
    match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], Some(&time[at..])),
        None => (time, None),
    }
}

/// The minutes that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (digits(hours, 2)? * 60 + digits(minutes, 2)?))
}

/// Reads `14`, `14:30`, `14:30:14.559`; how many parts there are.
fn clock(time: &str, parts: &mut [i64; 6]) -> Option<usize> {
    let mut texts = time.split(':');
    parts[3] = digits(texts.next()?, 2).filter(|hour| *hour < 24)?;
    let Some(minute) = texts.next() else { return Some(1) };
    parts[4] = digits(minute, 2).filter(|minute| *minute < 60)?;
    let Some(second) = texts.next() else { return Some(2) };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let micros = format!("{fraction:0<6}");
    let micros = digits(micros.get(..6)?, 6)?;
    // A leap second is the last moment of its minute, as in the tables.
    parts[5] = (digits(second, 2).filter(|second| *second <= 60)? * 1_000_000 + micros).min(MINUTE - 1);
    texts.next().is_none().then_some(3)
}

/// The first or last date of a partial one: `1970-06` → `1970-06-30`.
pub(crate) fn date_boundary(text: &str, high: bool) -> Option<String> {
    Moment::parse(text)?;
    let (date, rest) = text.split_at(text.find('T').unwrap_or(text.len()));
    rest.is_empty().then(|| whole_date(date, high))?
}

fn whole_date(date: &str, high: bool) -> Option<String> {
    match date.len() {
        4 => Some(format!("{date}-{}", if high { "12-31" } else { "01-01" })),
        7 if high => {
            let first = NaiveDate::parse_from_str(&format!("{date}-01"), "%Y-%m-%d").ok()?;
            Some(format!("{date}-{:02}", first.num_days_in_month()))
        }
        7 => Some(format!("{date}-01")),
        _ => Some(date.to_owned()),
    }
}

/// The first or last moment of a date with a time: `2010-10-10` → `2010-10-10T00:00:00.000+14:00`, since the zone that is not
/// given may be any.
pub(crate) fn date_time_boundary(text: &str, high: bool) -> Option<String> {
    Moment::parse(text)?;
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let (time, zone) = split_zone(time);
    let zone = zone.unwrap_or(if high { "-12:00" } else { "+14:00" });
    Some(format!("{}T{}{zone}", whole_date(date, high)?, whole_time(time, high)))
}

/// The first or last millisecond of a time: `12:34` → `12:34:59.999`.
pub(crate) fn time_boundary(text: &str, high: bool) -> Option<String> {
    Moment::parse_time(text)?;
    Some(whole_time(text, high))
}

fn whole_time(time: &str, high: bool) -> String {
    let full = if high { "23:59:59.999" } else { "00:00:00.000" };
    // More digits than milliseconds are kept as they are.
    let missing = full.get(time.len()..).unwrap_or_default();
    format!("{time}{missing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(left: &str, right: &str) -> Option<Ordering> {
        Moment::parse(left).unwrap().compare(Moment::parse(right).unwrap())
    }

    #[test]
    fn precision_decides_whether_there_is_an_answer() {
        assert_eq!(compare("2012", "2012"), Some(Ordering::Equal));
        assert_eq!(compare("2012", "2012-01"), None);
        assert_eq!(compare("2012", "2013-01"), Some(Ordering::Less));
        assert_eq!(compare("2012-01-01", "2012-01-01T00:00:00Z"), None);
        assert_eq!(compare("2012-01-01T10:30", "2012-01-01T10:30:00"), None);
        assert_eq!(compare("2012-01-01T10:30:00", "2012-01-01T10:30:00.000"), Some(Ordering::Equal));
    }

    #[test]
    fn zones_are_taken_into_account() {
        assert_eq!(compare("2012-01-01T00:30:00+01:00", "2011-12-31T23:30:00Z"), Some(Ordering::Equal));
        assert_eq!(compare("2012-02-29T23:30:00-01:00", "2012-03-01T00:30:00Z"), Some(Ordering::Equal));
        assert_eq!(compare("2012-01-01T00:00:00Z", "2012-01-01T00:00:00"), Some(Ordering::Equal));
    }

    #[test]
    fn boundaries_fill_what_is_not_given() {
        assert_eq!(date_boundary("1970-02", true).as_deref(), Some("1970-02-28"));
        assert_eq!(date_boundary("1972-02", true).as_deref(), Some("1972-02-29"));
        assert_eq!(date_boundary("1970", false).as_deref(), Some("1970-01-01"));
        assert_eq!(date_time_boundary("2010-10-10", false).as_deref(), Some("2010-10-10T00:00:00.000+14:00"));
        assert_eq!(date_time_boundary("2010", true).as_deref(), Some("2010-12-31T23:59:59.999-12:00"));
        assert_eq!(
            date_time_boundary("2010-10-10T10:20:30Z", true).as_deref(),
            Some("2010-10-10T10:20:30.999Z")
        );
        assert_eq!(time_boundary("12:34", true).as_deref(), Some("12:34:59.999"));
        assert_eq!(time_boundary("12:34:00.5", false).as_deref(), Some("12:34:00.500"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "2012-13", "2012-1", "2012-02-30", "2012-01-01T25:00", "x", "2012-01T10:00"] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
