//! Stages the run's files: a few splits at a time, each by one worker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use delta_upsert::data_file::{NewFile, Parts};
use delta_upsert::{Key, KeySet};
use fhir_arrow::{Reader, parse_instant};
use futures::{StreamExt, TryStreamExt};

use super::input::{Input, InputFile};
use super::progress::{Observer, Step};
use super::settings::Settings;
use super::splits::{Split, splits};
use crate::error::{Error, Result};
use crate::lake::resource::{Origin, table_name};
use crate::lake::stage::{StageFile, Staged, StagedFile, Stager, Staging, Tally};
use crate::lake::upsert::{Context, Dropped, Filter, Present};
use crate::raw::layout::Section;
use crate::raw::{Block, Blocks, RawSource};

/// What staging made of the run's files.
#[derive(Debug, Default)]
pub struct StagedRun {
    /// Table → its files.
    pub tables: BTreeMap<String, Vec<NewFile>>,
    /// The keys of their rows: their file is its number among its table's.
    pub keys: KeySet,
    /// The files of `_quarantine`.
    pub quarantine: Vec<NewFile>,
    /// What came.
    pub tally: Tally,
    /// The tables that have the run's commit already.
    pub done: BTreeSet<String>,
    /// The versions of the tables that were looked at.
    pub versions: BTreeMap<String, u64>,
    /// The rows of the tables, as they were, whose resources came.
    pub present: Present,
}

/// The run's raw files, as far as staging is concerned.
pub fn stage_files(input: &Input, origin: Origin, is_type: impl Fn(&str) -> bool) -> Vec<StageFile> {
    let origin = Arc::new(origin);
    let of = |file: &InputFile| StageFile {
        name: file.path.as_str().into(),
        resource_type: file.resource_type.clone(),
        hint: Some(file.name.clone()).filter(|name| is_type(name)),
        parts: file.parts,
        since: file.since.as_deref().and_then(parse_instant),
        origin: Arc::clone(&origin),
    };
    input.files.iter().map(of).collect()
}

