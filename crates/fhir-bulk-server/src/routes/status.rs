//! The status of a job: in progress, complete, deleted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::job::{Job, JobFile};
use crate::manifest::Manifest;
use crate::outcome::Outcome;
use crate::routes::segments::Segments;
use crate::state::ServerState;

/// `GET` of the status URL: 202 for the configured number of rounds, then the manifest, as often as asked.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    Segments(id): Segments<String>,
) -> Result<Response, Outcome> {
    let job = state.job(&id).ok_or_else(no_job)?;
    let (round, rounds) = (job.poll(), state.options.poll_rounds);
    if round < rounds {
        return Ok(in_progress(round, rounds, state.options.retry_after));
    }
    Ok(complete(&state, &job))
}

/// `DELETE` of the status URL: the job and its files are gone.
pub(super) async fn delete(
    State(state): State<Arc<ServerState>>,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Outcome> {
    if state.remove_job(&id) { Ok(StatusCode::ACCEPTED) } else { Err(no_job()) }
}

fn in_progress(round: u32, rounds: u32, retry_after: u64) -> Response {
    let progress = format!("round {} of {rounds}", round + 1);
    let headers =
        [(header::RETRY_AFTER, retry_after.to_string()), (HeaderName::from_static("x-progress"), progress)];
    (StatusCode::ACCEPTED, headers).into_response()
}

fn complete(state: &ServerState, job: &Job) -> Response {
    let url = |file: &JobFile| state.url(&format!("$export-file/{}/{}", job.id, file.name));
    let manifest = Manifest::new(job, state.options.bearer_token.is_some(), url);
    let expires = httpdate::fmt_http_date(job.expires);
    ([(header::EXPIRES, expires)], Json(manifest)).into_response()
}

fn no_job() -> Outcome {
    Outcome::not_found("there is no such job; it was deleted or has expired")
}
