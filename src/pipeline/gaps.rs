//! Resources that the server could not export, read one by one where it lets us.
//!
//! One invariant: what is read so is kept as it came, but for the ends of lines within it, which become blanks: a resource
//! is a line.

use std::collections::BTreeMap;

use fhir_bulk_client::{BulkClient, ErrorKind};
use serde::{Deserialize, Serialize};

use super::input::InputFile;
use super::outcomes::Outcomes;
use super::run::Run;
use crate::error::Result;
use crate::lake::Lake;
use crate::lake::gaps::GapRow;
use crate::lake::own;
use crate::raw::layout::{self, Section};
use crate::raw::{Encoding, RawFile};

/// The note of what was read.
pub const NOTE: &str = "gaps.json";

/// Resources that are read in one run. What is left is read by the next ones.
const MOST_READ: usize = 1000;

/// `gaps.json`: the gaps, and the files of what was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filled {
    /// The gaps of this run, and those of earlier ones that it has read.
    pub gaps: Vec<GapRow>,
    /// What was read.
    pub files: Vec<InputFile>,
}

/// Reads what the run's error files name, and what earlier runs have left open.
pub async fn fill(
    client: &BulkClient,
    lake: &Lake,
    run: &Run,
    files: &[InputFile],
    raw: Encoding,
) -> Result<Filled> {
    if let Some(before) = run.noted(NOTE).await? {
        return Ok(before);
    }
    let mut outcomes = Outcomes::new(lake.definitions(), &run.plan.export_id);
    for file in files.iter().filter(|file| file.section == Section::Error) {
        outcomes.read(&lake.root, file).await?;
    }
    let mut gaps = outcomes.gaps();
    let open = own::rows::<GapRow>(&lake.root).await?.into_iter().filter(|gap| gap.resolved_by.is_none());
    gaps.extend(open);
    let mut lines: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for gap in gaps.iter_mut().take(MOST_READ) {
        match client.resource(&gap.resource_type, &gap.id).await {
            Ok(bytes) => {
                let of_type = lines.entry(gap.resource_type.clone()).or_default();
                of_type.extend(
                    bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }),
                );
                of_type.push(b'\n');
                gap.resolved_by = Some(run.plan.export_id.clone());
            }
            // It was deleted: there is nothing to bring.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                gap.resolved_by = Some(run.plan.export_id.clone());
            }
            Err(error) => tracing::info!(%error, "a resource that is missing cannot be read"),
        }
    }
    let mut filled = Filled { gaps, files: Vec::new() };
    for (name, lines) in lines {
        let n = files.iter().filter(|file| file.section == Section::Output && file.name == name).count();
        let path = layout::file(&run.plan.export_id, Section::Output, &name, n, raw);
        let mut file = RawFile::create(&lake.root, &path).await?;
        file.write(&lines).await?;
        let facts = file.finish_if(|_| true).await?;
        let read = InputFile {
            resource_type: Some(name.clone()),
            name,
            url: "read".to_owned(),
            verified: true,
            ..InputFile::of(Section::Output, &path)
        };
        filled.files.push(read.with(facts));
    }
    run.note(NOTE, &filled).await?;
    Ok(filled)
}
