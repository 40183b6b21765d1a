//! The files of a job: lines by type or by patient, cut where files are full.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::dataset::Dataset;
use crate::fault::Fault;
use crate::job::{JobFile, Plan, Section};
use crate::line::Line;
use crate::members::{label, with_meta};
use crate::resource::Resource;
use crate::selection::Level;

/// The line of a resource, with the elements that are asked for.
fn line(resource: &Resource, plan: &Plan<'_>, tagged: bool) -> io::Result<Line> {
    let (elements, resource_type) = (&plan.kick_off.elements, &resource.key.resource_type);
    if elements.is_empty() || !elements.concern(resource_type) {
        return Ok(resource.line.clone());
    }
    Ok(elements.cut(resource_type, &resource.line.read()?, tagged).into())
}

pub(super) fn by_type(
    files: &mut Vec<JobFile>,
    output: &[&Arc<Resource>],
    plan: &Plan<'_>,
) -> io::Result<()> {
    let tagged = !(plan.strikes)(Fault::NoSubsettedTag);
    let mut lines: BTreeMap<&str, Vec<Line>> = BTreeMap::new();
    for resource in output {
        lines.entry(&resource.key.resource_type).or_default().push(line(resource, plan, tagged)?);
    }
    let asked = plan.kick_off.types.as_ref().is_none_or(|types| types.contains("SearchParameter"));
    if asked && matches!(plan.level, Level::System) && (plan.strikes)(Fault::OwnSearchParameters) {
        let own = json!({"resourceType": "SearchParameter", "id": "own", "status": "active", "code": "own"});
        lines.entry("SearchParameter").or_default().push(Bytes::from(own.to_string()).into());
    }
    changed(lines.values_mut().flatten(), plan)?;
    let twice = (plan.strikes)(Fault::DuplicateAcrossFiles);
    for (resource_type, lines) in lines {
        let first = lines.first().filter(|_| twice).cloned();
        split(files, Section::Output, resource_type, resource_type, lines, plan.rows_per_file);
        if let Some(line) = first {
            let name = format!("{resource_type}.again");
            split(files, Section::Output, resource_type, &name, vec![line], plan.rows_per_file);
        }
    }
    Ok(())
}

/// What faults change in every resource.
fn changed<'a>(lines: impl Iterator<Item = &'a mut Line>, plan: &Plan<'_>) -> io::Result<()> {
    let undated = (plan.strikes)(Fault::NoLastUpdated);
    let redacted = (plan.strikes)(Fault::RedactedTag);
    let absolute = (plan.strikes)(Fault::AbsoluteReferences);
    if !(undated || redacted || absolute) {
        return Ok(());
    }
    for line in lines {
        let mut bytes = line.read()?;
        if undated {
            bytes = with_meta(&bytes, |meta| {
                meta.as_object_mut().map(|meta| meta.remove("lastUpdated"));
            });
        }
        if redacted {
            bytes = with_meta(&bytes, |meta| label(meta, "security", "REDACTED"));
        }
        if absolute {
            bytes = with_absolute_references(&bytes, plan.base);
        }
        *line = bytes.into();
    }
    Ok(())
}

/// The line with `base` before relative references, as far as they are written without white space.
fn with_absolute_references(line: &[u8], base: &str) -> Bytes {
    let text = String::from_utf8_lossy(line);
    let mut parts = text.split("\"reference\":\"");
    let mut absolute = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let relative = part.starts_with(|first: char| first.is_ascii_uppercase());
        let base = if relative { format!("{base}/") } else { String::new() };
        absolute.push_str(&format!("\"reference\":\"{base}{part}"));
    }
    Bytes::from(absolute)
}

/// Blocks of one patient each, headed by a Parameters resource (Bulk Data 3.0.0, `organizeOutputBy`). What is of no
/// patient is left out; what is of several is in the block of each.
pub(super) fn by_patient(
    files: &mut Vec<JobFile>,
    dataset: &Dataset,
    output: &[&Arc<Resource>],
    plan: &Plan<'_>,
) -> io::Result<()> {
    let tagged = !(plan.strikes)(Fault::NoSubsettedTag);
    let mut blocks: BTreeMap<&str, Vec<Line>> = BTreeMap::new();
    for resource in output {
        let mut patients: Vec<&String> = dataset.patients_of(resource).collect();
        patients.sort();
        patients.dedup();
        for patient in patients.into_iter().filter(|id| plan.level.wants_patient(plan.kick_off, id)) {
            blocks.entry(patient).or_default().push(line(resource, plan, tagged)?);
        }
    }
    changed(blocks.values_mut().flatten(), plan)?;
    let limit = if plan.rows_per_file == 0 { usize::MAX } else { plan.rows_per_file };
    for (patient, lines) in blocks {
        let header = json!({"resourceType": "Parameters", "parameter": [
            {"name": "header", "valueReference": {"reference": format!("Patient/{patient}")}},
        ]});
        let header = Line::from(Bytes::from(header.to_string()));
        for (index, part) in lines.chunks(limit).enumerate() {
            let name = format!("Patient.{}.ndjson", files.len() + 1);
            match files.last_mut() {
                Some(last) if index > 0 => last.continues_in = Some(name.clone()),
                _ => {}
            }
            let lines: Vec<Line> = std::iter::once(&header).chain(part).cloned().collect();
            files.push(JobFile { count: part.len(), ..file(Section::Output, "Patient", name, lines) });
        }
    }
    Ok(())
}

/// Lines that the server made.
pub(super) fn made(lines: Vec<Bytes>) -> Vec<Line> {
    lines.into_iter().map(Line::from).collect()
}

/// Cuts lines into files of at most `rows_per_file` lines; 0 is no limit.
pub(super) fn split(
    files: &mut Vec<JobFile>,
    section: Section,
    resource_type: &str,
    name: &str,
    lines: Vec<Line>,
    rows_per_file: usize,
) {
    let limit = if rows_per_file == 0 { lines.len().max(1) } else { rows_per_file };
    for (index, lines) in lines.chunks(limit).enumerate() {
        let name = format!("{name}.{}.ndjson", index + 1);
        files.push(file(section, resource_type, name, lines.to_vec()));
    }
}

pub(super) fn file(section: Section, resource_type: &str, name: String, lines: Vec<Line>) -> JobFile {
    let count = lines.len();
    JobFile { section, resource_type: resource_type.to_owned(), name, lines, count, continues_in: None }
}
