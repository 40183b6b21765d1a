//! The requests that have arrived, for tests that look at what a client sends.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};

/// How many requests are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 50_000;

/// Which step of an export a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// `metadata`.
    Metadata,
    /// `.well-known/smart-configuration`.
    SmartConfiguration,
    /// The token endpoint.
    Token,
    /// `$export` of any level.
    KickOff,
    /// `GET` of a status URL.
    Status,
    /// `DELETE` of a status URL.
    Cancel,
    /// A file of a manifest.
    File,
    /// `GET` of a resource.
    Read,
    /// A search of a type.
    Search,
    /// Anything else.
    Other,
}

impl Step {
    /// The step of a method and a path below the origin.
    pub(crate) fn of(method: &Method, path: &str) -> Step {
        let path = path.trim_start_matches("/fhir").trim_start_matches('/');
        let first = path.split('/').next().unwrap_or("");
        match (first, path.split('/').count()) {
            ("metadata", 1) => Step::Metadata,
            (".well-known", _) => Step::SmartConfiguration,
            ("auth", _) => Step::Token,
            ("$export-status" | "$export-poll-status", _) if method == Method::DELETE => Step::Cancel,
            ("$export-status" | "$export-poll-status", _) => Step::Status,
            ("$export-file", _) => Step::File,
            _ if path.ends_with("$export") => Step::KickOff,
            (_, 2) if method == Method::GET => Step::Read,
            (name, 1) if method == Method::GET && !name.is_empty() => Step::Search,
            _ => Step::Other,
        }
    }
}

/// A request as it arrived, and the status it was answered with.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// The step it belongs to.
    pub step: Step,
    /// The method.
    pub method: Method,
    /// Path and query, as sent.
    pub uri: String,
    /// The headers; the value of `Authorization` is kept, and not shown by `Debug`.
    pub headers: HeaderMap,
    /// The body of a kick-off by POST; of all other requests, which may hold secrets, it is empty.
    pub body: Bytes,
    /// Whether it came to the second origin, where files are.
    pub other_origin: bool,
    /// The status of the answer.
    pub status: StatusCode,
}

impl SeenRequest {
    /// The text of a header; `None` if it was not sent or is not ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The last requests, in the order of their answers.
#[derive(Debug, Default)]
pub(crate) struct Record {
    seen: Mutex<VecDeque<SeenRequest>>,
}

impl Record {
    pub(crate) fn push(&self, request: SeenRequest) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(request);
    }

    pub(crate) fn all(&self) -> Vec<SeenRequest> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
