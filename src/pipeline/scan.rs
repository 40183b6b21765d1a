//! Checks every line of the run's files and learns its header: which resource, which version, where.
//!
//! One invariant: a line is either a candidate for a row or a refusal with its reason; their number is the file's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fhir_arrow::{Instant, IssueCode, LineError, parse_instant, row_hash, scan};
use fhir_definitions::Definitions;
use futures::TryStreamExt;

use super::input::InputFile;
use super::progress::{Observer, Step};
use crate::error::{Error, Result};
use crate::lake::resource::table_name;
use crate::lake::upsert::{Candidate, Refusal};
use crate::raw::reader::{Block, Blocks, Line};
use crate::storage::Root;

/// What the lines of some files say.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Table → candidates, in the order of their files and lines.
    pub candidates: BTreeMap<String, Vec<Candidate>>,
    /// Lines that cannot become rows.
    pub refused: Vec<Refusal>,
    /// Resource type → lines, refused ones included.
    pub lines: BTreeMap<String, u64>,
    /// The patients that came.
    pub patients: BTreeSet<String>,
    /// Resources that are older than the `_since` that was sent.
    pub before_since: u64,
}

/// The resource type that a line is counted under if it says none.
pub const UNKNOWN: &str = "unknown";

/// Scans a file of the run. `index` is its place in the run's sources.
pub async fn scan_file(
    root: &Root,
    index: usize,
    file: &InputFile,
    observer: &dyn Observer,
) -> Result<Scanned> {
    let expected = Arc::new(Expected {
        file: u32::try_from(index).unwrap_or(u32::MAX),
        resource_type: file.resource_type.clone(),
        name: file.name.clone(),
        since: file.since.as_deref().and_then(parse_instant),
    });
    let blocks =
        futures::stream::try_unfold(Blocks::new(root, &file.path, 0, file.byte_count), async |mut blocks| {
            Ok::<_, Error>(blocks.next().await?.map(|block| (block, blocks)))
        });
    let parallel = std::thread::available_parallelism().map_or(2, usize::from);
    let mut all = Scanned::default();
    let mut scanned = std::pin::pin!(
        blocks
            .map_ok(|block| {
                let expected = Arc::clone(&expected);
                crate::blocking(move || Ok((block.bytes.len(), scan_block(&block, &expected))))
            })
            .try_buffered(parallel)
    );
    while let Some((length, block)) = scanned.try_next().await? {
        observer.advance(Step::Check, length as u64);
        all.merge(block);
    }
    let lines: u64 = all.lines.values().sum();
    if lines == file.line_count {
        return Ok(all);
    }
    Err(Error::Damaged {
        path: file.path.clone(),
        reason: format!("it has {lines} lines, and had {} when it was received", file.line_count),
    })
}

struct Expected {
    file: u32,
    resource_type: Option<String>,
    name: String,
    since: Option<Instant>,
}

fn scan_block(block: &Block, expected: &Expected) -> Scanned {
    let mut scanned = Scanned::default();
    for line in block.lines() {
        scanned.take(&line, expected);
    }
    scanned
}

impl Scanned {
    fn take(&mut self, line: &Line<'_>, expected: &Expected) {
        let header = match scan(line.bytes) {
            Ok(header) => header,
            Err(error) => return self.refuse(line, expected, None, None, &error),
        };
        let resource_type = header.resource_type.to_string();
        if let Some(reason) = wrong_type(&resource_type, expected) {
            let known = Definitions::r4().is_resource(&resource_type).then_some(resource_type);
            return self.refuse(line, expected, known, Some(header.id.to_string()), &reason);
        }
        *self.lines.entry(resource_type.clone()).or_default() += 1;
        if let (Some(since), Some(updated)) = (expected.since, header.last_updated) {
            self.before_since += u64::from(updated < since);
        }
        if resource_type == "Patient" {
            self.patients.insert(header.id.to_string());
        }
        let candidate = Candidate {
            id: header.id.to_string().into_boxed_str(),
            last_updated: header.last_updated,
            row_hash: row_hash(line.bytes),
            file: expected.file,
            line: line.number,
            offset: line.offset,
            length: line.bytes.len() as u64,
        };
        self.candidates.entry(table_name(&resource_type, header.subsetted)).or_default().push(candidate);
    }

