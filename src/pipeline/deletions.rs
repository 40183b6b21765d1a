//! The `deleted` section: Bundles of type transaction whose entries say `DELETE <Type>/<id>`.
//!
//! Bulk Data Access IG, "Response - Complete Status", `deleted`.

use chrono::DateTime;
use fhir_arrow::{Instant, IssueCode, LineError, is_legal_id, parse_instant};
use fhir_definitions::Definitions;
use serde::Deserialize;

use super::input::InputFile;
use crate::error::Result;
use crate::lake::Lake;
use crate::lake::ledger::DeletionRow;
use crate::lake::quarantine::QuarantineRow;
use crate::lake::stage::Tally;
use crate::raw::{Blocks, Line, RawSource};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    resource_type: String,
    meta: Option<Meta>,
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    request: Option<Request>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
}

/// When what a run reports as deleted was deleted: its manifest's time, else each Bundle's, else the run's start.
#[derive(Debug, Clone, Copy)]
pub struct DeletedAt {
    /// The `transactionTime` of the manifest, where there is one.
    pub manifest: Option<Instant>,
    /// The run's start.
    pub started_at: Instant,
}

/// What the deletions of a run say.
#[derive(Debug, Default)]
pub struct Deletions {
    /// One for each entry.
    pub rows: Vec<DeletionRow>,
    /// Lines that are none, or have entries that are none.
    pub refused: Vec<QuarantineRow>,
    /// The same, counted.
    pub tally: Tally,
}

impl Deletions {
    /// Reads a file.
    pub async fn read(
        &mut self,
        lake: &Lake,
        index: u32,
        file: &InputFile,
        export_id: &str,
        at: &DeletedAt,
    ) -> Result<()> {
        let mut blocks = Blocks::whole(RawSource::open(&lake.root, &file.path).await?);
        while let Some(block) = blocks.next().await? {
            for line in block.lines() {
                if let Err(reason) = self.take(&line, at, export_id, lake.definitions()) {
                    let error = refusal(reason);
                    let bundle = Some("Bundle".to_owned());
                    self.refused.push(QuarantineRow::new(export_id, &file.path, &line, bundle, None, &error));
                    *self.tally.refused_of_file.entry(index).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        line: &Line<'_>,
        at: &DeletedAt,
        export_id: &str,
        definitions: &Definitions,
    ) -> Result<(), String> {
        let bundle: Bundle = serde_json::from_slice(line.bytes).map_err(|e| {
            format!("it is no Bundle of deletions: {:?} error in column {}", e.classify(), e.column())
        })?;
        if bundle.resource_type != "Bundle" {
            return Err("it is no Bundle: deletions come as Bundles of type transaction".to_owned());
        }
        let of_bundle = match bundle.meta.and_then(|meta| meta.last_updated) {
            Some(text) => Some(parse_instant(&text).ok_or("its meta.lastUpdated is no instant")?),
            None => None,
        };
        let at = at.manifest.or(of_bundle).unwrap_or(at.started_at);
        let deleted_at = DateTime::from_timestamp_micros(at.micros()).ok_or("its time is out of range")?;
        let mut bad_entries = 0_usize;
        for entry in bundle.entry {
            match entry.request.as_ref().and_then(|request| deleted(request, definitions)) {
                Some((resource_type, id)) => self.rows.push(DeletionRow {
                    resource_type,
                    id,
                    cause: "server".to_owned(),
                    deleted_at,
                    export_id: export_id.to_owned(),
                }),
                None => bad_entries += 1,
            }
        }
        match bad_entries {
            0 => Ok(()),
            n => {
                Err(format!("{n} of its entries are no `DELETE <Type>/<id>`; its other entries were applied"))
            }
        }
    }
}

/// The resource that an entry deletes: the last two segments of its URL.
fn deleted(request: &Request, definitions: &Definitions) -> Option<(String, String)> {
    if !request.method.eq_ignore_ascii_case("DELETE") {
        return None;
    }
    let mut segments = request.url.rsplit('/');
    let (id, resource_type) = (segments.next()?, segments.next()?);
    (is_legal_id(id) && definitions.is_resource(resource_type))
        .then(|| (resource_type.to_owned(), id.to_owned()))
}

fn refusal(reason: String) -> LineError {
    LineError { code: IssueCode::Structure, reason, element_path: Some("Bundle.entry".to_owned()), offset: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str, of_manifest: Option<&str>) -> (Deletions, Result<(), String>) {
        let mut deletions = Deletions::default();
        let line = Line { offset: 0, number: 1, bytes: line.as_bytes() };
        let start = parse_instant("2026-03-01T00:00:00Z").unwrap();
        let at = DeletedAt { manifest: of_manifest.and_then(parse_instant), started_at: start };
        let result = deletions.take(&line, &at, "x", Definitions::r4());
        (deletions, result)
    }

    const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"transaction","meta":{"lastUpdated":"2026-02-01T00:00:00Z"},"entry":[
        {"request":{"method":"DELETE","url":"Patient/a"}},
        {"request":{"method":"DELETE","url":"https://ehr.example.org/fhir/Condition/b"}}]}"#;

    #[test]
    fn an_entry_is_a_tombstone_at_the_time_of_its_manifest_else_of_its_bundle() {
        let (deletions, result) = taken(BUNDLE, None);
        assert!(result.is_ok());
        let found: Vec<_> =
            deletions.rows.iter().map(|r| (r.resource_type.as_str(), r.id.as_str())).collect();
        assert_eq!(found, [("Patient", "a"), ("Condition", "b")]);
        assert_eq!(deletions.rows[0].deleted_at.to_rfc3339(), "2026-02-01T00:00:00+00:00");
        let (deletions, _) = taken(BUNDLE, Some("2026-02-02T00:00:00Z"));
        assert_eq!(deletions.rows[0].deleted_at.to_rfc3339(), "2026-02-02T00:00:00+00:00");
    }

    #[test]
    fn an_entry_that_deletes_nothing_known_is_refused_and_the_others_hold() {
        let (deletions, result) =
            taken(&BUNDLE.replace("DELETE\",\"url\":\"Patient/a", "PUT\",\"url\":\"Patient/a"), None);
        assert_eq!(deletions.rows.len(), 1);
        assert!(result.unwrap_err().starts_with("1 of its entries"));
        let (_, result) = taken(
            "{\"resourceType\":\"Bundle\",\"entry\":[{\"request\":{\"method\":\"DELETE\",\"url\":\"Patient?name=x\"}}]}",
            None,
        );
        assert!(result.is_err());
    }

    #[test]
    fn a_line_that_is_no_bundle_or_has_no_readable_time_is_refused() {
        let (deletions, result) = taken(r#"{"resourceType":"Patient","id":"b"}"#, None);
        assert!(result.is_err() && deletions.rows.is_empty());
        let (deletions, result) = taken(&BUNDLE.replace("2026-02-01T00:00:00Z", "lately"), None);
        assert!(result.is_err() && deletions.rows.is_empty());
    }
}
