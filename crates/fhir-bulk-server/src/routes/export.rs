//! Kick-off: `$export` of the system, of all patients, of a Group; by GET and by POST.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::auth::Grant;
use crate::dataset::Dataset;
use crate::fault::Fault;
use crate::job::{Job, Plan};
use crate::outcome::Outcome;
use crate::parameters;
use crate::request::{KickOff, Reading, prefers_separate_status};
use crate::routes::retry::retry_after;
use crate::routes::segments::Segments;
use crate::selection::Level;
use crate::state::ServerState;

type Answer = Result<Response, Outcome>;

/// What a kick-off is made of, whatever its level.
pub(super) struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    grant: Grant,
    body: Bytes,
}

impl Request {
    fn reading<'a>(&self, strikes: &'a dyn Fn(Fault) -> bool) -> Reading<'a> {
        let group = self.uri.path().contains("/Group/");
        Reading { post: self.method == Method::POST, group, strikes }
    }
}

impl<S: Send + Sync> axum::extract::FromRequest<S> for Request {
    type Rejection = Response;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Response> {
        let method = request.method().clone();
        let original = request.extensions().get::<OriginalUri>().map(|OriginalUri(uri)| uri.clone());
        let uri = original.unwrap_or_else(|| request.uri().clone());
        let headers = request.headers().clone();
        let grant = request.extensions().get::<Grant>().cloned().unwrap_or_default();
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        Ok(Request { method, uri, headers, grant, body })
    }
}

/// `[base]/$export`
pub(super) async fn system(State(state): State<Arc<ServerState>>, request: Request) -> Answer {
    kick_off(&state, &request, "system", |_, _| Ok(Level::System))
}

/// `[base]/Patient/$export`
pub(super) async fn patient(State(state): State<Arc<ServerState>>, request: Request) -> Answer {
    kick_off(&state, &request, "patient", |_, _| Ok(Level::Patient))
}

/// `[base]/Group/{id}/$export`
pub(super) async fn group(
    State(state): State<Arc<ServerState>>,
    Segments(id): Segments<String>,
    request: Request,
) -> Answer {
    kick_off(&state, &request, &format!("group {id}"), |dataset, strikes| {
        Level::group(dataset, &id, strikes)?
            .ok_or_else(|| Outcome::not_found(format!("there is no Group/{id}")))
    })
}

fn kick_off(
    state: &ServerState,
    request: &Request,
    scope: &str,
    level: impl FnOnce(&Dataset, &dyn Fn(Fault) -> bool) -> Result<Level, Outcome>,
) -> Answer {
    let uri = request.uri.path_and_query().map_or("", |uri| uri.as_str());
    state.note_kick_off(uri.to_owned());
    let strikes = |fault| state.faults.strikes(fault, uri);
    refuse_method(request, scope, &strikes)?;
    let url = state.origin() + uri;
    if let Some(answer) = by_former_jobs(state, &url, scope, uri) {
        return answer;
    }
    let dataset = state.dataset();
    let level = level(&dataset, &strikes)?;
    let mut job = match parse(request, &level, &dataset, &strikes) {
        Ok(kick_off) => {
            let plan = Plan {
                level: &level,
                kick_off: &kick_off,
                rows_per_file: state.options.rows_per_file,
                base: state.base_url().as_str().trim_end_matches('/'),
                strikes: &strikes,
            };
            Job::new(&dataset, &plan, url, scope.to_owned())?
        }
        Err(outcome) if strikes(Fault::LateRefusal) && by_filter(request, &strikes) => {
            Job::failed(&dataset, outcome, url, scope.to_owned())
        }
        Err(outcome) => return Err(outcome),
    };
    job.separate_status = prefers_separate_status(&request.headers);
    tracing::debug!(job = job.id, files = job.files.len(), "accepted an export");
    let id = job.id.clone();
    state.add_job(job);
    Ok(accepted(state, &id, uri))
}

/// Whether a request that is refused would be accepted without its filters.
fn by_filter(request: &Request, strikes: &dyn Fn(Fault) -> bool) -> bool {
    let Ok(mut given) = given(request) else { return false };
    given.retain(|(name, _)| name != "_typeFilter");
    KickOff::parse(&request.headers, &given, &request.reading(strikes)).is_ok()
}

