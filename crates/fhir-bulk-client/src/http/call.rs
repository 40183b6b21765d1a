//! What is sent, and what comes back.

use std::borrow::Cow;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::Body;

/// Headers of an answer that may be shown: they help to find a request in a server's log, and hold no secret.
const SHOWN: [&str; 9] = [
    "content-type",
    "date",
    "expires",
    "preference-applied",
    "retry-after",
    "server",
    "x-correlation-id",
    "x-progress",
    "x-request-id",
];

/// What to send.
#[derive(Clone)]
pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub accept: Cow<'static, str>,
    /// Whether the token is sent if the URL is of an origin that may see it.
    pub authorize: bool,
    /// Whether sending it twice does the same as once.
    pub repeatable: bool,
    /// Whether the answer may be compressed.
    pub gzip: bool,
    /// Whether a body that is gzip without saying so is decompressed.
    pub sniff: bool,
    /// Further headers. A redirect to another origin loses them, but for those that ask for a part of a file.
    pub headers: HeaderMap,
    /// The media type of a body, and the body.
    pub body: Option<(&'static str, Bytes)>,
}

impl Call {
    /// A `GET` with the token, safe to repeat.
    pub(crate) fn get(url: Url, accept: &'static str) -> Self {
        Self {
            method: Method::GET,
            url,
            accept: Cow::Borrowed(accept),
            authorize: true,
            repeatable: true,
            gzip: true,
            sniff: true,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// A `POST` with the token, not to be repeated once the server may have acted on it.
    pub(crate) fn post(url: Url, accept: &'static str, media_type: &'static str, body: Bytes) -> Self {
        Self {
            method: Method::POST,
            repeatable: false,
            body: Some((media_type, body)),
            ..Self::get(url, accept)
        }
    }

    /// The same with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn method_name(&self) -> &'static str {
        match self.method {
            Method::DELETE => "DELETE",
            Method::POST => "POST",
            _ => "GET",
        }
    }
}

/// A successful response.
pub(crate) struct Answer {
    pub status: StatusCode,
    /// Where it came from, after redirects.
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Body,
    /// How many times the request was sent before.
    pub retries: u32,
}

impl Answer {
    /// A header, if it is text.
    pub(crate) fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().ok()?.trim())
    }
}

/// The headers that may be shown.
pub(crate) fn shown_headers(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let text = |name: &'static str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name, crate::outcome::one_line(value)))
    };
    SHOWN.into_iter().filter_map(text).collect()
}
