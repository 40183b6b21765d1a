//! `GET [base]/metadata`: what the server can do, and nothing more.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::clock::format_instant;
use crate::fault::Fault;
use crate::outcome::FHIR_JSON;
use crate::state::ServerState;

const DEFINITIONS: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition";

/// The CapabilityStatement: read of every type of the data, export on three levels.
pub(super) async fn get(State(state): State<Arc<ServerState>>) -> Response {
    ([(header::CONTENT_TYPE, FHIR_JSON)], capability_statement(&state).to_string()).into_response()
}

fn capability_statement(state: &ServerState) -> Value {
    let dataset = state.dataset();
    let strikes = |fault| state.faults.strikes(fault, "/fhir/metadata");
    let versions: &[&str] = match () {
        () if strikes(Fault::MetadataWithoutExport) => &[],
        () if strikes(Fault::MetadataTwoVersions) => &["3.0.0", "4.0.0"],
        () => &[""],
    };
    let mut types = dataset.types();
    types.extend(["Group", "Patient"]);
    let resources: Vec<Value> = types.into_iter().map(|name| resource(name, versions)).collect();
    let mut rest = json!({"mode": "server", "resource": resources});
    if !versions.is_empty() {
        rest["operation"] = exports("export", versions);
    }
    if state.options.guarded() {
        rest["security"] = security(state);
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

fn security(state: &ServerState) -> Value {
    let mut security = json!({"description": "Every request but this one is authorised."});
    if !state.options.clients.is_empty() {
        security["service"] = json!([{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
            "code": "SMART-on-FHIR",
        }]}]);
        security["extension"] = json!([{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [{"url": "token", "valueUri": state.token_url()}],
        }]);
    }
    security
}

fn resource(name: &str, versions: &[&str]) -> Value {
    let mut resource = json!({"type": name, "interaction": [{"code": "read"}, {"code": "search-type"}]});
    match name {
        _ if versions.is_empty() => {}
        "Patient" => resource["operation"] = exports("patient-export", versions),
        "Group" => resource["operation"] = exports("group-export", versions),
        _ => {}
    }
    resource
}

/// The operation in each version; the one of 4.0.0 has a name of its own.
fn exports(definition: &str, versions: &[&str]) -> Value {
    let export = |version: &&str| {
        let name = if version.starts_with('4') { "export-v4" } else { "export" };
        let version = if version.is_empty() { String::new() } else { format!("|{version}") };
        json!({"name": name, "definition": format!("{DEFINITIONS}/{definition}{version}")})
    };
    versions.iter().map(export).collect()
}