fn given(request: &Request) -> Result<Vec<parameters::Parameter>, Outcome> {
    let mut given = parameters::from_query(request.uri.query().unwrap_or(""));
    if request.method == Method::POST && !request.body.is_empty() {
        given.extend(parameters::from_body(&request.body)?);
    }
    Ok(given)
}

fn refuse_method(request: &Request, scope: &str, strikes: &dyn Fn(Fault) -> bool) -> Result<(), Outcome> {
    let method = if request.method == Method::POST { Fault::RefusePost } else { Fault::RefuseGet };
    if strikes(method) {
        let text = format!("$export by {} is not supported", request.method);
        return Err(Outcome::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", text));
    }
    if !request.headers.contains_key("epic-client-id") && strikes(Fault::NeedClientHeader) {
        return Err(Outcome::bad_request("required", "the export needs the header Epic-Client-ID"));
    }
    if !scope.starts_with("group") && strikes(Fault::GroupOnly) {
        let text = "only Group-level exports are supported";
        return Err(Outcome::new(StatusCode::NOT_FOUND, "not-supported", text));
    }
    Ok(())
}

/// The answer where a job that is there already decides it.
fn by_former_jobs(state: &ServerState, url: &str, scope: &str, uri: &str) -> Option<Answer> {
    let jobs = state.jobs();
    let strikes = |fault| state.faults.strikes(fault, uri);
    let same = jobs.iter().find(|job| job.request == url);
    if let Some(job) = same.filter(|_| strikes(Fault::SharedJob)) {
        return Some(Ok(accepted(state, &job.id, uri)));
    }
    if same.is_some() && strikes(Fault::ConflictOnRepeat) {
        let text = "the same export is there already; delete it first";
        return Some(Err(Outcome::new(StatusCode::CONFLICT, "conflict", text)));
    }
    let held = jobs.iter().any(|job| job.scope == scope) && strikes(Fault::OneJob);
    let limit = state.options.max_running_jobs;
    let running = jobs.iter().filter(|job| job.is_running(state.options.poll_rounds)).count();
    if running >= 4 && strikes(Fault::FifthJob400) {
        return Some(Err(Outcome::bad_request("too-costly", "four exports are in progress")));
    }
    if held || (limit > 0 && running >= limit) {
        let text = "another export is in progress";
        let mut response = Outcome::new(StatusCode::TOO_MANY_REQUESTS, "throttled", text).into_response();
        retry_after(state, uri, response.headers_mut());
        return Some(Ok(response));
    }
    None
}

fn parse(
    request: &Request,
    level: &Level,
    dataset: &Dataset,
    strikes: &dyn Fn(Fault) -> bool,
) -> Result<KickOff, Outcome> {
    let mut kick_off = KickOff::parse(&request.headers, &given(request)?, &request.reading(strikes))?;
    for patient in kick_off.patients.iter().flatten() {
        if !level.has_patient(dataset, patient) {
            return Err(Outcome::bad_request("value", "patient: a patient is not part of this export"));
        }
    }
    restrict(&mut kick_off, &request.grant)?;
    Ok(kick_off)
}

/// Types that the token does not allow: those asked for are refused, all others left out.
fn restrict(kick_off: &mut KickOff, grant: &Grant) -> Result<(), Outcome> {
    let Some(allowed) = &grant.types else { return Ok(()) };
    let asked: BTreeSet<String> = kick_off.types.clone().unwrap_or_else(|| allowed.clone());
    asked.iter().try_for_each(|name| grant.allow(name))?;
    kick_off.types = Some(asked);
    Ok(())
}

fn accepted(state: &ServerState, job: &str, uri: &str) -> Response {
    let strikes = |fault| state.faults.strikes(fault, uri);
    let path = if strikes(Fault::StatusUrlQuery) {
        format!("$export-poll-status?_jobId={job}")
    } else {
        format!("$export-status/{job}")
    };
    let url = state.url(&path);
    let below_origin = url.strip_prefix(&state.origin()).unwrap_or(&url);
    let location = match () {
        () if strikes(Fault::NoLocation) => return StatusCode::ACCEPTED.into_response(),
        () if strikes(Fault::RelativeLocation) => below_origin.to_owned(),
        () if strikes(Fault::ForeignLocation) => state.other_origin() + below_origin,
        () => url,
    };
    (StatusCode::ACCEPTED, [(header::CONTENT_LOCATION, location)]).into_response()
}
