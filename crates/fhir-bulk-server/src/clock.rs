//! The logical clock: instants are read from the data, never from the wall.
//!
//! The data of a folder carries fixed dates, so a `transactionTime` of "now" would lie after every change that
//! is applied later and an export with `_since` would bring nothing. The clock therefore stands one
//! millisecond after the latest change it has seen. Invariant: the `transactionTime` of a snapshot is later
//! than every instant in it, and not later than any change that may still be applied.

use chrono::{DateTime, Duration, SecondsFormat, Utc};

/// Reads a FHIR `instant` (R4 datatypes, section 2.24.0.1): seconds and zone are mandatory.
pub(crate) fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let separated = text.as_bytes().get(10) == Some(&b'T');
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    separated.then_some(instant.with_timezone(&Utc))
}

/// Writes an instant with milliseconds, in UTC: `2026-02-01T12:34:56.790Z`.
pub(crate) fn format_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The `transactionTime` of a snapshot whose latest change or deletion is `latest`: one millisecond later, cut
/// to whole milliseconds. A snapshot without any instant has the Unix epoch.
pub(crate) fn transaction_time(latest: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let Some(latest) = latest else { return DateTime::UNIX_EPOCH };
    // Rounding down is safe: floor(t) + 1 ms is still later than t.
    DateTime::from_timestamp_millis(latest.timestamp_millis())
        .and_then(|floor| floor.checked_add_signed(Duration::milliseconds(1)))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_needs_seconds_and_zone() {
        assert!(parse_instant("2026-02-01T12:34:56.789+00:00").is_some());
        assert!(parse_instant("2026-02-01T12:34:56Z").is_some());
        for wrong in
            ["2026-02-01", "2026-02-01T12:34Z", "2026-02-01T12:34:56", "2026-02-01T12:34:56 00:00", ""]
        {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_offset_is_part_of_the_instant() {
        assert_eq!(parse_instant("2026-02-01T02:00:00+02:00"), parse_instant("2026-02-01T00:00:00Z"));
    }

    #[test]
    fn the_transaction_time_is_later_than_the_latest_change_even_below_a_millisecond() {
        for text in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.999999999Z", "1969-12-31T23:59:59.9995Z"] {
            let latest = parse_instant(text).unwrap();
            let time = transaction_time(Some(latest));
            assert!(time > latest, "{text}");
            assert_eq!(parse_instant(&format_instant(time)), Some(time), "{text}");
        }
    }
}
