//! Dates as searches compare them: each is a span, as long as its precision.
//!
//! Specification: FHIR R4 `search.html#date`.

use chrono::{DateTime, Duration, Months, NaiveDate, Utc};
use serde_json::Value;

/// From the first instant to the first one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Span {
    /// Reads `2026`, `2026-02`, `2026-02-01` or an instant; without a zone, it is UTC.
    fn parse(text: &str) -> Option<Span> {
        if let Ok(from) = DateTime::parse_from_rfc3339(text) {
            let from = from.with_timezone(&Utc);
            let length = if text.contains('.') { Duration::milliseconds(1) } else { Duration::seconds(1) };
            return Some(Span { from, to: from + length });
        }
        let day = |text: &str| {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc())
        };
        let (from, to) = match text.len() {
            4 => {
                day(&format!("{text}-01-01")).map(|from| (from, from.checked_add_months(Months::new(12))))?
            }
            7 => day(&format!("{text}-01")).map(|from| (from, from.checked_add_months(Months::new(1))))?,
            _ => day(text).map(|from| (from, from.checked_add_signed(Duration::days(1))))?,
        };
        Some(Span { from, to: to? })
    }

    /// The span of a value in a resource: a date, or a Period, of which an end may be open.
    pub(crate) fn of(value: &Value) -> Option<Span> {
        if let Some(text) = value.as_str() {
            return Span::parse(text);
        }
        let end = |name: &str| value.get(name).and_then(Value::as_str).and_then(Span::parse);
        let (start, end) = (end("start"), end("end"));
        start.or(end)?;
        Some(Span {
            from: start.map_or(DateTime::<Utc>::MIN_UTC, |start| start.from),
            to: end.map_or(DateTime::<Utc>::MAX_UTC, |end| end.to),
        })
    }
}

/// A value of a date parameter, `ge2026-01-01`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition<'a> {
    prefix: &'a str,
    span: Span,
}

impl<'a> Condition<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Condition<'a>> {
        let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (prefix, rest) = text.split_at(letters);
        let known = ["", "eq", "ne", "gt", "ge", "lt", "le", "sa", "eb"].contains(&prefix);
        Some(Condition { prefix, span: Span::parse(rest).filter(|_| known)? })
    }

    pub(crate) fn holds(&self, value: Span) -> bool {
        let (from, to) = (self.span.from, self.span.to);
        let equal = from <= value.from && value.to <= to;
        match self.prefix {
            "ne" => !equal,
            "gt" => value.to > to,
            "ge" => value.to > to || equal,
            "lt" => value.from < from,
            "le" => value.from < from || equal,
            "sa" => value.from >= to,
            "eb" => value.to <= from,
            _ => equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_are_compared_as_long_as_they_are() {
        let holds = |condition: &str, value: Value| {
            Condition::parse(condition).unwrap().holds(Span::of(&value).unwrap())
        };
        assert!(holds("2026-02", json!("2026-02-28")));
        assert!(holds("2024", json!("2024-12-31T23:59:59Z")));
        assert!(!holds("2026-02-01", json!("2026-02")));
        assert!(holds("gt2018-07-01T00:00:00Z", json!("2018-07-02")));
        assert!(!holds("lt2026-01-01", json!("2026-01-01T00:00:00Z")));
        assert!(holds("le2026-01-01", json!("2026-01-01T00:00:00Z")));
        assert!(holds("ge2026-01-01", json!({"start": "2020-01-01"})));
        assert!(holds("eb2026-01-01", json!({"end": "2025-12-31"})));
        assert!(holds("sa2026-01-01", json!({"start": "2026-01-02"})));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "yesterday", "xx2026", "2026-13", "ge", "20260101"] {
            assert!(Condition::parse(text).is_none(), "{text}");
        }
    }
}