/// Stages the output files of a run.
pub async fn stage(
    context: &Context,
    settings: &Settings,
    mut staging: Staging,
    input: &Input,
    observer: &dyn Observer,
) -> Result<StagedRun> {
    let splits = splits(&input.files, context.workers.count());
    let filter = match &staging.only {
        // They are replaced as a whole.
        Some(replaced) => Filter::none(context, replaced).await?,
        None => Filter::open(context, tables(context, &staging, input).await?).await?,
    };
    staging.done.clone_from(filter.done());
    let versions = filter.versions().clone();
    let (mut tally, mut present) = (Tally::default(), Present::default());
    if !filter.is_empty() {
        let dropped = look(context, settings, &staging, filter, &splits, observer).await?;
        dropped.tally(&mut tally);
        staging.dropped = dropped.lines;
        present = dropped.present;
    }
    observer.begin(Step::Stage, Some(splits.iter().map(|split| split.bytes).sum()));
    let staging = Arc::new(staging);
    let keys = KeySet::new(settings.keys());
    let done = staging.done.clone();
    let collected =
        Arc::new(Mutex::new(StagedRun { keys, tally, done, versions, present, ..StagedRun::default() }));
    futures::stream::iter(splits)
        .map(|split| stage_split(context, settings, &staging, split, &collected, observer))
        .buffer_unordered(context.workers.count())
        .try_collect::<()>()
        .await?;
    observer.end(Step::Stage);
    Ok(std::mem::take(&mut *collected.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Looks at the ids that came, and stages nothing.
///
/// # Errors
/// [`Error::Invalid`] where a line cannot be read: the resource that it may be would be taken for deleted.
pub async fn look_at_ids(
    context: &Context,
    settings: &Settings,
    staging: &Staging,
    input: &Input,
    observer: &dyn Observer,
) -> Result<StagedRun> {
    let splits = splits(&input.files, context.workers.count());
    let filter = Filter::open(context, tables(context, staging, input).await?).await?;
    let (done, versions) = (filter.done().clone(), filter.versions().clone());
    let dropped = look(context, settings, staging, filter, &splits, observer).await?;
    if dropped.unread > 0 {
        return Err(Error::Invalid(format!(
            "{} lines that the server sent are no resources of their file's type: what they may be would be taken for \
             deleted, so nothing was changed",
            dropped.unread
        )));
    }
    let mut tally = Tally { patients: dropped.patients, ..Tally::default() };
    // A type whose file is empty is one of which nothing is there.
    let outputs = input.files.iter().filter(|file| file.section == Section::Output && file.line_count > 0);
    for file in outputs {
        *tally.lines.entry(file.name.clone()).or_default() += file.line_count;
    }
    Ok(StagedRun { tally, done, versions, present: dropped.present, ..StagedRun::default() })
}

/// The tables that the files' names speak of; all that the lake has, where a name speaks of none.
async fn tables(context: &Context, staging: &Staging, input: &Input) -> Result<BTreeSet<String>> {
    let outputs = input.files.iter().zip(&staging.files).filter(|(file, _)| file.section == Section::Output);
    let mut names = BTreeSet::new();
    for (file, of) in outputs.filter(|(file, _)| !file.loaded_before && file.byte_count > 0) {
        match file.resource_type.as_ref().or(of.hint.as_ref()) {
            Some(name) => names.extend([false, true].map(|subsetted| table_name(name, subsetted))),
            None => {
                let stored = context.lake.root.folders("tables").await?;
                let partial = context.lake.root.folders("tables/_partial").await?;
                names.extend(stored.into_iter().filter(|name| !name.starts_with('_')));
                names.extend(partial.iter().map(|name| table_name(name, true)));
            }
        }
    }
    Ok(names)
}

/// Looks at every line for those that would change nothing.
async fn look(
    context: &Context,
    settings: &Settings,
    staging: &Staging,
    filter: Filter,
    splits: &[Split],
    observer: &dyn Observer,
) -> Result<Dropped> {
    observer.begin(Step::Check, Some(splits.iter().map(|split| split.bytes).sum()));
    let filter = Arc::new(filter);
    let looked = Arc::new(Mutex::new(KeySet::new(settings.keys())));
    let seen = Arc::new(Mutex::new(Dropped::default()));
    futures::stream::iter(splits)
        .map(|split| async {
            let mut reader = Reader::default();
            each_block(context, settings, staging, split, async |file, block| {
                let (filter, looked, seen) = (Arc::clone(&filter), Arc::clone(&looked), Arc::clone(&seen));
                let Some(of) = staging.files.get(file as usize).cloned() else { return Ok(()) };
                let length = block.bytes.len() as u64;
                let mut used = std::mem::take(&mut reader);
                reader = crate::busy(move || {
                    let found = filter.look(&mut used, file, &of, &block);
                    let mut all = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    all.patients.extend(found.patients);
                    all.unread += found.unread;
                    *all.before_since.entry(file).or_default() |= found.before_since;
                    drop(all);
                    let mut looked = looked.lock().unwrap_or_else(PoisonError::into_inner);
                    for (name, keys) in found.keys {
                        looked.extend(&name, keys)?;
                    }
                    Ok(used)
                })
                .await?;
                observer.advance(Step::Check, length);
                Ok(())
            })
            .await
        })
        .buffer_unordered(context.workers.count())
        .try_collect::<()>()
        .await?;
    let looked = std::mem::take(&mut *looked.lock().unwrap_or_else(PoisonError::into_inner));
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    let dropped = filter.dropped(context, looked).await?;
    let Dropped { patients, before_since, unread, .. } = seen;
    let dropped = Dropped { patients, before_since, unread, ..dropped };
    observer.end(Step::Check);
    Ok(dropped)
}

async fn stage_split(
    context: &Context,
    settings: &Settings,
    staging: &Arc<Staging>,
    split: Split,
    collected: &Arc<Mutex<StagedRun>>,
    observer: &dyn Observer,
) -> Result<()> {
    let mut stager = Some(Stager::new(staging));
    let mut parts = Parts::new(&context.lake.root.table("_quarantine")?);
    each_block(context, settings, staging, &split, async |file, block| {
        let Some(mut at_work) = stager.take() else { return Ok(()) };
        let (length, collected) = (block.bytes.len() as u64, Arc::clone(collected));
        let (placed, at_work) = crate::busy(move || {
            let placed = at_work.take(file, &block)?;
            collect(&collected, at_work.staged())?;
            Ok((placed, at_work))
        })
        .await?;
        stager = Some(at_work);
        parts.place(placed).await?;
        observer.advance(Step::Stage, length);
        Ok(())
    })
    .await?;
    let Some(stager) = stager else { return Ok(()) };
    let collected = Arc::clone(collected);
    let last = crate::busy(move || {
        let (last, staged) = stager.finish()?;
        collect(&collected, staged)?;
        Ok(last)
    });
    Ok(parts.place(last.await?).await?)
}

/// Adds what a stager has made to that of the run.
pub(super) fn collect(collected: &Mutex<StagedRun>, staged: Staged) -> Result<()> {
    let mut run = collected.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, files) in staged.tables {
        for StagedFile { file, keys } in files {
            let files = run.tables.entry(name.clone()).or_default();
            let number = u32::try_from(files.len()).unwrap_or(Key::TOMBSTONE - 1);
            files.push(file);
            run.keys.extend(&name, keys.into_iter().map(|key| Key { file: number, ..key }))?;
        }
    }
    run.quarantine.extend(staged.quarantine);
    run.tally.merge(staged.tally);
    Ok(())
}

/// Reads the blocks of a split, one after the other.
async fn each_block(
    context: &Context,
    settings: &Settings,
    staging: &Staging,
    split: &Split,
    mut of: impl AsyncFnMut(u32, Block) -> Result<()>,
) -> Result<()> {
    for piece in &split.pieces {
        let Some(file) = staging.files.get(piece.file as usize) else { continue };
        let source = RawSource::open(&context.lake.root, &file.name).await?;
        let mut blocks = Blocks::new(source, piece.from, piece.end, settings.block());
        while let Some(block) = blocks.next().await? {
            of(piece.file, block).await?;
        }
    }
    Ok(())
}