    fn refuse(
        &mut self,
        line: &Line<'_>,
        expected: &Expected,
        resource_type: Option<String>,
        id: Option<String>,
        error: &LineError,
    ) {
        // A line that says no type is counted under the type of its file.
        let file_type = expected
            .resource_type
            .clone()
            .or_else(|| Definitions::r4().is_resource(&expected.name).then(|| expected.name.clone()));
        let resource_type = resource_type.or(file_type);
        *self.lines.entry(resource_type.clone().unwrap_or_else(|| UNKNOWN.to_owned())).or_default() += 1;
        self.refused.push(Refusal {
            resource_type,
            id,
            file: expected.file,
            line: line.number,
            offset: line.offset,
            length: line.bytes.len() as u64,
            issue_code: error.code.to_string(),
            element_path: error.element_path.clone(),
            reason: error.reason.clone(),
        });
    }

    /// Adds what comes after.
    pub fn merge(&mut self, after: Self) {
        for (table, candidates) in after.candidates {
            self.candidates.entry(table).or_default().extend(candidates);
        }
        for (resource_type, lines) in after.lines {
            *self.lines.entry(resource_type).or_default() += lines;
        }
        self.refused.extend(after.refused);
        self.patients.extend(after.patients);
        self.before_since += after.before_since;
    }
}

/// Why a line's type is not what its file may hold.
fn wrong_type(found: &str, expected: &Expected) -> Option<LineError> {
    let reason = match &expected.resource_type {
        Some(wanted) if wanted != found => format!("the manifest says that this file holds {wanted}"),
        _ if !Definitions::r4().is_resource(found) => "it is no resource type of FHIR 4.0.1".to_owned(),
        _ => return None,
    };
    let element_path = Some("resourceType".to_owned());
    Some(LineError { code: IssueCode::Invalid, reason, element_path, offset: 0 })
}

/// Of the candidates of one id the one that stands, in the order of files and lines.
pub fn newest(candidates: Vec<Candidate>, transaction_time: Instant) -> Vec<Candidate> {
    let mut standing: HashMap<Box<str>, Candidate> = HashMap::with_capacity(candidates.len());
    for candidate in candidates {
        match standing.get(&candidate.id) {
            Some(before)
                if !candidate.version(transaction_time).replaces(&before.version(transaction_time)) => {}
            _ => drop(standing.insert(candidate.id.clone(), candidate)),
        }
    }
    let mut newest: Vec<Candidate> = standing.into_values().collect();
    newest.sort_unstable_by_key(|candidate| (candidate.file, candidate.offset));
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::progress::Unwatched;
    use crate::raw::layout::Section;

    async fn scanned(content: &str, resource_type: Option<&str>) -> Scanned {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().to_str().unwrap()).unwrap();
        root.put("raw/x/Patient.0.ndjson", content.to_owned()).await.unwrap();
        let file = InputFile {
            section: Section::Output,
            resource_type: resource_type.map(str::to_owned),
            name: "Patient".into(),
            url: String::new(),
            url_sha256: None,
            path: "raw/x/Patient.0.ndjson".into(),
            byte_count: content.len() as u64,
            line_count: content.lines().filter(|line| !line.is_empty()).count() as u64,
            manifest_count: None,
            sha256: String::new(),
            retries: 0,
            since: Some("2026-02-01T00:00:00Z".into()),
            loaded_before: false,
        };
        scan_file(&root, 0, &file, &Unwatched).await.unwrap()
    }

    const GOOD: &str = r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;

    #[tokio::test]
    async fn a_bad_line_is_refused_with_its_place_and_the_others_are_candidates() {
        let content = format!("{GOOD}\n\n{{\"resourceType\":\"Patient\"}}\nnonsense\n{GOOD}\n");
        let scanned = scanned(&content, None).await;
        assert_eq!(scanned.candidates["Patient"].len(), 2);
        let places: Vec<_> =
            scanned.refused.iter().map(|r| (r.line, r.offset, r.resource_type.as_deref())).collect();
        let first = GOOD.len() as u64 + 2;
        assert_eq!(places, [(3, first, Some("Patient")), (4, first + 27, Some("Patient"))]);
        assert_eq!((scanned.lines["Patient"], scanned.before_since), (4, 2));
    }

    #[tokio::test]
    async fn a_line_of_another_type_than_the_manifest_says_is_refused() {
        let content = format!("{GOOD}\n{}\n", GOOD.replace("Patient", "Condition"));
        let with_manifest = scanned(&content, Some("Patient")).await;
        assert_eq!((with_manifest.refused.len(), with_manifest.candidates.len()), (1, 1));
        let without = scanned(&content, None).await;
        assert_eq!((without.refused.len(), without.candidates.len()), (0, 2));
    }

    #[tokio::test]
    async fn a_type_that_fhir_does_not_have_is_refused() {
        let content = GOOD.replace("Patient", "Pet");
        assert_eq!(scanned(&content, None).await.refused.len(), 1);
    }
}
