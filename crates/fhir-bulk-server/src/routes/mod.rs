//! The routes, one file per step of the specification, and the layer of faults around them.

mod auth;
mod body;
mod distort;
mod export;
mod file;
mod metadata;
mod read;
mod retry;
mod search;
mod segments;
mod smart;
mod status;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;

use crate::outcome::Outcome;
use crate::state::ServerState;

pub(crate) use distort::OtherOrigin;

/// All routes: the FHIR base below `/fhir`, the token endpoint at `/auth/token`.
pub fn router(state: Arc<ServerState>) -> Router {
    let guarded = Router::new()
        .route("/$export", get(export::system).post(export::system))
        .route("/Patient/$export", get(export::patient).post(export::patient))
        .route("/Group/{id}/$export", get(export::group).post(export::group))
        .route("/$export-status/{job}", get(status::get).delete(status::delete))
        .route("/$export-poll-status", get(status::get_by_query).delete(status::delete_by_query))
        .route("/{type}", get(search::get))
        .route("/{type}/{id}", get(read::get))
        .route_layer(from_fn_with_state(state.clone(), auth::require_token));
    let files = Router::new()
        .route("/$export-file/{job}/{name}", get(file::get))
        .route_layer(from_fn_with_state(state.clone(), auth::require_token_or_link));
    let open = Router::new()
        .route("/metadata", get(metadata::get))
        .route("/.well-known/smart-configuration", get(smart::get));
    Router::new()
        .nest("/fhir", guarded.merge(files).merge(open))
        .route("/auth/token", post(token::post))
        .fallback(async || Outcome::not_found("there is no such route; the FHIR base is /fhir"))
        .method_not_allowed_fallback(async || {
            Outcome::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", "the method is not supported here")
        })
        .layer(CompressionLayer::new())
        .layer(map_response(name_encoding))
        .layer(from_fn_with_state(state.clone(), distort::layer))
        .with_state(state)
}

/// The bytes of a compressed answer are others than those that a Range counts: its ETag is another one.
async fn name_encoding(mut response: Response) -> Response {
    let encoded = response.headers().contains_key(header::CONTENT_ENCODING);
    let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok());
    if let Some(etag) = etag.filter(|_| encoded) {
        let etag = format!("{}-gzip\"", etag.trim_end_matches('"'));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
    }
    response
}
