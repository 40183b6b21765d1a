//! Who may pass: a bearer token (RFC 6750), HTTP Basic (RFC 7617), a signed link.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Basic, Bearer};

use crate::auth::{Grant, same};
use crate::outcome::Outcome;
use crate::state::ServerState;

/// Lets an authorised request pass, with what it may read, or every request if the server is open.
pub(super) async fn require_token(
    State(state): State<Arc<ServerState>>,
    mut request: Request,
    next: Next,
) -> Response {
    match authorise(&state, request.headers()) {
        Ok(grant) => {
            request.extensions_mut().insert(grant);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    }
}

/// The same for files; where links are signed, the file itself looks at the signature.
pub(super) async fn require_token_or_link(
    state: State<Arc<ServerState>>,
    request: Request,
    next: Next,
) -> Response {
    if state.options.link_lifetime.is_some() {
        return next.run(request).await;
    }
    require_token(state, request, next).await
}

fn authorise(state: &ServerState, headers: &HeaderMap) -> Result<Grant, Box<Response>> {
    if !state.options.guarded() {
        return Ok(Grant::default());
    }
    if let Some(Authorization(basic)) = headers.typed_get::<Authorization<Basic>>() {
        let user = state.options.basic.as_ref();
        let known = user.is_some_and(|user| {
            same(user.user.as_bytes(), basic.username().as_bytes())
                && same(user.password.as_bytes(), basic.password().as_bytes())
        });
        let refusal = || unauthorized(r#"Basic realm="fhir""#, "user or password is not valid");
        return if known { Ok(Grant::default()) } else { Err(refusal()) };
    }
    let Some(Authorization(bearer)) = headers.typed_get::<Authorization<Bearer>>() else {
        let only_basic = state.options.basic.is_some()
            && state.options.bearer_token.is_none()
            && state.options.clients.is_empty();
        let challenge = if only_basic { r#"Basic realm="fhir""# } else { r#"Bearer realm="fhir""# };
        return Err(unauthorized(challenge, "the request needs authorisation"));
    };
    let fixed = state.options.bearer_token.as_ref();
    if fixed.is_some_and(|expected| same(expected.as_bytes(), bearer.token().as_bytes())) {
        return Ok(Grant::default());
    }
    state.tokens.grant(bearer.token()).ok_or_else(|| {
        unauthorized(r#"Bearer realm="fhir", error="invalid_token""#, "the bearer token is not valid")
    })
}

fn unauthorized(challenge: &'static str, diagnostics: &str) -> Box<Response> {
    let mut response = Outcome::new(StatusCode::UNAUTHORIZED, "login", diagnostics).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    Box::new(response)
}
