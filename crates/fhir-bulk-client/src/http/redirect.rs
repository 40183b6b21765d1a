//! Where a response redirects to, and whether the client goes there.
//!
//! Invariant: a request that changes something, or has a body, is sent on only as it is (307 and 308), and a body only
//! within its origin: a kick-off may name patients. From https no redirect leads to http.

use reqwest::header::{HeaderMap, IF_RANGE, LOCATION, RANGE};
use reqwest::{Method, StatusCode};

use super::Call;
use crate::error::{Error, ErrorKind};

/// The request that follows the answer `status` with `headers` to `call`, if it is a redirect.
///
/// # Errors
/// [`ErrorKind::Protocol`] for a redirect that must not be followed.
pub(crate) fn redirected(
    call: &Call,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Call>, Error> {
    // 301 to 303 would turn a POST or DELETE into a GET of something else.
    let followed = match call.method {
        Method::GET => matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308),
        _ => matches!(status.as_u16(), 307 | 308),
    };
    let Some(location) = headers.get(LOCATION).filter(|_| followed) else { return Ok(None) };
    let refused = |what: &str| {
        let error = Error::new(ErrorKind::Protocol, what).with_url(call.method_name(), &call.url);
        error.with_status(status.as_u16())
    };
    let target = location.to_str().ok().and_then(|location| call.url.join(location.trim()).ok());
    let target = target.ok_or_else(|| refused("the server redirects to something that is no URL"))?;
    if call.url.scheme() == "https" && target.scheme() != "https" {
        return Err(refused("the server redirects from https to an unencrypted address"));
    }
    let mut next = call.clone();
    if target.origin() != call.url.origin() {
        if call.body.is_some() {
            return Err(refused("the server redirects a request with a body to another origin"));
        }
        // Also where the target may see the token: whoever sends the client elsewhere may not send the token along.
        next.authorize = false;
        next.headers.clear();
        for name in [RANGE, IF_RANGE] {
            if let Some(value) = call.headers.get(&name) {
                next.headers.insert(name, value.clone());
            }
        }
    }
    next.url = target;
    Ok(Some(next))
}
