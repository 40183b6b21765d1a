//! Kick-off: `$export` of the system, of all patients, of a Group.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use fhir_definitions::Definitions;

use crate::dataset::Dataset;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::request::KickOff;
use crate::routes::segments::Segments;
use crate::selection::Level;
use crate::state::ServerState;

type Answer = Result<Response, Outcome>;

/// `GET [base]/$export`
pub(super) async fn system(
    State(state): State<Arc<ServerState>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    kick_off(&state, &uri, &headers, |_| Ok(Level::System))
}

/// `GET [base]/Patient/$export`
pub(super) async fn patient(
    State(state): State<Arc<ServerState>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    kick_off(&state, &uri, &headers, |_| Ok(Level::Patient))
}

/// `GET [base]/Group/{id}/$export`
pub(super) async fn group(
    State(state): State<Arc<ServerState>>,
    OriginalUri(uri): OriginalUri,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Answer {
    kick_off(&state, &uri, &headers, |dataset| {
        Level::group(dataset, &id).ok_or_else(|| Outcome::not_found(format!("there is no Group/{id}")))
    })
}

fn kick_off(
    state: &ServerState,
    uri: &Uri,
    headers: &HeaderMap,
    level: impl FnOnce(&Dataset) -> Result<Level, Outcome>,
) -> Answer {
    state.note_kick_off(uri.to_string());
    let dataset = state.dataset();
    let level = level(&dataset)?;
    let definitions = Definitions::r4();
    let kick_off = KickOff::parse(headers, uri.query().unwrap_or(""), |name| definitions.is_resource(name))?;
    let request = state.origin() + uri.path_and_query().map_or("", |uri| uri.as_str());
    let job = Job::new(&dataset, &level, &kick_off, request, state.options.rows_per_file);
    tracing::debug!(job = job.id, files = job.files.len(), "accepted an export");

    let status_url = state.url(&format!("$export-status/{}", job.id));
    state.add_job(job);
    Ok((StatusCode::ACCEPTED, [(header::CONTENT_LOCATION, status_url)]).into_response())
}
