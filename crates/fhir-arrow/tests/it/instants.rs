//! Instants as another calendar reads them.

use chrono::{DateTime, FixedOffset, SecondsFormat};
use fhir_arrow::{parse_instant, parse_range};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_instant_is_what_chrono_says(
        micros in -62_135_000_000_000_000_i64..253_402_000_000_000_000,
        offset in -14 * 60..=14 * 60,
        digits in prop_oneof![
            Just((SecondsFormat::Secs, 1_000_000)), Just((SecondsFormat::Millis, 1_000)), Just((SecondsFormat::Micros, 1))
        ],
    ) {
        let zone = FixedOffset::east_opt(offset * 60).unwrap();
        let (format, span) = digits;
        let micros = micros - micros.rem_euclid(span);
        let text = DateTime::from_timestamp_micros(micros).unwrap().with_timezone(&zone).to_rfc3339_opts(format, true);
        assert_eq!(parse_instant(&text).map(|instant| instant.micros()), Some(micros), "{text}");
        assert_eq!(parse_range(&text), Some((micros, micros + span - 1)), "{text}");
    }

    #[test]
    fn any_text_is_read_or_not(text in "[0-9T:.+Z-]{0,30}|.{0,30}") {
        let range = parse_range(&text);
        assert!(range.is_none_or(|(first, last)| first <= last));
        let instant = parse_instant(&text).map(|instant| instant.micros());
        assert!(instant.is_none() || instant == range.map(|(first, _)| first));
    }
}
