//! When to ask again: `Retry-After`, exponential back-off and the limits of both.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The pauses between two requests for the same thing: each lies between `min` and `max`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// The first step of the back-off and the floor under what a server asks for.
    pub min: Duration,
    /// The ceiling of the back-off and over what a server asks for.
    pub max: Duration,
}

impl Pauses {
    /// The pause before the next request: what the server asked for, else `min` doubled for each of `earlier`
    /// requests that came to nothing.
    pub(crate) fn next(&self, asked: Option<Duration>, earlier: u32) -> Duration {
        let wanted =
            asked.unwrap_or_else(|| self.min.saturating_mul(1_u32.checked_shl(earlier).unwrap_or(u32::MAX)));
        // `max` wins over `min`, where `clamp` would panic.
        wanted.max(self.min).min(self.max)
    }
}

/// The pause that a response asks for by `Retry-After`
/// ([RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)): seconds, or a date.
///
/// A date is compared with the response's own `Date`, so that a wrong clock on either side does no harm. A value
/// that is neither counts as absent.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    const PAUSES: Pauses = Pauses { min: Duration::from_secs(1), max: Duration::from_secs(60) };

    fn asked(retry_after_value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after_value));
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked(" 0 "), Some(Duration::ZERO));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(asked("Sunday, 06-Nov-94 08:49:40 GMT"), Some(Duration::from_secs(3)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "a date in the past is now");
        assert_eq!(asked("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn a_retry_after_that_says_nothing_counts_as_absent() {
        for value in ["", "soon", "-5", "1.5", "12 monkeys"] {
            assert_eq!(asked(value), None, "{value:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_ceiling() {
        let steps: Vec<u64> = (0..8).map(|earlier| PAUSES.next(None, earlier).as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(PAUSES.next(None, u32::MAX).as_secs(), 60);
    }

    #[test]
    fn what_the_server_asks_for_is_held_between_floor_and_ceiling() {
        assert_eq!(PAUSES.next(Some(Duration::ZERO), 5).as_secs(), 1);
        assert_eq!(PAUSES.next(Some(Duration::from_secs(17)), 5).as_secs(), 17);
        assert_eq!(PAUSES.next(Some(Duration::from_secs(18_000)), 0).as_secs(), 60);
    }
}
