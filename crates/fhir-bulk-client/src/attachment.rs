//! The content that resources point to instead of holding it
//! ([attachments](https://hl7.org/fhir/uv/bulkdata/export.html#attachments)), and Binary resources.
//!
//! Whoever wrote the resource chose the URL: the token goes to it only where it may go anyway, to the base's origin and to
//! those that the user has named ([`Builder::token_origin`](crate::Builder::token_origin)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use url::Url;

use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};
use crate::http::Call;

/// The content of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attachment {
    /// Its media type, as the server or the Binary names it.
    pub content_type: Option<String>,
    /// The content as it is: of what is compressed by itself, the compressed bytes.
    pub bytes: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binary {
    resource_type: String,
    content_type: Option<String>,
    data: Option<String>,
}

impl BulkClient {
    /// Gets the content at `url`, of at most `limit` bytes. `content_type` is what the resource says of it. A Binary
    /// resource that wraps the content is opened.
    ///
    /// `requires_access_token` is that of the manifest: it is about attachments too.
    ///
    /// # Errors
    /// As any request; [`ErrorKind::Protocol`] if it is too long or a Binary that cannot be opened.
    pub async fn attachment(
        &self,
        url: &Url,
        content_type: Option<&str>,
        requires_access_token: bool,
        limit: usize,
    ) -> Result<Attachment, Error> {
        let mut call = Call::get(url.clone(), "*/*");
        call.authorize = requires_access_token;
        call.sniff = false;
        if let Some(name) = content_type.filter(|name| reqwest::header::HeaderValue::from_str(name).is_ok()) {
            call.accept = format!("{name}, */*;q=0.5").into();
        }
        let answer = self.transport.send(&call).await?;
        let (url, given) = (answer.url.clone(), answer.body.media_type());
        let bytes = answer.body.read(limit).await?;
        let asked_for_json = content_type.is_some_and(|name| name.contains("json"));
        let may_wrap = !asked_for_json && given.as_deref().is_some_and(|name| name.contains("json"));
        if let Some(opened) = opened(&bytes).filter(|_| may_wrap) {
            return opened.map_err(|error| error.with_url("GET", &url));
        }
        Ok(Attachment { content_type: given, bytes })
    }
}

/// The content of a Binary; none if it is something else.
fn opened(bytes: &[u8]) -> Option<Result<Attachment, Error>> {
    let binary: Binary = serde_json::from_slice(bytes).ok()?;
    if binary.resource_type != "Binary" {
        return None;
    }
    // Base64 of FHIR may have white space in it.
    let text: String = binary.data?.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = STANDARD
        .decode(text)
        .map_err(|_| Error::new(ErrorKind::Protocol, "the content of the Binary is no base64"));
    Some(decoded.map(|bytes| Attachment { content_type: binary.content_type, bytes: bytes.into() }))
}
