//! `GET [base]/{Type}/{id}`: one resource, byte for byte as in the data; of a Binary its content.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::Grant;
use crate::outcome::{FHIR_JSON, Outcome};
use crate::resource::{Key, Resource};
use crate::routes::segments::Segments;
use crate::state::ServerState;

/// The resource; 410 if it was deleted, 404 if it never was.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    Extension(grant): Extension<Grant>,
    Segments((resource_type, id)): Segments<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Outcome> {
    grant.allow(&resource_type)?;
    let dataset = state.dataset();
    let key = Key::new(resource_type, id);
    if let Some(resource) = dataset.resource(&key) {
        if let Some(native) = native(resource, &headers)? {
            return Ok(native);
        }
        return Ok(([(header::CONTENT_TYPE, FHIR_JSON)], resource.line.read()?).into_response());
    }
    let name = format!("{}/{}", key.resource_type, key.id);
    if dataset.is_deleted(&key) {
        return Err(Outcome::new(StatusCode::GONE, "deleted", format!("{name} was deleted")));
    }
    Err(Outcome::not_found(format!("there is no {name}")))
}

/// The content of a Binary, unless FHIR is asked for (FHIR R4 `binary.html`, section "Serving").
fn native(resource: &Resource, headers: &HeaderMap) -> Result<Option<Response>, Outcome> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    if resource.key.resource_type != "Binary" || accept.contains("fhir") {
        return Ok(None);
    }
    let binary = resource.value()?;
    let content = binary["data"].as_str().and_then(|data| STANDARD.decode(data).ok());
    let media_type = binary["contentType"].as_str().and_then(|name| HeaderValue::from_str(name).ok());
    let native = content.zip(media_type);
    Ok(native.map(|(content, media_type)| ([(header::CONTENT_TYPE, media_type)], content).into_response()))
}
