//! Going on with a download that broke off, where it broke off.
//!
//! If the server gave the file an `ETag` and says that it sends parts, the rest is asked for
//! ([RFC 9110 section 14](https://www.rfc-editor.org/rfc/rfc9110#section-14)), on the condition that the file is still
//! the same. Otherwise the file is asked for from its start, and what is known already is compared by its hash and passed
//! over. Either way the caller gets each byte once.

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue};

use crate::error::{Error, ErrorKind};
use crate::http::{Answer, Body, Call, Transport};
use crate::ndjson::Tally;

/// How the server lets parts of a file be asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// The file's `ETag`, if it is a strong one: a weak one does not promise the same bytes.
    pub etag: Option<HeaderValue>,
    /// Whether the server says that it sends parts of the bytes as the caller gets them.
    pub allowed: bool,
}

impl Parts {
    pub(crate) fn of(answer: &Answer) -> Self {
        let etag = answer.headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")).cloned();
        // Of a body that is decoded on the way, the position in what was sent is not known.
        let allowed = answer.header(ACCEPT_RANGES).is_some_and(|units| units.eq_ignore_ascii_case("bytes"))
            && !answer.body.is_decoded();
        Self { etag, allowed }
    }
}

/// The rest of a file.
pub(crate) struct Rest {
    pub answer: Answer,
    /// What has been received of it beyond what was known.
    pub first: Bytes,
}

/// Asks for what follows the bytes that `known` has seen.
///
/// # Errors
/// [`ErrorKind::Truncated`] if the file is another one now; as any request otherwise.
pub(crate) async fn rest_of(
    transport: &Transport,
    call: &Call,
    known: &Tally,
    parts: &Parts,
) -> Result<Rest, Error> {
    let mut call = call.clone();
    let wanted = known.byte_count();
    if let (true, Some(etag)) = (parts.allowed, &parts.etag) {
        let range = HeaderValue::from_str(&format!("bytes={wanted}-"));
        if let Ok(range) = range {
            call = call.with_header("range", range).with_header("if-range", etag.clone());
            // A part of what is compressed is no part of the file.
            call.gzip = false;
        }
    }
    let mut answer = transport.send(&call).await?;
    if answer.status == StatusCode::PARTIAL_CONTENT {
        return match first_byte(&answer.headers) {
            Some(first) if first == wanted && !answer.body.is_decoded() => {
                Ok(Rest { answer, first: Bytes::new() })
            }
            _ => Err(changed(&call, "the server sends another part of the file than was asked for")),
        };
    }
    let first = pass_over(&mut answer.body, known, &call).await?;
    Ok(Rest { answer, first })
}

/// Passes over the bytes that are known, and returns what came with the last of them.
async fn pass_over(body: &mut Body, known: &Tally, call: &Call) -> Result<Bytes, Error> {
    let mut again = Tally::new();
    while again.byte_count() < known.byte_count() {
        let Some(mut chunk) = body.chunk().await? else { break };
        let missing = usize::try_from(known.byte_count() - again.byte_count()).unwrap_or(usize::MAX);
        let head = chunk.split_to(missing.min(chunk.len()));
        again.update(&head);
        if again.byte_count() == known.byte_count() {
            return if again.same_bytes(known) { Ok(chunk) } else { Err(changed(call, CHANGED)) };
        }
    }
    if known.byte_count() == 0 { Ok(Bytes::new()) } else { Err(changed(call, CHANGED)) }
}

const CHANGED: &str = "the file is no longer what it was when its download broke off";

fn changed(call: &Call, what: &str) -> Error {
    Error::new(ErrorKind::Truncated, what)
        .with_url(call.method_name(), &call.url)
        .with_hint("fetch it again from its start")
}

/// The position in `bytes 7-99/100`.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    text.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}
