//! The token endpoint.
//!
//! Specification: RFC 6749, sections 4.4 and 5; SMART App Launch 2.2, "Backend Services".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Form, OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Basic};
use serde_json::json;

use crate::auth::{Grant, Granted, check_assertion, grant, same};
use crate::fault::Fault;
use crate::options::RegisteredClient;
use crate::state::ServerState;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An error of OAuth: its code and its description.
type Refusal = (&'static str, String);

/// Gives an access token to a client that proves who it is.
pub(super) async fn post(
    State(state): State<Arc<ServerState>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Ok(Form(pairs)) = form else {
        return refused(("invalid_request", "the body is no form".to_owned()));
    };
    let form: BTreeMap<String, String> = pairs.into_iter().collect();
    let strikes = |fault| state.faults.strikes(fault, uri.path());
    match token(&state, &headers, &form, &strikes) {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
        Err(refusal) => {
            let mut response = refused(refusal);
            let by_header = headers.contains_key(header::AUTHORIZATION);
            if by_header && response.status() == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static(r#"Basic realm="token""#);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

fn refused((error, description): Refusal) -> Response {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    (status, Json(json!({"error": error, "error_description": description}))).into_response()
}

fn token(
    state: &ServerState,
    headers: &HeaderMap,
    form: &BTreeMap<String, String>,
    strikes: &dyn Fn(Fault) -> bool,
) -> Result<serde_json::Value, Refusal> {
    if strikes(Fault::TokenInvalidClient) {
        return Err(("invalid_client", "the client is not known".to_owned()));
    }
    if form.get("grant_type").is_none_or(|grant| grant != "client_credentials") {
        return Err(("unsupported_grant_type", "grant_type is client_credentials".to_owned()));
    }
    let client = client(state, headers, form)?;
    let granted = granted(client, form.get("scope").map_or("", String::as_str), strikes)?;
    let lifetime = if strikes(Fault::TokenShort) { 1 } else { state.options.token_lifetime };
    let token = state.tokens.issue(Duration::from_secs(lifetime), Grant { types: granted.types });
    let mut body = json!({"access_token": token, "token_type": "bearer", "scope": granted.scope});
    if strikes(Fault::TokenTypeCapital) {
        body["token_type"] = json!("Bearer");
    }
    if strikes(Fault::TokenExpiryZero) {
        body["expires_in"] = json!(0);
    } else if strikes(Fault::TokenExpiryString) {
        body["expires_in"] = json!(lifetime.to_string());
    } else if !strikes(Fault::TokenWithoutExpiry) {
        body["expires_in"] = json!(lifetime);
    }
    Ok(body)
}

/// The client of the request: by its assertion or by its secret.
fn client<'a>(
    state: &'a ServerState,
    headers: &HeaderMap,
    form: &BTreeMap<String, String>,
) -> Result<&'a RegisteredClient, Refusal> {
    let clients = &state.options.clients;
    if let Some(Authorization(basic)) = headers.typed_get::<Authorization<Basic>>() {
        let found = clients.iter().find(|client| client.id == basic.username()).filter(|client| {
            let secret = client.secret.as_deref();
            secret.is_some_and(|secret| same(secret.as_bytes(), basic.password().as_bytes()))
        });
        return found.ok_or(("invalid_client", "client or secret is not valid".to_owned()));
    }
    if form.get("client_assertion_type").is_none_or(|of| of != ASSERTION_TYPE) {
        return Err(("invalid_request", format!("client_assertion_type is {ASSERTION_TYPE}")));
    }
    let assertion = form.get("client_assertion");
    let assertion =
        assertion.ok_or_else(|| ("invalid_request", "there is no client_assertion".to_owned()))?;
    check_assertion(assertion, &state.token_url(), clients, &state.replays)
        .map_err(|reason| ("invalid_client", reason))
}

fn granted(
    client: &RegisteredClient,
    scope: &str,
    strikes: &dyn Fn(Fault) -> bool,
) -> Result<Granted, Refusal> {
    let invalid = |text: &str| ("invalid_scope", text.to_owned());
    let (no_rs, no_read) = (strikes(Fault::RefuseScopeRs), strikes(Fault::DropScopeRead));
    if no_rs && scope.split(' ').any(|scope| scope.ends_with(".rs")) {
        return Err(invalid("scopes end with .read"));
    }
    let understood = |permission: &str| !(no_read && permission == "read");
    let granted = grant(scope, &client.types, understood);
    if no_read && granted.is_none() && !scope.is_empty() {
        // The server drops what it does not know, and gives a token that is good for nothing.
        return Ok(Granted { scope: String::new(), types: Some(BTreeSet::new()) });
    }
    let granted = granted.ok_or_else(|| invalid("none of the scopes can be granted"))?;
    if strikes(Fault::ForbidScopeRead) && granted.scope.contains(".read") {
        return Ok(Granted { types: Some(BTreeSet::new()), ..granted });
    }
    if strikes(Fault::TokenNarrow) {
        let types = Some(BTreeSet::from(["Patient".to_owned()]));
        return Ok(Granted { scope: "system/Patient.rs".to_owned(), types });
    }
    Ok(granted)
}
