//! What an export is asked for and of whom, checked before anything is done.

use fhir_arrow::parse_instant;
use fhir_bulk_client::{BulkClient, Level, ServerCheck, redact};
use fhir_definitions::{Definitions, FhirVersion};

use super::export::{ExportOptions, Since};
use super::plan::{FULL, RECONCILE};
use super::scope::Scope;
use crate::error::{Error, Result};

pub fn check_types(scope: &Scope, definitions: &Definitions) -> Result<()> {
    match scope.types.iter().find(|name| !definitions.is_resource(name)) {
        None => Ok(()),
        Some(unknown) => Err(Error::Refused(format!(
            "{unknown} is no resource type of FHIR {}: names are written as in `Patient`",
            definitions.version().number()
        ))),
    }
}

pub fn scope(options: &ExportOptions) -> Result<Scope> {
    let mut types = options.types.clone();
    types.sort();
    types.dedup();
    let since = match &options.since {
        Since::Watermark => None,
        Since::Full => Some(FULL.to_owned()),
        Since::At(instant) if is_fhir_instant(instant) => Some(instant.clone()),
        Since::At(other) => {
            return Err(Error::Refused(format!(
                "--since {other} is no FHIR instant: write date, time and zone, as in 2026-11-01T00:00:00Z"
            )));
        }
    };
    let (level, group_id) = match &options.level {
        _ if options.ids_only => (RECONCILE, None),
        Level::System => ("system", None),
        Level::Patient => ("patient", None),
        Level::Group(id) if fhir_arrow::is_legal_id(id) => ("group", Some(id.clone())),
        Level::Group(id) => return Err(Error::Refused(format!("{id:?} is no id of a Group"))),
    };
    let query = options.query.clone();
    if let Some(until) = query.until.as_ref().filter(|until| !is_fhir_instant(until)) {
        return Err(Error::Refused(format!(
            "--until {until} is no FHIR instant: write date, time and zone, as in 2026-11-01T00:00:00Z"
        )));
    }
    let overlap_seconds = i64::try_from(options.since_overlap.as_secs()).unwrap_or(i64::MAX);
    Ok(Scope {
        level: level.to_owned(),
        group_id,
        types,
        since,
        overlap_seconds,
        query,
        ids_only: options.ids_only,
    })
}

/// FHIR's `instant` has a time and a zone; a date alone would mean something else to each server.
fn is_fhir_instant(text: &str) -> bool {
    text.contains('T') && parse_instant(text).is_some() && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

/// The server's FHIR version, where that is known, and what the user should know of it. A server may hide its metadata.
pub fn fhir_version(
    client: &BulkClient,
    check: &ServerCheck,
    asked: Option<FhirVersion>,
) -> Result<(Option<FhirVersion>, Vec<String>)> {
    let Some(capability) = &check.capability else {
        let assumed =
            asked.map_or("that of the lake, else 4.0.1, is assumed", |_| "that of --fhir-version is taken");
        let why = check.deviations.first().cloned().unwrap_or_default();
        let warning = format!("the server's FHIR version is not known, and {assumed}: {why}");
        return Ok((asked, vec![warning]));
    };
    let said = &capability.fhir_version;
    match (FhirVersion::from_fhir_version(said), asked) {
        (Some(told), Some(asked)) if told != asked => Err(Error::Refused(format!(
            "{} speaks FHIR {said}, and --fhir-version says {asked}: leave it out",
            redact(client.base())
        ))),
        (Some(told), _) => Ok((Some(told), Vec::new())),
        (None, _) => Err(Error::Refused(format!(
            "{} speaks FHIR {said}; this program knows {}",
            redact(client.base()),
            known_versions()
        ))),
    }
}

/// `4.0.1 (R4), …`.
fn known_versions() -> String {
    let versions = FhirVersion::ALL.iter().map(|version| format!("{} ({version})", version.number()));
    versions.collect::<Vec<_>>().join(", ")
}
