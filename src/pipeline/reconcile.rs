//! Counts at the server, in the files and in the tables, side by side; and whether everything came.
//!
//! One invariant: watermarks move only if everything came that the server says there is. What did not come is asked for
//! again by the next run.

use std::collections::{BTreeMap, BTreeSet};

use delta_upsert::upsert::Changed;

use super::applied::told;
use super::input::{Input, InputFile};
use super::load::signed;
use super::run::Run;
use crate::error::{Error, Result};
use crate::lake::exports::TypeCounts;
use crate::lake::resource::resource_type;
use crate::lake::stage::Tally;
use crate::raw::layout::Section;

/// What a run's counts say.
#[derive(Debug)]
pub struct Verdict {
    /// By resource type.
    pub counts: Vec<TypeCounts>,
    /// Whether everything came, so that the watermarks may move.
    pub complete: bool,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Reconciles a run.
///
/// # Errors
/// [`Error::Unreconciled`] where the tables took more than came.
pub fn reconcile(
    run: &Run,
    input: &Input,
    tally: &Tally,
    changed: &BTreeMap<String, Changed>,
    errors: i64,
) -> Result<Verdict> {
    let counts = count(input, tally, changed);
    check_lines(input, tally)?;
    if let Some(entry) = counts.iter().find(|entry| entry.unchanged < 0) {
        return Err(Error::Unreconciled(format!(
            "{}: {} lines came, and {} rows were inserted, {} updated, {} lines quarantined",
            entry.resource_type, entry.file_count, entry.inserted, entry.updated, entry.quarantined
        )));
    }
    let (mut missing, mut warnings) = (Vec::new(), input.warnings.clone());
    if errors > 0 {
        missing.push(format!(
            "the server reported {errors} errors that name no resource (in raw/{}/error)",
            run.plan.export_id
        ));
    }
    missing.extend(lost_deletions(input, tally));
    missing.extend(refused_files(input, tally));
    missing.extend(cut_files(input, tally));
    for difference in differences(input, &counts) {
        let is_missing = difference.came < difference.promised && !difference.verified;
        if is_missing { &mut missing } else { &mut warnings }.push(difference.text);
    }
    let complete = missing.is_empty();
    if !complete && !input.watermarks.is_empty() {
        missing.push(
            "the watermark stays where it was: the next run asks again for everything since then".to_owned(),
        );
    }
    warnings.extend(missing);
    warnings.extend(ignored(run, input, tally.before_since));
    Ok(Verdict { counts, complete, warnings })
}

/// A count of the manifest that is not what came.
struct Difference {
    promised: u64,
    came: u64,
    /// Whether what came is known to be all of it: then the count is wrong.
    verified: bool,
    text: String,
}

fn differences(input: &Input, counts: &[TypeCounts]) -> Vec<Difference> {
    let difference = |what: &str, promised: u64, came: u64, verified: bool| Difference {
        promised,
        came,
        verified,
        text: format!("{what}: the manifest promises {promised} resources, {came} came"),
    };
    let by_file = input.files.iter().filter(|file| !file.loaded_before).filter_map(|file| {
        let promised = file.manifest_count.filter(|promised| *promised != file.line_count)?;
        Some(difference(&file.path, promised, file.line_count, file.verified))
    });
    let by_type = input.promised.iter().filter_map(|(name, promised)| {
        let entry = counts.iter().find(|entry| entry.resource_type == *name);
        let came = entry.map_or(0, |entry| entry.file_count.unsigned_abs());
        // A manifest that names a file without counting it promises something all the same.
        let promised = promised.unwrap_or(came.max(1));
        (promised != came).then(|| difference(name, promised, came, false))
    });
    by_file.chain(by_type).collect()
}

/// The lines that were looked at are those that were received.
fn check_lines(input: &Input, tally: &Tally) -> Result<()> {
    let outputs = input.files.iter().filter(|file| file.section == Section::Output && !file.loaded_before);
    let received: u64 = outputs.map(|file| file.line_count).sum();
    let came: u64 = tally.lines.values().sum();
    if received == came {
        return Ok(());
    }
    Err(Error::Unreconciled(format!(
        "{came} lines were read of files that had {received} when they were received"
    )))
}

/// Files with refused lines, each with how many.
fn refused<'i>(
    input: &'i Input,
    tally: &'i Tally,
    section: Section,
) -> impl Iterator<Item = (&'i InputFile, u64)> {
    let files = tally
        .refused_of_file
        .iter()
        .filter_map(|(file, lines)| Some((input.files.get(*file as usize)?, *lines)));
    files.filter(move |(file, _)| file.section == section)
}

