//! `Retry-After`, in the forms in which it comes.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderValue, header};

use crate::fault::Fault;
use crate::state::ServerState;

/// Sets the header: the configured seconds, or what a fault makes of them.
pub(super) fn retry_after(state: &ServerState, uri: &str, headers: &mut HeaderMap) {
    let strikes = |fault| state.faults.strikes(fault, uri);
    let seconds = state.options.retry_after;
    let then = SystemTime::now() + Duration::from_secs(seconds);
    let value = match () {
        () if strikes(Fault::NoRetryAfter) => return,
        () if strikes(Fault::RetryAfterDate) => httpdate::fmt_http_date(then),
        () if strikes(Fault::RetryAfterMillis) => {
            let since = then.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            since.as_millis().to_string()
        }
        () if strikes(Fault::RetryAfter120) => "120".to_owned(),
        () if strikes(Fault::RetryAfter5Hours) => "18000".to_owned(),
        () => seconds.to_string(),
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(header::RETRY_AFTER, value);
    }
}
