//! The status of a job: in progress, complete, failed, deleted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::{OriginalUri, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::job::Job;
use crate::manifest::{Page, manifest};
use crate::outcome::Outcome;
use crate::routes::retry::retry_after;
use crate::routes::segments::Segments;
use crate::state::ServerState;

const X_PROGRESS: HeaderName = HeaderName::from_static("x-progress");
const X_EXPORT_STATUS: HeaderName = HeaderName::from_static("x-export-status");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a status URL carries in its query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// The page of the manifest, counted from 0.
    page: usize,
    #[serde(rename = "_jobId")]
    job: String,
}

/// `GET` of the status URL: 202 for the configured number of rounds, then the manifest, as often as asked.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    Segments(id): Segments<String>,
    Query(asked): Query<Asked>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Outcome> {
    answer(&state, &id, asked.page, &uri)
}

/// The same where the job is in the query.
pub(super) async fn get_by_query(
    State(state): State<Arc<ServerState>>,
    Query(asked): Query<Asked>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Outcome> {
    answer(&state, &asked.job, asked.page, &uri)
}

/// `DELETE` of the status URL: the job and its files are gone.
pub(super) async fn delete(
    State(state): State<Arc<ServerState>>,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Outcome> {
    if state.remove_job(&id) { Ok(StatusCode::ACCEPTED) } else { Err(no_job()) }
}

/// The same where the job is in the query.
pub(super) async fn delete_by_query(
    State(state): State<Arc<ServerState>>,
    Query(asked): Query<Asked>,
) -> Result<StatusCode, Outcome> {
    if state.remove_job(&asked.job) { Ok(StatusCode::ACCEPTED) } else { Err(no_job()) }
}

fn answer(state: &ServerState, id: &str, page: usize, uri: &Uri) -> Result<Response, Outcome> {
    let uri = uri.path_and_query().map_or("", |uri| uri.as_str());
    let strikes = |fault| state.faults.strikes(fault, uri);
    if strikes(Fault::JobLost) {
        state.remove_job(id);
    }
    let job = state.job(id).ok_or_else(no_job)?;
    let wait = Duration::from_secs(state.options.retry_after);
    if job.polled_within(wait) && strikes(Fault::PollTooSoon) {
        let text = "the status was asked for before Retry-After had passed";
        let mut response = Outcome::new(StatusCode::TOO_MANY_REQUESTS, "throttled", text).into_response();
        retry_after(state, uri, response.headers_mut());
        return Ok(response);
    }
    let response = match &job.failure {
        Some(failure) => failure.clone().with_status(StatusCode::INTERNAL_SERVER_ERROR).into_response(),
        None => {
            let (round, rounds) = (job.poll(), state.options.poll_rounds);
            if round < rounds || strikes(Fault::NeverComplete) {
                in_progress(state, &job, round, uri)
            } else {
                complete(state, &job, page, uri)?
            }
        }
    };
    let separate = job.separate_status || strikes(Fault::UnaskedExportStatus);
    Ok(if separate { separated(response) } else { response })
}

fn in_progress(state: &ServerState, job: &Job, round: u32, uri: &str) -> Response {
    let strikes = |fault| state.faults.strikes(fault, uri);
    let mut response = match () {
        () if strikes(Fault::PollProgress200) => Json(json!({"status": "in-progress"})).into_response(),
        () if strikes(Fault::PollParametersBody) => {
            let body = json!({"resourceType": "Parameters", "parameter": [
                {"name": "status", "valueCode": "in-progress"},
            ]});
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
        // What is there already, once there was time for it.
        () if round > 0 && job.partial && state.options.files_per_page > 0 => {
            let page = page(state, job, 0, uri).map(|mut page| {
                page.as_object_mut().map(|page| page.remove("link"));
                page
            });
            (StatusCode::ACCEPTED, Json(page)).into_response()
        }
        () => StatusCode::ACCEPTED.into_response(),
    };
    retry_after(state, uri, response.headers_mut());
    let progress = format!("round {} of {}", round + 1, state.options.poll_rounds);
    if let Ok(progress) = HeaderValue::from_str(&progress) {
        response.headers_mut().insert(X_PROGRESS, progress);
    }
    response
}

fn complete(state: &ServerState, job: &Job, number: usize, uri: &str) -> Result<Response, Outcome> {
    let page = page(state, job, number, uri).ok_or_else(|| Outcome::not_found("there is no such page"))?;
    let mut response = Json(page).into_response();
    let soon = state.faults.strikes(Fault::ExpiresSoon, uri);
    let expires = if soon { SystemTime::now() + Duration::from_secs(5) } else { job.expires };
    let expires = HeaderValue::from_str(&httpdate::fmt_http_date(expires));
    if let (Ok(expires), false) = (expires, state.faults.strikes(Fault::NoExpires, uri)) {
        response.headers_mut().insert(header::EXPIRES, expires);
    }
    Ok(response)
}

fn page(state: &ServerState, job: &Job, number: usize, uri: &str) -> Option<Value> {
    let by_query = uri.contains("$export-poll-status");
    let page = Page {
        number,
        files_per_page: if job.partial { state.options.files_per_page } else { 0 },
        requires_access_token: state.options.guarded() && state.options.link_lifetime.is_none(),
        file_url: &|name| state.file_url(&job.id, name),
        page_url: &|number| {
            let id = &job.id;
            if by_query {
                return state.url(&format!("$export-poll-status?_jobId={id}&page={number}"));
            }
            state.url(&format!("$export-status/{id}?page={number}"))
        },
        strikes: &|fault| state.faults.strikes(fault, uri),
    };
    manifest(job, &page)
}

/// The answer with status 200, its own status in a header (Bulk Data 3.0.0, `separate-export-status`).
fn separated(mut response: Response) -> Response {
    let status = response.status();
    let text = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or(""));
    if let Ok(text) = HeaderValue::from_str(text.trim_end()) {
        response.headers_mut().insert(X_EXPORT_STATUS, text);
    }
    let applied = HeaderValue::from_static("respond-async, separate-export-status");
    response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    *response.status_mut() = StatusCode::OK;
    response
}

fn no_job() -> Outcome {
    Outcome::not_found("there is no such job; it was deleted or has expired")
}
