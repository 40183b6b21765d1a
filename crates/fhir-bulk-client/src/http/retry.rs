//! When to ask again: `Retry-After`, exponential back-off with jitter, and the limits of both.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// From here on a number of seconds is taken for an instant: no server means 31 years.
const EPOCH_SECONDS: u64 = 1_000_000_000;

/// From here on the instant is in milliseconds: in seconds it would lie 3,000 years ahead.
const EPOCH_MILLISECONDS: u64 = 100_000_000_000;

/// The pauses between two requests for the same thing: each lies between `min` and `max`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// The first step of the back-off and the floor under what a server asks for.
    pub min: Duration,
    /// The ceiling of the back-off and over what a server asks for.
    pub max: Duration,
}

impl Pauses {
    /// The pauses of one series of requests, from the first step on.
    pub(crate) fn begin(self) -> Backoff {
        // The jitter adds up to as much again, also to the last step, which therefore is half of the ceiling: clients
        // that wait for the same server then do not ask at the same time.
        let builder = ExponentialBuilder::new()
            .with_min_delay(self.min.min(self.max / 2))
            .with_max_delay(self.max / 2)
            .without_max_times()
            .with_jitter();
        Backoff { steps: builder.build(), pauses: self }
    }
}

/// The pauses of one series of requests.
pub(crate) struct Backoff {
    steps: ExponentialBackoff,
    pauses: Pauses,
}

impl Backoff {
    /// The pause before the next request: what the server asked for, else about twice the one before.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let Pauses { min, max } = self.pauses;
        let wanted = asked.or_else(|| self.steps.next()).unwrap_or(max);
        // `max` wins over `min`, where `clamp` would panic.
        wanted.max(min).min(max)
    }
}

/// The pause that a response asks for by `Retry-After`
/// ([RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)): seconds, or a date.
///
/// Instants are compared with the response's own `Date`, so that a wrong clock on either side does no harm. Numbers
/// that are no number of seconds but an instant since 1970, in seconds or milliseconds, are read as what they are. A
/// value that is nothing of the kind counts as absent.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        match value.parse().unwrap_or(u64::MAX) {
            seconds @ 0..EPOCH_SECONDS => return Some(Duration::from_secs(seconds)),
            seconds @ EPOCH_SECONDS..EPOCH_MILLISECONDS => after_epoch(Duration::from_secs(seconds))?,
            milliseconds => after_epoch(Duration::from_millis(milliseconds))?,
        }
    } else {
        return time_until(value, headers);
    };
    let now = date(headers).unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

/// How long it is until an HTTP date in a response with these headers: zero if it is over, none if it is no date. `0` and
/// `-1`, which caches are sent, are none.
pub(crate) fn time_until(date_text: &str, headers: &HeaderMap) -> Option<Duration> {
    let until = httpdate::parse_http_date(date_text.trim()).ok()?;
    let now = date(headers).unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

/// The response's own time, by its `Date`.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

fn after_epoch(duration: Duration) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(duration)
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
        assert_eq!(asked("1209600"), Some(Duration::from_secs(14 * 86_400)), "two weeks are two weeks");
    }

    #[test]
    fn an_instant_since_1970_is_not_taken_for_a_number_of_seconds() {
        // The `Date` of the response is 784111777.
        assert_eq!(asked("784111777"), Some(Duration::from_secs(784_111_777)), "too small to tell");
        assert_eq!(asked("1784111777"), Some(Duration::from_secs(1_000_000_000)));
        assert_eq!(asked("784111807500"), Some(Duration::from_millis(30_500)));
        assert_eq!(asked("784111777000"), Some(Duration::ZERO));
        assert!(asked("99999999999999999999999").is_none_or(|pause| pause > PAUSES.max));
    }

    #[test]
    fn a_retry_after_that_says_nothing_counts_as_absent() {
        for value in ["", "soon", "-5", "1.5", "12 monkeys"] {
            assert_eq!(asked(value), None, "{value:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_ceiling_and_no_two_series_are_alike() {
        let series = || {
            let mut backoff = PAUSES.begin();
            (0..40).map(|_| backoff.next(None)).collect::<Vec<_>>()
        };
        let pauses = series();
        for (step, pause) in [1, 2, 4, 8, 16, 30, 30].into_iter().zip(&pauses) {
            let step = Duration::from_secs(step);
            assert!(*pause >= step && *pause <= 2 * step, "{pauses:?}");
        }
        assert!(pauses.iter().all(|pause| *pause >= PAUSES.min && *pause <= PAUSES.max));
        assert_ne!(series(), pauses);
    }

    #[test]
    fn what_the_server_asks_for_is_held_between_floor_and_ceiling() {
        let next = |asked| PAUSES.begin().next(Some(Duration::from_secs(asked))).as_secs();
        assert_eq!((next(0), next(17), next(18_000)), (1, 17, 60));
    }

    #[test]
    fn a_ceiling_below_the_floor_wins() {
        let pauses = Pauses { min: Duration::from_secs(5), max: Duration::from_secs(2) };
        let mut backoff = pauses.begin();
        assert!((0..5).all(|_| backoff.next(None) <= Duration::from_secs(2)));
    }
}
