//! Going on with a download that broke off, where it broke off.
//!
//! If the server gave the file an `ETag` and says that it sends parts, the rest is asked for
//! ([RFC 9110 section 14](https://www.rfc-editor.org/rfc/rfc9110#section-14)), on the condition that the file is still
//! the same. Otherwise the file is asked for from its start, and what is known already is compared by its hash and passed
//! over: so it is with an answer that was compressed, of which no part is a part of the file. Either way the caller gets
//! each byte once.

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue};

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
    /// Length of the whole file, if the server told it.
    pub length: Option<u64>,
}

impl Parts {
    pub(crate) fn of(answer: &Answer) -> Self {
        let etag = answer.headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")).cloned();
        // Of a body that is decoded on the way, the position in what was sent is not known.
        let allowed = answer.header(ACCEPT_RANGES).is_some_and(|units| units.eq_ignore_ascii_case("bytes"))
            && !answer.body.is_decoded();
        let length = answer.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Self { etag, allowed, length: length.filter(|_| allowed) }
    }

    /// The same after the answer to a request for the rest: a part tells nothing about the whole that is not known.
    pub(crate) fn after(&self, answer: &Answer) -> Self {
        if answer.status == StatusCode::PARTIAL_CONTENT { self.clone() } else { Self::of(answer) }
    }

    /// `call` for what follows the first `known` bytes, if the server lets it be asked for.
    fn call_from(&self, known: u64, call: &Call) -> Option<Call> {
        let etag = self.etag.as_ref().filter(|_| self.allowed)?;
        let range = HeaderValue::from_str(&format!("bytes={known}-")).ok()?;
        let call = call.clone().with_header("range", range).with_header("if-range", etag.clone());
        // A part of what is compressed is no part of the file.
        Some(Call { gzip: false, ..call })
    }

    /// Whether `answer` has what follows the first `known` bytes of the same file. Some servers honour `Range` and not
    /// its condition.
    fn fits(&self, known: u64, answer: &Answer) -> bool {
        let Some((first, length)) = answer.header(CONTENT_RANGE).and_then(content_range) else {
            return false;
        };
        let same_length = length.is_none() || self.length.is_none() || length == self.length;
        let etag = answer.headers.get(ETAG);
        let same_etag = etag.is_none_or(|etag| Some(etag) == self.etag.as_ref());
        first == known && same_length && same_etag && !answer.body.is_decoded()
    }
}

/// The rest of a file.
pub(crate) struct Rest {
    pub answer: Answer,
    /// What has been received of it beyond what was known.
    pub first: Bytes,
}

impl Rest {
    /// All that comes is new.
    pub(crate) fn whole(answer: Answer) -> Self {
        Self { answer, first: Bytes::new() }
    }
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
    let wanted = known.byte_count();
    let mut whole = None;
    if let Some(ranged) = parts.call_from(wanted, call) {
        match transport.send(&ranged).await {
            Ok(answer) if answer.status != StatusCode::PARTIAL_CONTENT => whole = Some(answer),
            Ok(answer) if parts.fits(wanted, &answer) => return Ok(Rest::whole(answer)),
            Ok(_) => {
                return Err(changed(call, "the server sends a part of another file than was begun"));
            }
            // Nothing follows, or the server has a shorter file now: the whole of it tells.
            Err(error) if error.status() == Some(StatusCode::RANGE_NOT_SATISFIABLE.as_u16()) => {}
            Err(error) => return Err(error),
        }
    }
    let mut answer = match whole {
        Some(answer) => answer,
        None => transport.send(call).await?,
    };
    let first = pass_over(&mut answer.body, known, call).await?;
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

pub(super) fn changed(call: &Call, what: &str) -> Error {
    Error::new(ErrorKind::Truncated, what)
        .with_url(call.method_name(), &call.url)
        .with_hint("fetch it again from its start")
}

/// The first position in `bytes 7-99/100`, and the length of the whole unless it is `*`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, length) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, length.trim().parse().ok()))
}
