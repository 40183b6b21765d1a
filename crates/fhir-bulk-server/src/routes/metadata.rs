//! `GET [base]/metadata`: what the server can do, and nothing more.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::clock::format_instant;
use crate::outcome::FHIR_JSON;
use crate::state::ServerState;

const DEFINITIONS: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition";

/// The CapabilityStatement: read of every type of the data, export on three levels.
pub(super) async fn get(State(state): State<Arc<ServerState>>) -> Response {
    ([(header::CONTENT_TYPE, FHIR_JSON)], capability_statement(&state).to_string()).into_response()
}

fn capability_statement(state: &ServerState) -> Value {
    let dataset = state.dataset();
    let mut types = dataset.types();
    types.extend(["Group", "Patient"]);
    let resources: Vec<Value> = types.into_iter().map(resource).collect();
    let mut rest = json!({"mode": "server", "resource": resources, "operation": [export("export")]});
    if state.options.bearer_token.is_some() {
        rest["security"] = json!({"description": "Every request but this one bears a token (RFC 6750)."});
    }
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": format_instant(dataset.transaction_time()),
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": "A folder of NDJSON", "url": state.base_url().as_str()},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [rest],
    })
}

fn resource(name: &str) -> Value {
    let mut resource = json!({"type": name, "interaction": [{"code": "read"}]});
    match name {
        "Patient" => resource["operation"] = json!([export("patient-export")]),
        "Group" => resource["operation"] = json!([export("group-export")]),
        _ => {}
    }
    resource
}

fn export(definition: &str) -> Value {
    json!({"name": "export", "definition": format!("{DEFINITIONS}/{definition}")})
}
