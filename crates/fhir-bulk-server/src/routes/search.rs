//! `GET [base]/{Type}`: search of one type, by what `_typeFilter` knows as well.
//!
//! Specification: FHIR R4 `search.html`: `_summary=count`, `_elements`, `_count`, and pages by `link`.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{OriginalUri, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fhir_definitions::Definitions;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::auth::Grant;
use crate::elements::Elements;
use crate::fault::Fault;
use crate::outcome::{FHIR_JSON, Outcome};
use crate::parameters::from_query;
use crate::resource::Resource;
use crate::routes::segments::Segments;
use crate::search::Query;
use crate::state::ServerState;

/// How many resources a page holds unless `_count` says otherwise, and at most.
const PAGE: (usize, usize) = (20, 1_000);

/// A search that was understood.
struct Asked {
    query: Query,
    elements: Elements,
    count_only: bool,
    page_size: usize,
    offset: usize,
    /// The parameters without the offset, for the links.
    parameters: Vec<(String, String)>,
}

/// A searchset Bundle.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    OriginalUri(uri): OriginalUri,
    Extension(grant): Extension<Grant>,
    Segments(resource_type): Segments<String>,
) -> Result<Response, Outcome> {
    if !Definitions::r4().is_resource(&resource_type) {
        return Err(Outcome::not_found(format!("there is no type {resource_type}")));
    }
    grant.allow(&resource_type)?;
    let asked = Asked::parse(&resource_type, from_query(uri.query().unwrap_or("")))?;
    let strikes = |fault| state.faults.strikes(fault, uri.path());
    if asked.offset > 0 && strikes(Fault::SearchPage410) {
        let text = "the search has expired";
        return Err(Outcome::new(axum::http::StatusCode::GONE, "expired", text));
    }
    let dataset = state.dataset();
    let mut found = Vec::new();
    for resource in dataset.of_type(&resource_type) {
        if asked.finds(resource)? {
            found.push(resource);
        }
    }
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset"});
    if !strikes(Fault::NoTotal) {
        bundle["total"] = json!(found.len());
    }
    let links = asked.links(&state.url(&resource_type), found.len());
    bundle["link"] = json!(links);
    let page = found.into_iter().skip(asked.offset).take(asked.page_size);
    let entries: Vec<String> = if asked.count_only {
        Vec::new()
    } else {
        page.map(|resource| asked.entry(&state, resource)).collect::<io::Result<_>>()?
    };
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], with_entries(&bundle, &entries)).into_response())
}

impl Asked {
    fn parse(resource_type: &str, parameters: Vec<(String, String)>) -> Result<Asked, Outcome> {
        let wrong = |name: &str| Outcome::bad_request("value", format!("{name} is not understood"));
        let (mut elements, mut count_only, mut page_size, mut offset) =
            (Elements::default(), false, PAGE.0, 0);
        let (mut criteria, mut kept) = (Vec::new(), Vec::new());
        for (name, value) in parameters {
            match name.as_str() {
                "_summary" if value == "count" => count_only = true,
                "_summary" if value == "false" => {}
                "_summary" => return Err(wrong(&name)),
                "_elements" => elements.read(&value)?,
                "_count" => page_size = value.parse::<usize>().map_err(|_| wrong(&name))?.min(PAGE.1),
                "_offset" => {
                    offset = value.parse().map_err(|_| wrong(&name))?;
                    continue;
                }
                "_format" | "_total" => {}
                _ => criteria.push((name.clone(), value.clone())),
            }
            kept.push((name, value));
        }
        let query = Query::of(resource_type, criteria.into_iter())?;
        // A page of nothing is a count.
        let count_only = count_only || page_size == 0;
        Ok(Asked { query, elements, count_only, page_size, offset, parameters: kept })
    }

    fn finds(&self, resource: &Resource) -> io::Result<bool> {
        if self.query.is_unconditional() {
            return Ok(true);
        }
        Ok(self.query.finds(&resource.value()?))
    }

    fn links(&self, url: &str, total: usize) -> Vec<Value> {
        let link = |relation: &str, offset: usize| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&self.parameters);
            if offset > 0 {
                query.append_pair("_offset", &offset.to_string());
            }
            json!({"relation": relation, "url": format!("{url}?{}", query.finish())})
        };
        let mut links = vec![link("self", self.offset)];
        let next = self.offset + self.page_size;
        if !self.count_only && next < total {
            links.push(link("next", next));
        }
        links
    }

    fn entry(&self, state: &ServerState, resource: &Resource) -> io::Result<String> {
        let key = &resource.key;
        let mut line = resource.line.read()?;
        if !self.elements.is_empty() {
            line = self.elements.cut(&key.resource_type, &line, true);
        }
        let url = state.url(&format!("{}/{}", key.resource_type, key.id));
        // The bytes of the resource stay what they are.
        let resource = serde_json::from_slice::<&RawValue>(&line).map_or("null", RawValue::get);
        Ok(format!(r#"{{"fullUrl":{},"resource":{resource},"search":{{"mode":"match"}}}}"#, json!(url)))
    }
}

/// The Bundle with its entries as they are written.
fn with_entries(bundle: &Value, entries: &[String]) -> Bytes {
    let mut text = bundle.to_string();
    if !entries.is_empty() {
        text.pop();
        text.push_str(",\"entry\":[");
        text.push_str(&entries.join(","));
        text.push_str("]}");
    }
    Bytes::from(text)
}
