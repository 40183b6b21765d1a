//! What validation has found in a run: for whoever started it, and for the table `_findings`.

use super::input::Input;
use super::load::signed;
use super::run::Run;
use super::stage::StagedRun;
use crate::error::{Error, Result};
use crate::lake::findings::FindingRow;
use crate::lake::stage::{Counted, FindingKey, Tally};

/// Refuses a run that is not to go on with resources that are not valid.
pub fn refuse_invalid<'f>(staged: &StagedRun, name: impl Fn(u32) -> &'f str) -> Result<()> {
    let Some(((file, line, reason), count)) = &staged.tally.failing else { return Ok(()) };
    Err(Error::Invalid(format!(
        "{count} resources are not valid, the first in line {line} of {}: {reason}. Nothing was changed, and the run is \
         given up; --on-invalid quarantine or warn loads the others",
        name(*file)
    )))
}

/// What validation has found in a run, as rows of `_findings`.
pub fn rows(run: &Run, input: &Input, tally: &Tally) -> Vec<FindingRow> {
    let row = |(key, counted): (&FindingKey, &Counted)| FindingRow {
        export_id: run.plan.export_id.clone(),
        resource_type: key.resource_type.clone(),
        severity: key.severity.to_owned(),
        issue_code: counted.issue_code.clone(),
        kind: key.kind.to_owned(),
        element_path: key.element_path.clone(),
        reason: counted.reason.clone(),
        finding_count: signed(counted.count),
        raw_file: input.files.get(counted.first.0 as usize).map(|file| file.path.clone()).unwrap_or_default(),
        line_number: signed(counted.first.1),
        byte_offset: signed(counted.first.2),
    };
    tally.findings.iter().map(row).collect()
}

/// The most frequent finding, told to whoever started the run.
pub fn most_frequent(findings: &[FindingRow]) -> Option<String> {
    let most =
        findings.iter().filter(|row| row.severity != "information").max_by_key(|row| row.finding_count)?;
    let all: i64 = findings.iter().map(|row| row.finding_count).sum();
    Some(format!(
        "validation has found {all} things, most often {} at {}: see _findings",
        most.kind, most.element_path
    ))
}
