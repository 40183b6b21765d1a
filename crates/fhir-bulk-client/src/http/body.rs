//! A response's body, decoded, and known to be whole when it ends.
//!
//! HTTP itself tells a body that ends early if it has a `Content-Length`, is chunked, or comes by HTTP/2; gzip tells
//! it by its trailer. A plain body without any of these that is cut cannot be told from a whole one here: compare the
//! line count with the manifest's `count`.

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::Version;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use url::Url;

use super::Call;
use super::gunzip::Gunzip;
use crate::error::{Error, ErrorKind};

/// The body of one response.
pub(crate) struct Body {
    method: &'static str,
    url: Url,
    response: Response,
    /// What has been received and not yet been decoded.
    pending: Bytes,
    /// What `Content-Encoding` names, and then what the bytes themselves are.
    declared: Option<Gunzip>,
    sniffed: Gunzip,
    /// Whether `sniffed` has found gzip.
    compressed: bool,
    ended: bool,
}

impl Body {
    /// The body of `response` to `call`.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] if it has an encoding that was not asked for.
    pub(crate) fn new(call: &Call, response: Response) -> Result<Self, Error> {
        let (method, url) = (call.method_name(), call.url.clone());
        let encoding = header(&response, &CONTENT_ENCODING).unwrap_or_default().to_ascii_lowercase();
        let declared = match encoding.as_str() {
            "" | "identity" => None,
            "gzip" | "x-gzip" => Some(Gunzip::declared()),
            other => {
                let what = format!("the body has the content encoding {other:?}, which was not asked for");
                return Err(Error::new(ErrorKind::Protocol, what)
                    .with_url(method, &url)
                    .with_status(response.status().as_u16()));
            }
        };
        let sniffed = if call.sniff { Gunzip::sniffing() } else { Gunzip::Plain };
        let pending = Bytes::new();
        Ok(Self { method, url, response, pending, declared, sniffed, compressed: false, ended: false })
    }

    /// Whether the bytes that were sent are others than those that come out.
    pub(crate) fn is_decoded(&self) -> bool {
        self.declared.is_some() || self.compressed
    }

    /// Whether an early end of the body would have been an error: by its length, its chunks, its frames or its trailer.
    pub(crate) fn end_is_proven(&self) -> bool {
        let headers = self.response.headers();
        headers.contains_key(CONTENT_LENGTH)
            || headers.contains_key(TRANSFER_ENCODING)
            || self.response.version() > Version::HTTP_11
            || self.is_decoded()
    }

    /// A header of the response, if it is text.
    pub(crate) fn header(&self, name: &reqwest::header::HeaderName) -> Option<String> {
        header(&self.response, name)
    }

    /// The media type, in lower case and without parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.header(&CONTENT_TYPE)?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// The next decoded bytes, never empty, or none at the end.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the body ends before its end, [`ErrorKind::Timeout`] if nothing comes any more,
    /// [`ErrorKind::Protocol`] if it is no sound gzip.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.ended {
            if self.pending.is_empty() {
                match self.response.chunk().await {
                    Ok(Some(received)) => self.pending = received,
                    Ok(None) => {
                        self.ended = true;
                        let rest = self.finish().map_err(|_| self.truncated("the gzip data is cut off"))?;
                        return Ok(Some(rest).filter(|rest| !rest.is_empty()));
                    }
                    Err(error) => {
                        self.ended = true;
                        return Err(self.broken(&error));
                    }
                }
            }
            let decoded = self.decode().map_err(|error| {
                self.ended = true;
                self.error(ErrorKind::Protocol, &format!("the body is no sound gzip: {error}"))
            })?;
            if !decoded.is_empty() {
                return Ok(Some(decoded));
            }
        }
        Ok(None)
    }

    fn decode(&mut self) -> std::io::Result<Bytes> {
        let decoded = match &mut self.declared {
            None => self.sniffed.push(&mut self.pending),
            Some(declared) => {
                let mut inner = declared.push(&mut self.pending)?;
                drain(&mut self.sniffed, &mut inner)
            }
        };
        self.compressed |= self.sniffed.is_compressed();
        decoded
    }

    fn finish(&mut self) -> std::io::Result<Bytes> {
        let mut inner = self.declared.as_mut().map_or(Ok(Bytes::new()), Gunzip::finish)?;
        let mut rest = BytesMut::from(&drain(&mut self.sniffed, &mut inner)?[..]);
        rest.extend_from_slice(&self.sniffed.finish()?);
        Ok(rest.freeze())
    }

    /// The whole body, for a document that has to fit into memory.
    ///
    /// # Errors
    /// As [`Body::chunk`]; [`ErrorKind::Protocol`] if it is longer than `limit` bytes.
    pub(crate) async fn read(mut self, limit: usize) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > limit {
                return Err(
                    self.error(ErrorKind::Protocol, &format!("the body is longer than {limit} bytes"))
                );
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    fn broken(&self, error: &reqwest::Error) -> Error {
        if error.is_timeout() {
            return self.error(ErrorKind::Timeout, "the server stopped sending in the middle of the body");
        }
        self.truncated(&super::failure::root_cause(error))
    }

    fn truncated(&self, why: &str) -> Error {
        let what = format!("the body ended before its end: {why}");
        self.error(ErrorKind::Truncated, &what).with_hint("fetch it again from its start")
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, what).with_url(self.method, &self.url).with_status(self.response.status().as_u16())
    }
}

/// All that comes out of `stage` for `input`.
fn drain(stage: &mut Gunzip, input: &mut Bytes) -> std::io::Result<Bytes> {
    let mut out = Bytes::new();
    while !input.is_empty() {
        let piece = stage.push(input)?;
        out = if out.is_empty() { piece } else { [out, piece].concat().into() };
    }
    Ok(out)
}

pub(crate) fn header(response: &Response, name: &reqwest::header::HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned())
}
