//! One run of `fhirlake ingest`: files that are here already → raw store → freeze → load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use fhir_bulk_client::Manifest;

use super::copy::copy;
use super::input::{Input, InputFile};
use super::load::load;
use super::plan::ALL_TYPES;
use super::progress::Observer;
use super::report::Report;
use super::run::{self, Run};
use super::scope::Scope;
use super::settings::Settings;
use super::timed::Timed;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::exports::Exports;
use crate::lake::identity::Identity;
use crate::raw::layout::{self, Section};
use crate::raw::local::{self, LocalFile};

/// The pipeline's name, and the level of its runs.
const INGEST: &str = "ingest";

/// What to ingest.
#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// Files and folders, in this order.
    pub paths: Vec<PathBuf>,
    /// Whether the files are left where they are, and the lake refers to them.
    pub reference: bool,
    /// Whether the files are all that there is: what is not in them is removed.
    pub snapshot: bool,
    /// How the run works.
    pub settings: Settings,
}

/// Files that are loaded together.
struct Batch {
    manifest: Option<(Vec<u8>, Manifest)>,
    files: Vec<LocalFile>,
}

/// Ingests files into the lake at `location`, which is created where it is missing. Returns the runs that it took: one,
/// or one for each manifest; before them the one that was interrupted, if one was.
///
/// # Errors
/// [`Error::Refused`] for a path that is not there or is no NDJSON; and what the lake's store does. Whatever it is, the
/// same call continues.
pub async fn ingest(
    location: &str,
    identity: &Identity,
    options: &IngestOptions,
    observer: &dyn Observer,
) -> Result<Vec<Report>> {
    let observer = &Timed::new(observer);
    let mut batches = Vec::with_capacity(options.paths.len());
    for path in &options.paths {
        batches.push(look(path).await?);
    }
    let batches = runs(batches);
    if options.snapshot && batches.len() > 1 {
        return Err(Error::Refused(
            "--snapshot takes one export: folders with manifests of their own are several, of which each would remove what \
             the others bring"
                .to_owned(),
        ));
    }
    let lake = Lake::admit(location, identity).await?;
    lake.record_identity().await?;
    let _lease = run::lease(&lake.root, INGEST).await?;
    let mut reports = Vec::new();
    for batch in batches {
        let (run, finished) = begin(&lake, &options.settings, observer).await?;
        reports.extend(finished);
        let input = receive(&lake, &run, &batch, options, observer).await?;
        let loaded = load(&lake, &run, &input, &options.settings, observer).await;
        if let Err(Error::Invalid(_) | Error::Refused(_)) = &loaded {
            // Nothing was changed, and the files may be mended.
            run.abandon("it was refused").await?;
        }
        let report = loaded?;
        reports.push(Report { seconds: observer.take(), ..report });
    }
    Ok(reports)
}

/// What is loaded in one run: a manifest's `transactionTime` is that of a run's, so each manifest is a run of its own.
fn runs(batches: Vec<Batch>) -> Vec<Batch> {
    let mut runs: Vec<Batch> = Vec::new();
    for batch in batches {
        match runs.last_mut() {
            Some(last) if last.manifest.is_none() && batch.manifest.is_none() => {
                last.files.extend(batch.files)
            }
            _ => runs.push(batch),
        }
    }
    runs
}

/// What a path holds.
async fn look(path: &Path) -> Result<Batch> {
    if path.is_dir() {
        let found = local::find(path)?;
        if found.files.is_empty() {
            return Err(Error::Refused(format!(
                "{} has no *.ndjson, *.ndjson.gz or *.ndjson.zst in it",
                path.display()
            )));
        }
        let manifest = found.manifest.map(|path| read_manifest(&path)).transpose()?;
        return Ok(Batch { manifest, files: found.files });
    }
    if !path.is_file() {
        return Err(Error::Refused(format!("there is no file or folder {}", path.display())));
    }
    if !local::is_ndjson(path) {
        return Err(Error::Refused(format!(
            "{} is not NDJSON by its name: it should end with .ndjson, .ndjson.gz or .ndjson.zst",
            path.display()
        )));
    }
    let first = local::chunks(path)?.next().await?.unwrap_or_default();
    if !begins_with_an_object(&first) {
        return Err(Error::Refused(format!(
            "{} is not NDJSON: its first line does not begin with {{",
            path.display()
        )));
    }
    Ok(Batch { manifest: None, files: vec![LocalFile { path: path.to_owned(), section: Section::Output }] })
}

