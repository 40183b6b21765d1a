//! The faults that are seen on the wire alone: answers instead of the route's own, and bodies that break off.
//!
//! The layer is the outermost one, so that compression is inside it. Without rules it only takes note.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;

use crate::fault::Fault;
use crate::outcome::Outcome;
use crate::record::{SeenRequest, Step};
use crate::routes::retry::retry_after;
use crate::state::ServerState;

/// How long a body that breaks waits until it does.
const FLUSHED: Duration = Duration::from_millis(50);

/// How long a body that stalls is silent before its connection breaks.
const STALLED: Duration = Duration::from_secs(60);

/// How many bytes the body of a kick-off has at most.
const LONGEST_BODY: usize = 2 * 1024 * 1024;

/// Marks the requests of the second listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OtherOrigin;

/// What is answered instead of the route's own answer.
enum Answer {
    /// An OperationOutcome of this code.
    Outcome(u16, &'static str),
    /// A page as gateways send them.
    Page(u16),
    /// Nothing but a status.
    Empty(u16),
}

/// Faults that replace a whole answer. The first that strikes wins.
const ANSWERS: &[(Fault, Step, Answer)] = &[
    (Fault::Metadata500, Step::Metadata, Answer::Outcome(500, "exception")),
    (Fault::MetadataHtml, Step::Metadata, Answer::Page(200)),
    (Fault::SmartConfiguration404, Step::SmartConfiguration, Answer::Empty(404)),
    (Fault::Token503, Step::Token, Answer::Empty(503)),
    (Fault::TokenHtml, Step::Token, Answer::Page(200)),
    (Fault::KickOff429, Step::KickOff, Answer::Outcome(429, "throttled")),
    (Fault::KickOff503, Step::KickOff, Answer::Outcome(503, "transient")),
    (Fault::KickOff400Busy, Step::KickOff, Answer::Outcome(400, "too-costly")),
    (Fault::KickOff409, Step::KickOff, Answer::Outcome(409, "conflict")),
    (Fault::KickOff501, Step::KickOff, Answer::Outcome(501, "not-supported")),
    (Fault::KickOffHtml, Step::KickOff, Answer::Page(500)),
    (Fault::KickOffEmpty500, Step::KickOff, Answer::Empty(500)),
    (Fault::KickOff504, Step::KickOff, Answer::Page(504)),
    (Fault::Poll429, Step::Status, Answer::Outcome(429, "throttled")),
    (Fault::Poll503, Step::Status, Answer::Outcome(503, "transient")),
    (Fault::PollTransient, Step::Status, Answer::Outcome(500, "transient")),
    (Fault::PollEmpty500, Step::Status, Answer::Empty(500)),
    (Fault::PollHtml502, Step::Status, Answer::Page(502)),
    (Fault::PollFatal, Step::Status, Answer::Outcome(500, "processing")),
    (Fault::Poll401, Step::Status, Answer::Outcome(401, "login")),
    (Fault::ManifestHtml, Step::Status, Answer::Page(200)),
    (Fault::Delete404, Step::Cancel, Answer::Outcome(404, "not-found")),
    (Fault::Delete403, Step::Cancel, Answer::Outcome(403, "forbidden")),
    (Fault::Delete500, Step::Cancel, Answer::Outcome(500, "exception")),
    (Fault::File429, Step::File, Answer::Outcome(429, "throttled")),
    (Fault::File503, Step::File, Answer::Outcome(503, "transient")),
    (Fault::File502, Step::File, Answer::Page(502)),
    (Fault::File401, Step::File, Answer::Outcome(401, "login")),
    (Fault::File403, Step::File, Answer::Outcome(403, "forbidden")),
    (Fault::File404, Step::File, Answer::Outcome(404, "not-found")),
    (Fault::File410, Step::File, Answer::Outcome(410, "deleted")),
    (Fault::FileHtml, Step::File, Answer::Page(200)),
    (Fault::FileOutcome, Step::File, Answer::Outcome(200, "exception")),
    (Fault::Search500, Step::Search, Answer::Outcome(500, "exception")),
    (Fault::Read403, Step::Read, Answer::Outcome(403, "forbidden")),
];

/// Takes note of each request and answers it, as it should be or not.
pub(super) async fn layer(State(state): State<Arc<ServerState>>, request: Request, next: Next) -> Response {
    let mut seen = noted(&request);
    let response = match with_body_seen(&mut seen, request).await {
        Ok(request) => answered(&state, &seen, request, next).await,
        Err(refusal) => refusal.into_response(),
    };
    seen.status = response.status();
    state.record.push(seen);
    response
}

fn noted(request: &Request) -> SeenRequest {
    let mut headers = request.headers().clone();
    if let Some(authorization) = headers.get_mut(header::AUTHORIZATION) {
        authorization.set_sensitive(true);
    }
    SeenRequest {
        step: Step::of(request.method(), request.uri().path()),
        method: request.method().clone(),
        uri: request.uri().path_and_query().map_or("", |uri| uri.as_str()).to_owned(),
        headers,
        body: Bytes::new(),
        other_origin: request.extensions().get::<OtherOrigin>().is_some(),
        status: StatusCode::OK,
    }
}

/// The request, after its body was noted if it is a kick-off.
async fn with_body_seen(seen: &mut SeenRequest, request: Request) -> Result<Request, Outcome> {
    if seen.step != Step::KickOff || seen.method != Method::POST {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    seen.body = axum::body::to_bytes(body, LONGEST_BODY).await.map_err(|_| {
        let text = "the body is longer than the server reads, or broke off";
        Outcome::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", text)
    })?;
    Ok(Request::from_parts(parts, Body::from(seen.body.clone())))
}

async fn answered(state: &ServerState, seen: &SeenRequest, mut request: Request, next: Next) -> Response {
    if seen.step == Step::File && state.faults.strikes(Fault::NoGzip, &seen.uri) {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
    let response = match instead(state, seen) {
        Some(response) => response,
        None => next.run(request).await,
    };
    broken(state, seen, response)
}

fn instead(state: &ServerState, seen: &SeenRequest) -> Option<Response> {
    let struck = |(fault, step, _): &&(Fault, Step, Answer)| {
        *step == seen.step && state.faults.strikes(*fault, &seen.uri)
    };
    if let Some((fault, _, answer)) = ANSWERS.iter().find(struck) {
        return Some(answer.response(state, *fault, &seen.uri));
    }
    if seen.step != Step::File {
        return None;
    }
    if seen.header("authorization").is_some() && state.faults.strikes(Fault::RefuseFileToken, &seen.uri) {
        let text = "only one authentication mechanism is allowed: the link is signed, and a token came too";
        return Some(Outcome::bad_request("invalid", text).into_response());
    }
    redirect(state, seen)
}

/// A redirection of a file: to the same file on the other origin, or to itself.
fn redirect(state: &ServerState, seen: &SeenRequest) -> Option<Response> {
    let elsewhere = format!("{}{}", state.other_origin(), seen.uri);
    let strikes = |fault| state.faults.strikes(fault, &seen.uri);
    let (status, location) = match () {
        () if !seen.other_origin && strikes(Fault::Redirect307) => {
            (StatusCode::TEMPORARY_REDIRECT, elsewhere)
        }
        () if !seen.other_origin && strikes(Fault::Redirect302) => (StatusCode::FOUND, elsewhere),
        () if strikes(Fault::RedirectLoop) => (StatusCode::TEMPORARY_REDIRECT, seen.uri.clone()),
        () => return None,
    };
    Some((status, [(header::LOCATION, location)]).into_response())
}

impl Answer {
    fn response(&self, state: &ServerState, fault: Fault, uri: &str) -> Response {
        let page = Html("<!DOCTYPE html><html><body><form>Please sign in</form></body></html>");
        let status = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match self {
            Answer::Outcome(code, issue) => {
                Outcome::new(status(*code), issue, fault.description()).into_response()
            }
            Answer::Page(code) => (status(*code), page).into_response(),
            Answer::Empty(code) => status(*code).into_response(),
        };
        let waits = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        if waits.contains(&response.status()) {
            retry_after(state, uri, response.headers_mut());
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Bearer realm="fhir", error="invalid_token""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Breaks the body of an answer that went well.
fn broken(state: &ServerState, seen: &SeenRequest, response: Response) -> Response {
    if response.status() != StatusCode::OK && response.status() != StatusCode::PARTIAL_CONTENT {
        return response;
    }
    let strikes = |fault| state.faults.strikes(fault, &seen.uri);
    let complete = response.status() == StatusCode::OK;
    match seen.step {
        Step::Status if complete && strikes(Fault::ManifestCut) => cut(response, true, FLUSHED),
        Step::Status if complete && strikes(Fault::ManifestFhirJson) => {
            labelled(response, "application/fhir+json")
        }
        Step::File if strikes(Fault::FileCut) => cut(response, true, FLUSHED),
        Step::File if strikes(Fault::FileCutChunked) => cut(response, false, FLUSHED),
        Step::File if strikes(Fault::FileStall) => cut(response, true, STALLED),
        Step::File if is_gzip(&response) && strikes(Fault::FileCutGzip) => without_trailer(response),
        Step::File if is_gzip(&response) && strikes(Fault::FileUndeclaredGzip) => {
            let mut response = response;
            response.headers_mut().remove(header::CONTENT_ENCODING);
            response
        }
        Step::File if strikes(Fault::FileOctetStream) => labelled(response, "application/octet-stream"),
        Step::File if strikes(Fault::FileJsonLabel) => labelled(response, "application/json"),
        _ => response,
    }
}

fn is_gzip(response: &Response) -> bool {
    response.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip")
}

fn labelled(mut response: Response, label: &'static str) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(label));
    response
}

/// Half of the body, then a connection that breaks. A body of unknown length breaks after its first bytes.
fn cut(mut response: Response, keep_length: bool, silence: Duration) -> Response {
    let length =
        response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let limit = length.map_or(64, |length: usize| length / 2);
    if !keep_length {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let (parts, body) = response.into_parts();
    let start = body.into_data_stream().scan(limit, |left, chunk| {
        let kept = chunk.ok().filter(|_| *left > 0).map(|chunk| chunk.slice(..chunk.len().min(*left)));
        *left -= kept.as_ref().map_or(0, Bytes::len);
        std::future::ready(kept.map(Ok))
    });
    // What was sent before must leave the server, or the client would see no answer at all.
    let end = futures::stream::once(async move {
        tokio::time::sleep(silence).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Response::from_parts(parts, Body::from_stream(start.chain(end)))
}

/// The body without its last eight bytes, which in gzip are checksum and length.
fn without_trailer(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let stream = body.into_data_stream().scan(Vec::new(), |held: &mut Vec<u8>, chunk| {
        let sent = chunk.map(|chunk| {
            held.extend_from_slice(&chunk);
            let sent = held.len().saturating_sub(8);
            Bytes::from(held.drain(..sent).collect::<Vec<u8>>())
        });
        std::future::ready(Some(sent))
    });
    Response::from_parts(parts, Body::from_stream(stream))
}
