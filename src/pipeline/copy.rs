//! Local files into the raw store: copied, or left where they are and referred to.
//!
//! One invariant: what is frozen of a file (length, lines, hash) was read of the bytes that are loaded.

use std::collections::{HashMap, HashSet};

use fhir_arrow::scan;
use fhir_bulk_client::FileFacts;
use fhir_definitions::Definitions;
use futures::{StreamExt, TryStreamExt};

use super::ingest::IngestOptions;
use super::input::{InputFile, LeftAt};
use super::progress::{Observer, Step};
use super::run::Run;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;
use crate::lake::ledger::{ABSENT, DeletionRow, FileRow};
use crate::lake::own;
use crate::lake::quarantine::RefusedFile;
use crate::raw::layout::{self, Section};
use crate::raw::local::{self, LocalFile};
use crate::raw::{Blocks, Passing, RawFacts, RawFile, RawSource};

/// Brings files into the raw store, some at a time. Returns their records, in order.
pub async fn copy(
    lake: &Lake,
    run: &Run,
    files: &[LocalFile],
    options: &IngestOptions,
    observer: &dyn Observer,
) -> Result<Vec<InputFile>> {
    // A snapshot's lines say what is there, whether or not they change anything.
    let known = if options.snapshot { HashSet::new() } else { loaded(lake).await? };
    let sizes = files.iter().filter_map(|file| file.path.metadata().ok()).map(|found| found.len());
    observer.begin(Step::Copy, Some(sizes.sum()));
    let mut numbers = HashMap::new();
    let mut places = Vec::new();
    for file in files {
        let name = name_of(file, lake.definitions()).await?;
        let n = numbers.entry((file.section.name(), name.clone())).or_insert(0);
        let path = if options.reference {
            left_at(file)?
        } else {
            layout::file(&run.plan.export_id, file.section, &name, *n, options.settings.raw)
        };
        *n += 1;
        places.push((file, name, path));
    }
    let copied = futures::stream::iter(places)
        .map(|(file, name, path)| {
            let known = &known;
            async move {
                let copied = if options.reference {
                    refer(lake, file, &path, known).await?
                } else {
                    copy_file(lake, file, &path, known).await?
                };
                observer.advance(Step::Copy, file.path.metadata().map_or(0, |found| found.len()));
                // The folders above it may be named after a patient.
                let url = file.path.file_name().map(|name| name.to_string_lossy().into_owned());
                Ok::<_, Error>(InputFile { name, url: url.unwrap_or_default(), ..copied })
            }
        })
        .buffered(options.settings.workers())
        .try_collect()
        .await;
    observer.end(Step::Copy);
    copied
}

/// The hashes of the files whose every line an earlier run has taken. A file with a line that was refused is read again:
/// what was wrong with it may be known better now, and is told again if it is not.
async fn loaded(lake: &Lake) -> Result<HashSet<String>> {
    let refused: HashSet<String> =
        own::rows::<RefusedFile>(&lake.root).await?.into_iter().map(|row| row.raw_file).collect();
    let standing = standing_runs(lake).await?;
    let files = own::rows::<FileRow>(&lake.root).await?;
    let taken = files
        .into_iter()
        .filter(|file| file.section == Section::Output.name() && standing.contains(&file.export_id));
    Ok(taken.filter(|file| !refused.contains(&file.path)).map(|file| file.sha256).collect())
}

/// The runs whose files are in the tables: they are finished, and no snapshot since has removed anything.
async fn standing_runs(lake: &Lake) -> Result<HashSet<String>> {
    let deletions = own::rows::<DeletionRow>(&lake.root).await?.into_iter();
    let removals: HashSet<String> =
        deletions.filter(|row| row.cause == ABSENT).map(|row| row.export_id).collect();
    let exports = Exports::read(&lake.root).await?.0;
    let first = exports.iter().rposition(|row| removals.contains(&row.export_id)).unwrap_or(0);
    Ok(exports.into_iter().skip(first).map(|row| row.export_id).collect())
}

/// The type in a raw file's name: the file's own name says it, or else its first line.
async fn name_of(file: &LocalFile, definitions: &Definitions) -> Result<String> {
    match file.section {
        Section::Deleted => return Ok("Bundle".to_owned()),
        Section::Error => return Ok("OperationOutcome".to_owned()),
        Section::Output => {}
    }
    if let Some(hint) = file.hint(definitions) {
        return Ok(hint.to_owned());
    }
    let first = local::chunks(&file.path)?.next().await?.unwrap_or_default();
    let line = first.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(scan(line).map_or_else(|_| "Resource".to_owned(), |header| header.resource_type.into_owned()))
}

/// Whether an earlier run has taken all that the file says. The same words of a deletion or of an error mean something
/// else each time that they are said.
fn is_loaded(file: &LocalFile, facts: &FileFacts, known: &HashSet<String>) -> bool {
    file.section == Section::Output && known.contains(&facts.sha256)
}

/// Copies one file, unless its bytes were loaded before.
async fn copy_file(lake: &Lake, file: &LocalFile, path: &str, known: &HashSet<String>) -> Result<InputFile> {
    let mut chunks = local::chunks(&file.path)?;
    let mut raw = RawFile::create(&lake.root, path).await?;
    loop {
        match chunks.next().await {
            Ok(Some(bytes)) => raw.write(&bytes).await?,
            Ok(None) => break,
            Err(error) => {
                raw.abort().await;
                return Err(error);
            }
        }
    }
    let facts = raw.finish_if(|facts| !is_loaded(file, facts, known)).await?;
    Ok(record(file, path, facts, known))
}

fn record(file: &LocalFile, path: &str, facts: RawFacts, known: &HashSet<String>) -> InputFile {
    let loaded_before = is_loaded(file, &facts.file, known);
    InputFile { loaded_before, ..InputFile::of(file.section, path) }.with(facts)
}

/// The absolute path of a file that is to be left where it is.
fn left_at(file: &LocalFile) -> Result<String> {
    let path = file.path.canonicalize().map_err(Error::io("open", &file.path))?;
    let shown = path.display();
    if shown.to_string().ends_with(".gz") {
        return Err(Error::Refused(format!(
            "{shown} cannot be read line by line where it is: --raw reference takes plain files and seekable zstd"
        )));
    }
    path.to_str().map(str::to_owned).ok_or_else(|| Error::Refused(format!("the path {shown} is not UTF-8")))
}

/// Reads one file where it is.
async fn refer(lake: &Lake, file: &LocalFile, path: &str, known: &HashSet<String>) -> Result<InputFile> {
    let left = LeftAt::now(path)?;
    let source = RawSource::open(&lake.root, path).await.map_err(|error| match error {
        Error::Damaged { path, reason } => {
            Error::Refused(format!("{path}: {reason}; --raw reference takes plain files and seekable zstd"))
        }
        other => other,
    })?;
    let mut blocks = Blocks::whole(source);
    let mut passing = Passing::default();
    while let Some(block) = blocks.next().await? {
        passing = crate::busy(move || {
            passing.push(&block.bytes);
            while passing.segment().is_some() {}
            Ok(passing)
        })
        .await?;
    }
    passing.last_segment();
    let referred = record(file, path, passing.finish(), known);
    left.check(path)?;
    Ok(InputFile { left: Some(left), ..referred })
}
