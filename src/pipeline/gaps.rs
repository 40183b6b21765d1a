//! Resources that the server could not export, read one by one where it lets us.
//!
//! One invariant: what is read so is kept as it came, but for the ends of lines within it, which become blanks: a resource
//! is a line.

use std::collections::BTreeMap;

use fhir_arrow::scan;
use fhir_bulk_client::BulkClient;
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
/// … and their bytes.
const MOST_BYTES: usize = 32 << 20;

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
    let mut gaps: BTreeMap<(String, String), GapRow> = BTreeMap::new();
    let open = own::rows::<GapRow>(&lake.root).await?.into_iter().filter(|gap| gap.resolved_by.is_none());
    for gap in open.chain(outcomes.gaps()) {
        gaps.entry((gap.resource_type.clone(), gap.id.clone())).or_insert(gap);
    }
    // Those that were read least lately come first: a run's number decides where to begin.
    let mut gaps: Vec<GapRow> = gaps.into_values().collect();
    let begin = usize::try_from(run.plan.seq).unwrap_or_default().wrapping_mul(MOST_READ) % gaps.len().max(1);
    gaps.rotate_left(begin);
    let mut lines: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut bytes_read = 0;
    for gap in gaps.iter_mut().take(MOST_READ) {
        if bytes_read > MOST_BYTES {
            break;
        }
        match client.resource(&gap.resource_type, &gap.id).await {
            Ok(bytes) => {
                let line: Vec<u8> = bytes
                    .iter()
                    .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte })
                    .collect();
                let is_it = scan(&line).is_ok_and(|header| {
                    header.resource_type == gap.resource_type.as_str() && header.id == gap.id.as_str()
                });
                if is_it {
                    bytes_read += line.len();
                    let of_type = lines.entry(gap.resource_type.clone()).or_default();
                    of_type.extend(line);
                    of_type.push(b'\n');
                    gap.resolved_by = Some(run.plan.export_id.clone());
                }
            }
            // It was deleted: there is nothing to bring. A 404 may only mean that the server lets nobody read.
            Err(error) if error.status() == Some(410) => {
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