fn read_manifest(path: &Path) -> Result<(Vec<u8>, Manifest)> {
    let content = std::fs::read(path).map_err(Error::io("read", path))?;
    let refused = |error| Error::Refused(format!("{} is no manifest of an export: {error}", path.display()));
    let manifest = Manifest::parse(&content).map_err(refused)?;
    manifest.transaction_instant().map_err(refused)?;
    Ok((content, manifest))
}

/// Finishes the run that was interrupted, if its input is complete, and begins the next one.
async fn begin(lake: &Lake, settings: &Settings, observer: &dyn Observer) -> Result<(Run, Option<Report>)> {
    let mut exports = Exports::read(&lake.root).await?;
    let mut finished = None;
    if let Some(run) = Run::unfinished(&lake.root, INGEST, &exports).await? {
        match run.input().await? {
            Some(input) => {
                observer.note(&format!("run {} was interrupted and is finished first", run.plan.export_id));
                finished = Some(load(lake, &run, &input, settings, observer).await?);
                exports = Exports::read(&lake.root).await?;
            }
            None => run.abandon("its files had not been copied").await?,
        }
    }
    let scope = Scope { level: INGEST.to_owned(), ..Scope::default() };
    Ok((Run::begin(&lake.root, INGEST, &exports, scope, Vec::new()).await?, finished))
}

/// Brings the files into the raw store and freezes the run's input.
async fn receive(
    lake: &Lake,
    run: &Run,
    batch: &Batch,
    options: &IngestOptions,
    observer: &dyn Observer,
) -> Result<Input> {
    if let Some((content, _)) = &batch.manifest {
        lake.root.put(&layout::manifest(&run.plan.export_id, 0), content.clone()).await?;
    }
    let files = copy(lake, run, &batch.files, options, observer).await?;
    let snapshot = options.snapshot.then(Vec::new);
    run.freeze(Input { snapshot, ..input(run, batch, files) }).await
}

/// Whether the first byte that is not blank opens an object (a byte order mark is for the line's check).
fn begins_with_an_object(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    matches!(bytes.trim_ascii_start().first(), None | Some(b'{'))
}

fn input(run: &Run, batch: &Batch, files: Vec<InputFile>) -> Input {
    let manifest = batch.manifest.as_ref().map(|(_, manifest)| manifest);
    let started_at = run.plan.started_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let skipped = files.iter().filter(|file| file.loaded_before).count();
    let mut warnings = Vec::new();
    if skipped > 0 {
        warnings.push(format!("{skipped} of {} files were loaded before: they change nothing", files.len()));
    }
    Input {
        transaction_time: manifest.map_or(started_at, |manifest| manifest.transaction_time.clone()),
        request: manifest.and_then(|manifest| redacted(manifest.request.as_deref()?)),
        since: None,
        files,
        has_manifest: manifest.is_some(),
        promised: manifest.map(promised).unwrap_or_default(),
        // Only a folder with a manifest says up to when its data are complete.
        watermarks: manifest
            .map(|manifest| (ALL_TYPES.to_owned(), manifest.transaction_time.clone()))
            .into_iter()
            .collect(),
        complete: false,
        snapshot: None,
        warnings,
    }
}

/// What a manifest says of the files beside it, by type: their names may have changed since the download.
fn promised(manifest: &Manifest) -> BTreeMap<String, Option<u64>> {
    let mut promised: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for file in &manifest.output {
        let Some(name) = &file.type_ else { continue };
        let total = promised.entry(name.clone()).or_insert(Some(0));
        *total = total.zip(file.count).map(|(total, count)| total + count);
    }
    promised
}

fn redacted(request: &str) -> Option<String> {
    request.parse().ok().map(|url| fhir_bulk_client::redact(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_begin_with_an_object_is_no_ndjson() {
        assert!(begins_with_an_object(b" \n{\"resourceType\""));
        assert!(begins_with_an_object(b""));
        assert!(!begins_with_an_object(b"[{}]"));
        assert!(!begins_with_an_object(b"PAR1\x15\x04"));
    }

    #[tokio::test]
    async fn a_path_that_is_not_there_or_has_another_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(look(&folder.path().join("none")).await, Err(Error::Refused(_))));
        let csv = folder.path().join("patients.csv");
        std::fs::write(&csv, "id\n").unwrap();
        assert!(matches!(look(&csv).await, Err(Error::Refused(_))));
        let table = folder.path().join("table.ndjson");
        std::fs::write(&table, "id,name\n").unwrap();
        assert!(matches!(look(&table).await, Err(Error::Refused(_))));
        std::fs::remove_file(&table).unwrap();
        assert!(matches!(look(folder.path()).await, Err(Error::Refused(_))));
    }
}
