//! Finds the lines that would change nothing, before they are staged.
//!
//! One invariant: a line is dropped only if the table has its content already, or a newer version of it. So it changes
//! nothing but the time a run takes: what stands is decided when the table is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use delta_upsert::{Existing, IdHash, Key, KeyFile, KeySet, RoaringBitmap};
use fhir_arrow::{Header, Reader, row_hash};

use super::{Context, keys_of};
use crate::error::Result;
use crate::lake::keys;
use crate::lake::resource::{resource_type, table_name};
use crate::lake::stage::{StageFile, Tally};
use crate::lake::table;
use crate::raw::Block;

/// The tables that have rows, with their keys.
#[derive(Debug, Default)]
pub struct Filter {
    tables: HashMap<String, Vec<Known>>,
    done: BTreeSet<String>,
    versions: BTreeMap<String, u64>,
}

/// A data file whose rows may be met.
#[derive(Debug)]
struct Known {
    path: String,
    keys: KeyFile,
    /// Rows that are no longer in the table.
    removed: RoaringBitmap,
}

/// What is known of the lines of a block.
#[derive(Debug, Default)]
pub struct Looked {
    /// Table → the keys of its lines: `file` is the raw file, `row` the line's number.
    pub keys: BTreeMap<String, Vec<Key>>,
    /// The patients among them.
    pub patients: BTreeSet<String>,
    /// The numbers of lines that are older than the `_since` that was sent.
    pub before_since: RoaringBitmap,
    /// Lines of which nobody knows what resource they are.
    pub unread: u64,
}

/// Table → data file → rows. It has the files that the tables had when the lines were looked at.
pub type Present = HashMap<String, HashMap<String, RoaringBitmap>>;

/// Lines that would change nothing.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Raw file → the numbers of the lines.
    pub lines: HashMap<u32, RoaringBitmap>,
    /// Resource type → how many.
    pub counts: BTreeMap<String, u64>,
    /// The patients that came, dropped or not.
    pub patients: BTreeSet<String>,
    /// Raw file → lines that are older than the `_since` that was sent, dropped or not.
    pub before_since: HashMap<u32, RoaringBitmap>,
    /// Lines of which nobody knows what resource they are.
    pub unread: u64,
    /// The rows of the tables whose resources came, in whatever version.
    pub present: Present,
}

impl Filter {
    /// The filter of these tables, as they are now: those that the lake does not have, or that are empty, have none.
    pub async fn open(context: &Context, names: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut filter = Self::default();
        for name in names {
            let Some(table) = table::open(&context.lake.root, &name).await? else { continue };
            filter.versions.insert(name.clone(), table.version());
            if table.done_by(&context.run).await? {
                filter.done.insert(name);
                continue;
            }
            let mut files = Vec::new();
            for file in table.files()? {
                let removed = delta_upsert::removed(&table, &file).await?;
                let keys = keys_of(context, &table, &file).await?;
                files.push(Known { path: file.path.to_string(), keys, removed });
            }
            if !files.is_empty() {
                filter.tables.insert(name, files);
            }
        }
        Ok(filter)
    }

    /// No filter: every line is staged, but for those of tables that have the run's commit already.
    pub async fn none(context: &Context, names: &BTreeSet<String>) -> Result<Self> {
        let mut filter = Self::default();
        for name in names {
            let table = table::open(&context.lake.root, name).await?;
            if let Some(table) = table
                && table.done_by(&context.run).await?
            {
                filter.done.insert(name.clone());
            }
        }
        Ok(filter)
    }

    /// The tables that have the run's commit already.
    pub fn done(&self) -> &BTreeSet<String> {
        &self.done
    }

    /// The versions of the tables that are there.
    pub fn versions(&self) -> &BTreeMap<String, u64> {
        &self.versions
    }

    /// Whether no line can be dropped.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Looks at the lines of a block.
    pub fn look(&self, reader: &mut Reader, file: u32, of: &StageFile, block: &Block) -> Looked {
        let mut looked = Looked::default();
        for line in block.lines() {
            looked.unread += 1;
            let Ok(resource) = reader.read(line.bytes) else { continue };
            let Ok(header) = resource.header() else { continue };
            let is_expected = of.resource_type.as_ref().is_none_or(|wanted| *wanted == header.resource_type);
            let (Ok(row), true) = (u32::try_from(line.number), is_expected) else { continue };
            looked.unread -= 1;
            let version = keys::version(header.last_updated, of.origin.transaction_time);
            if header.resource_type == "Patient" {
                looked.patients.insert(header.id.to_string());
            }
            if of.since.zip(header.last_updated).is_some_and(|(since, updated)| updated < since) {
                looked.before_since.insert(row);
            }
            let id = IdHash::of(&header.id);
            let key = Key { id, version, place: 0, row_hash: row_hash(line.bytes), file, row };
            let subsetted = header.subsetted || of.parts;
            if let Some(name) = self.table(&header, subsetted) {
                looked.keys.entry(name).or_default().push(key);
            }
            // A resource that comes in parts is there all the same.
            if let Some(name) = self.table(&header, false).filter(|_| subsetted) {
                looked.keys.entry(name).or_default().push(Key { file: Key::TOMBSTONE, ..key });
            }
        }
        looked
    }

    /// The table of a resource, if it has rows.
    fn table(&self, header: &Header<'_>, subsetted: bool) -> Option<String> {
        let name = table_name(&header.resource_type, subsetted);
        self.tables.contains_key(&name).then_some(name)
    }

    /// The lines that would change nothing, of all that were looked at.
    pub async fn dropped(&self, context: &Context, looked: KeySet) -> Result<Dropped> {
        let none = |file: &Known| (file.path.clone(), RoaringBitmap::new());
        let of_table =
            |(name, files): (&String, &Vec<Known>)| (name.clone(), files.iter().map(none).collect());
        let present = self.tables.iter().map(of_table).collect();
        let mut dropped = Dropped { present, ..Dropped::default() };
        for (name, mut keys) in looked.finish() {
            let Some(files) = self.tables.get(&name) else { continue };
            let count = dropped.counts.entry(resource_type(&name).to_owned()).or_default();
            let lines = &mut dropped.lines;
            for chunk in keys.chunks(context.chunk)? {
                let chunk = chunk?;
                for file in files {
                    let present = dropped.present.entry(name.clone()).or_default();
                    let present = present.entry(file.path.clone()).or_default();
                    let meet = |of_id: &[Key], existing: Existing| {
                        present.insert(existing.row);
                        for key in of_id.iter().filter(|key| !key.is_tombstone()) {
                            if key.row_hash == existing.row_hash || key.version < existing.version {
                                *count += u64::from(lines.entry(key.file).or_default().insert(key.row));
                            }
                        }
                    };
                    file.keys.join(&chunk, Some(&file.removed), meet).await?;
                }
            }
        }
        Ok(dropped)
    }
}

impl Dropped {
    /// Counts the dropped lines as lines that came.
    pub fn tally(&self, tally: &mut Tally) {
        tally.patients.extend(self.patients.iter().cloned());
        for (file, lines) in &self.before_since {
            // Those that are staged are counted there.
            tally.before_since += self.lines.get(file).map_or(0, |dropped| dropped.intersection_len(lines));
        }
        for (resource_type, count) in &self.counts {
            *tally.lines.entry(resource_type.clone()).or_default() += count;
        }
    }
}
