//! A server that answers as a test tells it to, on a free port of this machine, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use fhir_bulk_client::{Builder, BulkClient, Url};
use std::time::Duration;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path_and_query: String,
    pub version: axum::http::Version,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// How a reply's body ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Whole,
    /// The connection breaks after the bytes; the length was announced as this many more, or not at all.
    Cut(Option<usize>),
    /// Nothing comes any more.
    Silence,
    /// Nothing comes at all.
    Never,
}

/// What to answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    end: End,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), end: End::Whole }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    pub fn ndjson(self, body: impl Into<Bytes>) -> Self {
        self.header("content-type", "application/fhir+ndjson").body(body)
    }

    pub fn outcome(self, code: &str, diagnostics: &str) -> Self {
        self.json(format!(
            r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}","diagnostics":"{diagnostics}"}}]}}"#
        ))
    }

    /// Breaks the connection after the body, `missing` bytes short of the length that the header announces.
    pub fn cut(mut self, missing: usize) -> Self {
        self.end = End::Cut(Some(missing));
        self
    }

    /// Breaks the connection in the middle of a chunked body.
    pub fn cut_chunked(mut self) -> Self {
        self.end = End::Cut(None);
        self
    }

    /// Sends the body and then nothing, without ending.
    pub fn then_silence(mut self) -> Self {
        self.end = End::Silence;
        self
    }

    /// Never answers.
    pub fn never() -> Self {
        Self { end: End::Never, ..Self::status(200) }
    }

    fn into_response(self) -> Response<Body> {
        use futures::{StreamExt, stream};
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        if let End::Cut(Some(missing)) = self.end {
            response = response.header("content-length", self.body.len() + missing);
        }
        let first = stream::iter([Ok::<_, std::io::Error>(self.body.clone())]);
        let body = match self.end {
            End::Whole => Body::from(self.body),
            // The pause lets the bytes reach the client before the connection breaks.
            End::Cut(_) => Body::from_stream(first.chain(stream::once(async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                Err(std::io::Error::other("the test breaks the connection"))
            }))),
            End::Silence | End::Never => Body::from_stream(first.chain(stream::pending())),
        };
        response.body(body).unwrap()
    }
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    replies: HashMap<String, VecDeque<Reply>>,
}

/// The server. What was not told answers 404.
pub struct Server {
    pub origin: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(listener, origin)
    }

    /// At the port of `listener`, which has this origin.
    pub fn serve<L: axum::serve::Listener>(listener: L, origin: String) -> Self
    where
        L::Addr: std::fmt::Debug,
    {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let app = axum::Router::new().fallback(move |request: Request| {
            let shared = Arc::clone(&shared);
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let reply = answer(&shared, &parts, body);
                if reply.end == End::Never {
                    std::future::pending::<()>().await;
                }
                reply.into_response()
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { origin, state }
    }

    /// Answers requests like `GET /fhir/metadata` (without the query) with `replies` in turn; the last one stays.
    pub fn on(&self, request: &str, replies: impl IntoIterator<Item = Reply>) -> &Self {
        self.state.lock().unwrap().replies.insert(request.to_owned(), replies.into_iter().collect());
        self
    }

    /// What was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&self.origin).unwrap().join(path).unwrap()
    }

    /// Settings for a client of `/fhir`, with pauses that suit a test.
    pub fn client(&self) -> Builder {
        client(self.url("/fhir"))
    }
}

/// Settings with pauses that suit a test.
pub fn client(base: Url) -> Builder {
    let pause = Duration::from_millis(2);
    BulkClient::builder(base).min_interval(pause).max_poll_interval(2 * pause).retries(2)
}

fn answer(state: &Mutex<State>, request: &Parts, body: Bytes) -> Reply {
    let mut state = state.lock().unwrap();
    state.seen.push(Seen {
        method: request.method.to_string(),
        path_and_query: request.uri.path_and_query().unwrap().to_string(),
        version: request.version,
        headers: request.headers.clone(),
        body,
    });
    match state.replies.get_mut(&format!("{} {}", request.method, request.uri.path())) {
        Some(replies) if replies.len() > 1 => replies.pop_front().unwrap(),
        Some(replies) => replies[0].clone(),
        None => Reply::status(404).outcome("not-found", "not told to the scripted server"),
    }
}

/// `text` without what differs from run to run: ports and times.
pub fn stable(text: impl ToString) -> String {
    let mut words = Vec::new();
    for word in text.to_string().split(' ') {
        let word = match word.split_once("127.0.0.1:") {
            Some((before, after)) => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}127.0.0.1:PORT{after}")
            }
            None => word.to_owned(),
        };
        words.push(word);
    }
    let text = words.join(" ");
    match text.split_once(" attempts in ") {
        Some((before, after)) => {
            format!("{before} attempts in N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => text,
    }
}
