//! The files of a job, streamed, whole or in part.
//!
//! Specification: Bulk Data 3.0.0, "Bulk Data Output File Request"; RFC 9110, section 14 for Range.

use std::collections::HashMap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use headers::{ContentRange, ETag, HeaderMapExt, IfRange, Range};

use crate::fault::Fault;
use crate::outcome::Outcome;
use crate::routes::body::Content;
use crate::routes::segments::Segments;
use crate::state::ServerState;

/// `GET` of a file of the manifest: NDJSON, with its length.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    OriginalUri(uri): OriginalUri,
    Segments((job, name)): Segments<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Outcome> {
    if state.options.link_lifetime.is_some() {
        let signature = query.get("signature").map_or("", String::as_str);
        if !state.links.verify(&format!("{job}/{name}"), signature) {
            return Err(Outcome::new(StatusCode::FORBIDDEN, "expired", "the link has expired"));
        }
    }
    let found = state.job(&job).and_then(|job| job.file(&name).cloned());
    let file = found
        .ok_or_else(|| Outcome::not_found("there is no such file; its job was deleted or has expired"))?;
    let uri = uri.path_and_query().map_or("", |uri| uri.as_str());
    let strikes = |fault| state.faults.strikes(fault, uri);
    let content = Content::of(&file, &strikes);
    if let Some(binary) = binary(&content, &headers, &strikes)? {
        return Ok(binary);
    }
    Ok(answer(content, &format!("{job}-{name}"), &headers, &strikes))
}

/// The file as a Binary resource, if a fault makes it one.
fn binary(
    content: &Content,
    headers: &HeaderMap,
    strikes: &dyn Fn(Fault) -> bool,
) -> io::Result<Option<Response>> {
    let json = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/fhir+json");
    let (content, label) = match () {
        () if strikes(Fault::FileBinaryXml) => (content.in_binary(true)?, "application/fhir+xml"),
        () if strikes(Fault::FileBinaryJson) => (content.in_binary(false)?, "application/fhir+ndjson"),
        () if json && strikes(Fault::FileBinaryByAccept) => {
            (content.in_binary(false)?, "application/fhir+json")
        }
        () => return Ok(None),
    };
    let length = content.length();
    let mut response = body(content, 0, length, Pace::Full).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(label));
    Ok(Some(response))
}

fn answer(content: Content, name: &str, headers: &HeaderMap, strikes: &dyn Fn(Fault) -> bool) -> Response {
    let length = content.length();
    let version =
        if strikes(Fault::EtagChanges) { uuid::Uuid::new_v4().to_string() } else { name.to_owned() };
    let etag: Option<ETag> = format!("\"{version}\"").parse().ok();
    let pace = match () {
        () if strikes(Fault::FileSlow) => Pace::Slow,
        () if strikes(Fault::FileTinyChunks) => Pace::Tiny,
        () => Pace::Full,
    };
    let bare = strikes(Fault::FileBare) || strikes(Fault::FileEndsEarly);
    let ranges = !bare && !strikes(Fault::NoRange);
    let part = if ranges { part(headers, etag.as_ref(), length) } else { Part::Whole };
    let (from, wanted, status) = match part {
        Part::Whole => (0, length, StatusCode::OK),
        Part::Some { from, to } => (from, to - from, StatusCode::PARTIAL_CONTENT),
        Part::None => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            response.headers_mut().typed_insert(ContentRange::unsatisfied_bytes(length));
            return response;
        }
    };
    let mut response = (status, body(content, from, wanted, pace)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/fhir+ndjson"));
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = ContentRange::bytes(from..from + wanted, length)
    {
        headers.typed_insert(range);
    }
    if !bare {
        headers.typed_insert(headers::ContentLength(wanted));
        etag.into_iter().for_each(|etag| headers.typed_insert(etag));
    }
    if ranges {
        headers.typed_insert(headers::AcceptRanges::bytes());
    }
    response
}

/// What of a file is wanted.
enum Part {
    Whole,
    Some { from: u64, to: u64 },
    None,
}

/// A single range is honoured, unless `If-Range` names another version; several ranges are answered with all.
fn part(headers: &HeaderMap, etag: Option<&ETag>, length: u64) -> Part {
    let Some(range) = headers.typed_get::<Range>() else { return Part::Whole };
    if headers.typed_get::<IfRange>().is_some_and(|condition| condition.is_modified(etag, None)) {
        return Part::Whole;
    }
    let mut ranges = range.satisfiable_ranges(length);
    let Some((start, end)) = ranges.next() else { return Part::None };
    if ranges.next().is_some() {
        return Part::Whole;
    }
    let (from, to) = match (start, end) {
        (Bound::Included(from), Bound::Included(last)) => (from, last.saturating_add(1).min(length)),
        (Bound::Included(from), _) => (from, length),
        (_, Bound::Included(suffix)) => (length.saturating_sub(suffix), length),
        _ => return Part::Whole,
    };
    if from < to { Part::Some { from, to } } else { Part::None }
}

/// How a body leaves the server.
enum Pace {
    Full,
    /// With a wait before each chunk.
    Slow,
    /// In chunks of seven bytes, which cut characters in two.
    Tiny,
}

fn body(content: Content, from: u64, length: u64, pace: Pace) -> Body {
    let chunks = read_aside(content.chunks(from, length));
    match pace {
        Pace::Full => Body::from_stream(chunks),
        Pace::Slow => Body::from_stream(chunks.then(|chunk| async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            chunk
        })),
        // Without a turn between them, chunks would leave as one.
        Pace::Tiny => {
            Body::from_stream(chunks.flat_map(|chunk| stream::iter(tiny(chunk))).then(|chunk| async {
                tokio::task::yield_now().await;
                chunk
            }))
        }
    }
}

/// The chunks, each read where blocking is allowed, when it is wanted.
fn read_aside(
    chunks: impl Iterator<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let read = stream::unfold(Some(chunks), |chunks| async {
        let mut chunks = chunks?;
        match tokio::task::spawn_blocking(move || (chunks.next(), chunks)).await {
            Ok((chunk, chunks)) => Some((chunk?, Some(chunks))),
            Err(error) => Some((Err(io::Error::other(error)), None)),
        }
    });
    // Compression asks once more after the end.
    read.fuse()
}

fn tiny(chunk: io::Result<Bytes>) -> Vec<io::Result<Bytes>> {
    match chunk {
        Ok(chunk) => {
            let starts = (0..chunk.len()).step_by(7);
            starts.map(|start| Ok(chunk.slice(start..chunk.len().min(start + 7)))).collect()
        }
        Err(error) => vec![Err(error)],
    }
}
