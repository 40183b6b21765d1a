//! `.well-known/smart-configuration`: where tokens are, and what may be asked for.
//!
//! Specification: SMART App Launch 2.2, "Conformance".

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::outcome::Outcome;
use crate::state::ServerState;

/// The configuration; 404 where no client can get a token.
pub(super) async fn get(State(state): State<Arc<ServerState>>, uri: Uri) -> Result<Json<Value>, Outcome> {
    if state.options.clients.is_empty() {
        return Err(Outcome::not_found("the server gives no tokens"));
    }
    let strikes = |fault| state.faults.strikes(fault, uri.path());
    let mut configuration = json!({
        "token_endpoint": state.token_url(),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    });
    if !strikes(Fault::SmartWithoutScopes) {
        let mut scopes = Vec::new();
        if !strikes(Fault::DropScopeRead) {
            scopes.push("system/*.read");
        }
        if !strikes(Fault::RefuseScopeRs) {
            scopes.push("system/*.rs");
        }
        configuration["scopes_supported"] = json!(scopes);
    }
    Ok(Json(configuration))
}
