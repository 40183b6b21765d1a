//! What a job reports besides resources: deletions, and outcomes that faults invent.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::fault::Fault;
use crate::resource::{Key, Resource};

/// How the URLs of deletions are written.
pub(super) fn url_form(strikes: &dyn Fn(Fault) -> bool) -> impl Fn(&Key) -> String + use<> {
    let (absolute, conditional) = (strikes(Fault::DeletedAbsolute), strikes(Fault::DeletedConditional));
    move |key| {
        let (resource_type, id) = (&key.resource_type, &key.id);
        match (absolute, conditional) {
            (true, _) => format!("http://example.org/fhir/{resource_type}/{id}"),
            (_, true) => format!("{resource_type}?identifier={id}"),
            _ => format!("{resource_type}/{id}"),
        }
    }
}

/// The outcomes that faults report.
pub(super) fn reported(output: &[&Arc<Resource>], strikes: &dyn Fn(Fault) -> bool) -> Vec<Bytes> {
    let mut lines = Vec::new();
    if strikes(Fault::OutcomeNamed)
        && let Some(resource) = output.first()
    {
        let name = format!("{}/{}", resource.key.resource_type, resource.key.id);
        lines.push(json!({"resourceType": "OperationOutcome", "issue": [{
            "severity": "error", "code": "processing",
            "diagnostics": format!("{name} could not be exported"), "expression": [name],
        }]}));
    }
    let mut add = |severity: &str, code: &str, text: &str| {
        let issue = json!([{"severity": severity, "code": code, "diagnostics": text}]);
        lines.push(json!({"resourceType": "OperationOutcome", "issue": issue}));
    };
    if strikes(Fault::OutcomeUnnamed) {
        add("error", "exception", "some resources could not be exported");
    }
    if strikes(Fault::OutcomeMild) {
        add("warning", "business-rule", "the data of one system is a day old");
        add("information", "informational", "the export ran at night");
    }
    lines.into_iter().map(|line| Bytes::from(line.to_string())).collect()
}