/// Deletions that could not be read: they would not come again.
fn lost_deletions(input: &Input, tally: &Tally) -> Option<String> {
    let lost: u64 = refused(input, tally, Section::Deleted).map(|(_, lines)| lines).sum();
    (lost > 0).then(|| format!("{lost} lines of the section `deleted` could not be applied: see _quarantine"))
}

/// Files of which not one line could be read: more likely the server's mistake than the resources'.
fn refused_files(input: &Input, tally: &Tally) -> Vec<String> {
    let files = tally.unreadable_of_file.iter();
    let files = files.filter_map(|(file, lines)| Some((input.files.get(*file as usize)?, *lines)));
    files
        .filter(|(file, lines)| file.section == Section::Output && file.line_count == *lines)
        .map(|(file, _)| format!("{}: not one of its lines could be read: see _quarantine", file.path))
        .collect()
}

/// Files that end within a line. A server may leave out the last line's end, but not a part of the line: the connection
/// broke, and nobody said so.
fn cut_files(input: &Input, tally: &Tally) -> Vec<String> {
    let broken =
        tally.broken_until.iter().filter_map(|(file, end)| Some((input.files.get(*file as usize)?, *end)));
    broken
        .filter(|(file, end)| file.byte_count == *end)
        .map(|(file, _)| format!("{}: it ends within a line, so it is not whole", file.path))
        .collect()
}

/// Parameters of the kick-off that the server seems to have ignored.
fn ignored(run: &Run, input: &Input, before_since: u64) -> Vec<String> {
    let mut ignored = Vec::new();
    if before_since > 0 {
        ignored.push(format!(
            "the server sent {before_since} resources that are older than the `_since` it was asked for"
        ));
    }
    ignored.extend(told(input.files.iter().flat_map(|file| &file.contradictions)));
    let asked = &run.plan.scope.types;
    let outputs = input.files.iter().filter(|file| file.section == Section::Output);
    let unasked: BTreeSet<&String> = outputs
        .filter_map(|file| file.resource_type.as_ref())
        .filter(|name| !asked.is_empty() && !asked.contains(name))
        .collect();
    if !unasked.is_empty() {
        ignored.push(format!("the server sent types that it was not asked for (`_type`): {unasked:?}"));
    }
    ignored
}

/// What came of each type, and what became of it.
fn count(input: &Input, tally: &Tally, changed: &BTreeMap<String, Changed>) -> Vec<TypeCounts> {
    let mut counts = Counts::default();
    for file in input.files.iter().filter(|file| file.section == Section::Output) {
        counts.file(file);
    }
    for (name, promised) in &input.promised {
        counts.of(name).server_count = promised.map(signed);
    }
    for (name, lines) in &tally.lines {
        counts.of(name).file_count += signed(*lines);
    }
    for (name, changed) in changed {
        let entry = counts.of(resource_type(name));
        entry.inserted += signed(changed.inserted);
        entry.updated += signed(changed.updated);
        entry.deleted += signed(changed.deleted);
    }
    for (name, lines) in &tally.refused {
        counts.of(name).quarantined += signed(*lines);
    }
    counts.finish()
}

#[derive(Default)]
struct Counts(BTreeMap<String, TypeCounts>);

impl Counts {
    fn of(&mut self, name: &str) -> &mut TypeCounts {
        let new = || TypeCounts { resource_type: name.to_owned(), ..TypeCounts::default() };
        self.0.entry(name.to_owned()).or_insert_with(new)
    }

    fn file(&mut self, file: &InputFile) {
        let entry = self.of(file.resource_type.as_ref().unwrap_or(&file.name));
        if let Some(promised) = file.manifest_count {
            *entry.server_count.get_or_insert(0) += signed(promised);
        }
        if file.loaded_before {
            entry.file_count += signed(file.line_count);
        }
    }

    fn finish(self) -> Vec<TypeCounts> {
        let all = self.0.into_values().map(|entry| TypeCounts {
            unchanged: entry.file_count - entry.inserted - entry.updated - entry.quarantined,
            ..entry
        });
        all.filter(|entry| entry.file_count > 0 || entry.deleted > 0 || entry.server_count.is_some())
            .collect()
    }
}
