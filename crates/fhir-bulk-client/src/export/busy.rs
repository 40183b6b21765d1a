//! Refusals that mean "not now": other exports are running. Servers say so with 429, 409, 400 or 503.

use crate::http::Failure;

/// Words of which one is in the refusal of a server that runs as many exports as it can.
const BUSY: [&str; 9] = [
    "concurrent",
    "too many",
    "already running",
    "already in progress",
    "in progress",
    "maximum number",
    "limit reached",
    "another export",
    "existing export",
];

/// What the words have to be about.
const ABOUT: [&str; 4] = ["export", "job", "request", "operation"];

/// Whether a kick-off was refused because of other exports.
pub(crate) fn is_busy(failure: &Failure) -> bool {
    let Some(status) = failure.error.status() else { return false };
    let says_so = || {
        let Some(outcome) = &failure.outcome else { return false };
        let words = outcome.words().to_ascii_lowercase();
        let contains = |list: &[&str]| list.iter().any(|word| words.contains(word));
        outcome.has_code(&["throttled", "lock-error"]) || (contains(&BUSY) && contains(&ABOUT))
    };
    matches!(status, 409 | 429) || (matches!(status, 400 | 403 | 422 | 500 | 503) && says_so())
}
