//! `GET [base]/{Type}/{id}`: one resource, byte for byte as in the data.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::auth::Grant;
use crate::outcome::{FHIR_JSON, Outcome};
use crate::resource::Key;
use crate::routes::segments::Segments;
use crate::state::ServerState;

/// The resource; 410 if it was deleted, 404 if it never was.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    Extension(grant): Extension<Grant>,
    Segments((resource_type, id)): Segments<(String, String)>,
) -> Result<Response, Outcome> {
    grant.allow(&resource_type)?;
    let dataset = state.dataset();
    let key = Key::new(resource_type, id);
    if let Some(resource) = dataset.resource(&key) {
        return Ok(([(header::CONTENT_TYPE, FHIR_JSON)], resource.line.clone()).into_response());
    }
    let name = format!("{}/{}", key.resource_type, key.id);
    if dataset.is_deleted(&key) {
        return Err(Outcome::new(StatusCode::GONE, "deleted", format!("{name} was deleted")));
    }
    Err(Outcome::not_found(format!("there is no {name}")))
}
