//! Errors as FHIR says them: an OperationOutcome with one issue, `application/fhir+json`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

/// The media type of a single resource.
pub(crate) const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");

/// An answer that is an OperationOutcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    status: StatusCode,
    /// `issue.code`, of the value set <http://hl7.org/fhir/issue-type>.
    code: &'static str,
    diagnostics: String,
}

impl Outcome {
    pub(crate) fn new(status: StatusCode, code: &'static str, diagnostics: impl Into<String>) -> Outcome {
        Outcome { status, code, diagnostics: diagnostics.into() }
    }

    /// 400: a parameter or a header that cannot be honoured.
    pub(crate) fn bad_request(code: &'static str, diagnostics: impl Into<String>) -> Outcome {
        Outcome::new(StatusCode::BAD_REQUEST, code, diagnostics)
    }

    /// 404: no such resource, job, file or route.
    pub(crate) fn not_found(diagnostics: impl Into<String>) -> Outcome {
        Outcome::new(StatusCode::NOT_FOUND, "not-found", diagnostics)
    }

    /// The same issue with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Outcome {
        Outcome { status, ..self }
    }

    /// The outcome as a line of an `error` file: what was asked for and not done, in a job that succeeded.
    pub(crate) fn warning_line(&self) -> Bytes {
        Bytes::from(self.resource("warning").to_string())
    }

    fn resource(&self, severity: &str) -> Value {
        json!({
            "resourceType": "OperationOutcome",
            "issue": [{"severity": severity, "code": self.code, "diagnostics": self.diagnostics}],
        })
    }
}

/// The data could not be read: nothing that the client can do.
impl From<std::io::Error> for Outcome {
    fn from(error: std::io::Error) -> Outcome {
        tracing::error!(%error, "the data cannot be read");
        Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", "the data cannot be read")
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, FHIR_JSON)], self.resource("error").to_string()).into_response()
    }
}
