//! Deleting a job ([specification](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-delete-request)): cancels
//! it while it runs, and afterwards tells the server that its files are no longer needed.

use reqwest::Method;
use url::Url;

use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};
use crate::http::Call;

impl BulkClient {
    /// Deletes the job with this status URL. A job that the server no longer knows is as good as deleted.
    ///
    /// Where the server gave the same job to two kick-offs, the second call deletes it. Some servers begin no new export before the old one is deleted. After a failed download do not delete: the
    /// files are still there to be fetched again.
    ///
    /// # Errors
    /// As any request. [`ErrorKind::Forbidden`] has been seen where the token's scopes only allow reading.
    pub async fn delete_job(&self, status_url: &Url) -> Result<(), Error> {
        if !self.own_jobs.release(status_url) {
            tracing::info!("the job is shared with another kick-off of this client, and stays for it");
            return Ok(());
        }
        let call = Call { method: Method::DELETE, ..Call::get(status_url.clone(), "application/fhir+json") };
        match self.transport.send(&self.with_client_id(call)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
