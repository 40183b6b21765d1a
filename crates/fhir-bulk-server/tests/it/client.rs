//! A client that does what the specification says, step by step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

thread_local! {
    // A client reads the certificates of the machine when it is made; each test has a thread of its own.
    static CLIENT: Client = Client::builder().no_proxy().build().unwrap();
    static RAW: Client = Client::builder().no_proxy().no_gzip().redirect(Policy::none()).build().unwrap();
}

pub fn client() -> Client {
    CLIENT.with(Client::clone)
}

/// A client that neither unpacks nor follows redirects.
pub fn raw() -> Client {
    RAW.with(Client::clone)
}

/// No waiting between polls.
pub fn options() -> ServerOptions {
    ServerOptions { retry_after: 0, ..ServerOptions::default() }
}

pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub async fn start(options: ServerOptions) -> BulkServer {
    BulkServer::start(Dataset::open(&folder("base")).unwrap(), options).await.unwrap()
}

pub fn get(server: &BulkServer, path: &str) -> RequestBuilder {
    client().get(format!("{}/{path}", server.base_url()))
}

/// A kick-off that may be refused.
pub async fn kick_off(server: &BulkServer, path: &str) -> Response {
    get(server, path).header("Prefer", "respond-async").send().await.unwrap()
}

pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

/// The status URL of an accepted kick-off.
pub fn status_url(response: &Response) -> String {
    assert_eq!(response.status(), 202);
    header(response, "content-location").to_owned()
}

/// Polls until the job is complete.
pub async fn manifest(status_url: &str) -> Value {
    loop {
        let response = client().get(status_url).send().await.unwrap();
        match response.status().as_u16() {
            202 => {}
            200 => return response.json().await.unwrap(),
            other => panic!("status {other}"),
        }
    }
}

/// The lines of all files of a section, by the type in the manifest; each file has as many as `count` says.
pub async fn lines(manifest: &Value, section: &str) -> BTreeMap<String, Vec<String>> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in manifest[section].as_array().unwrap() {
        let response = client().get(entry["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/fhir+ndjson");
        let text = response.text().await.unwrap();
        assert!(text.ends_with('\n'));
        let file: Vec<String> = text.trim_end_matches('\n').split('\n').map(str::to_owned).collect();
        assert_eq!(entry["count"], file.len());
        lines.entry(entry["type"].as_str().unwrap().to_owned()).or_default().extend(file);
    }
    lines
}

/// The result of an export: what it holds as `Type/id`, what it deleted, and its transactionTime.
pub struct Export {
    pub output: Vec<String>,
    pub deleted: Vec<String>,
    pub transaction_time: String,
}

/// From kick-off to files.
pub async fn export(server: &BulkServer, path: &str) -> Export {
    export_of(&manifest(&status_url(&kick_off(server, path).await)).await).await
}

/// The files of a manifest.
pub async fn export_of(manifest: &Value) -> Export {
    let mut output = Vec::new();
    for (resource_type, lines) in lines(manifest, "output").await {
        for line in lines {
            let resource: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(resource["resourceType"], *resource_type);
            output.push(format!("{resource_type}/{}", resource["id"].as_str().unwrap()));
        }
    }
    let mut deleted = Vec::new();
    for line in lines(manifest, "deleted").await.remove("Bundle").unwrap_or_default() {
        let bundle: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(bundle["type"], "transaction");
        for entry in bundle["entry"].as_array().unwrap() {
            assert_eq!(entry["request"]["method"], "DELETE");
            deleted.push(entry["request"]["url"].as_str().unwrap().to_owned());
        }
    }
    let transaction_time = manifest["transactionTime"].as_str().unwrap().to_owned();
    Export { output, deleted, transaction_time }
}

/// The one issue of a refusal: `code`, and that it is an OperationOutcome at all.
pub async fn issue_code(response: Response) -> String {
    assert_eq!(header(&response, "content-type"), "application/fhir+json");
    let outcome: Value = response.json().await.unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["severity"], "error");
    outcome["issue"][0]["code"].as_str().unwrap().to_owned()
}
