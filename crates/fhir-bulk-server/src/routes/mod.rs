//! The routes below the FHIR base, one file per step of the specification.

mod auth;
mod export;
mod file;
mod metadata;
mod read;
mod segments;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::outcome::Outcome;
use crate::state::ServerState;

/// All routes, below `/fhir`.
pub fn router(state: Arc<ServerState>) -> Router {
    let guarded = Router::new()
        .route("/$export", get(export::system))
        .route("/Patient/$export", get(export::patient))
        .route("/Group/{id}/$export", get(export::group))
        .route("/$export-status/{job}", get(status::get).delete(status::delete))
        .route("/$export-file/{job}/{name}", get(file::get))
        .route("/{type}/{id}", get(read::get))
        .route_layer(from_fn_with_state(state.clone(), auth::require_token));
    let fhir = guarded.route("/metadata", get(metadata::get)).with_state(state);
    Router::new()
        .nest("/fhir", fhir)
        .fallback(async || Outcome::not_found("there is no such route; the FHIR base is /fhir"))
        .method_not_allowed_fallback(async || {
            Outcome::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", "the method is not supported here")
        })
}
