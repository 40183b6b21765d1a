//! The bearer token (RFC 6750) of all routes but `metadata`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::outcome::Outcome;
use crate::state::ServerState;

/// Lets a request pass that bears the configured token, or every request if none is configured.
pub(super) async fn require_token(
    State(state): State<Arc<ServerState>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(expected) = &state.options.bearer_token else { return next.run(request).await };
    match bearer(request.headers()) {
        Some(token) if same(token.as_bytes(), expected.as_bytes()) => next.run(request).await,
        Some(_) => {
            unauthorized(r#"Bearer realm="fhir", error="invalid_token""#, "the bearer token is not valid")
        }
        None => unauthorized(r#"Bearer realm="fhir""#, "the request needs a bearer token"),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Compares in a time that does not tell where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn unauthorized(challenge: &'static str, diagnostics: &str) -> Response {
    let mut response = Outcome::new(StatusCode::UNAUTHORIZED, "login", diagnostics).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}
