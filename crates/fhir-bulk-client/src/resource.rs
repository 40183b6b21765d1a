//! Single resources, for what an export could not bring ([read](https://hl7.org/fhir/R4/http.html#read)).

use bytes::Bytes;

use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};
use crate::http::Call;

/// The longest resource that is read, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

impl BulkClient {
    /// A resource as the server has it now, as it was sent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not there, or no longer; [`ErrorKind::Config`] for a type or an id that is none;
    /// otherwise as any request.
    pub async fn resource(&self, resource_type: &str, id: &str) -> Result<Bytes, Error> {
        if resource_type.is_empty() || !resource_type.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(Error::new(ErrorKind::Config, format!("{resource_type:?} is no resource type")));
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if id.is_empty() || id.starts_with("..") || id == "." || !id.bytes().all(legal) {
            return Err(Error::new(ErrorKind::Config, "this is no resource id"));
        }
        let mut url = self.base().clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([resource_type, id]);
        }
        let call = self.with_client_id(Call::get(url, "application/fhir+json"));
        self.transport.send(&call).await?.body.read(MAX_BODY).await
    }
}
