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
    /// Keys of data files, each with the rows that are no longer in the table.
    tables: HashMap<String, Vec<(KeyFile, RoaringBitmap)>>,
    done: BTreeSet<String>,
}

/// What is known of the lines of a block.
#[derive(Debug, Default)]
pub struct Looked {
    /// Table → the keys of its lines: `file` is the raw file, `row` the line's number.
    pub keys: BTreeMap<String, Vec<Key>>,
}

/// Lines that would change nothing.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Raw file → the numbers of the lines.
    pub lines: HashMap<u32, RoaringBitmap>,
    /// Resource type → how many.
    pub counts: BTreeMap<String, u64>,
}

impl Filter {
    /// The filter of these tables, as they are now: those that the lake does not have, or that are empty, have none.
    pub async fn open(context: &Context, names: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut filter = Self::default();
        for name in names {
            let Some(table) = table::open(&context.lake.root, &name).await? else { continue };
            if table.done_by(&context.run).await? {
                filter.done.insert(name);
                continue;
            }
            let mut files = Vec::new();
            for file in table.files()? {
                let removed = delta_upsert::removed(&table, &file).await?;
                files.push((keys_of(context, &table, &file).await?, removed));
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

    /// Whether no line can be dropped.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Looks at the lines of a block.
    pub fn look(&self, reader: &mut Reader, file: u32, of: &StageFile, block: &Block) -> Looked {
        let mut looked = Looked::default();
        for line in block.lines() {
            let Ok(resource) = reader.read(line.bytes) else { continue };
            let Ok(header) = resource.header() else { continue };
            let is_expected = of.resource_type.as_ref().is_none_or(|wanted| *wanted == header.resource_type);
            let (Some(name), Ok(row), true) = (self.table(&header), u32::try_from(line.number), is_expected)
            else {
                continue;
            };
            let version = keys::version(header.last_updated, of.origin.transaction_time);
            let id = IdHash::of(&header.id);
            let key = Key { id, version, place: 0, row_hash: row_hash(line.bytes), file, row };
            looked.keys.entry(name).or_default().push(key);
        }
        looked
    }

    /// The table of a resource, if it has rows.
    fn table(&self, header: &Header<'_>) -> Option<String> {
        let name = table_name(&header.resource_type, header.subsetted);
        self.tables.contains_key(&name).then_some(name)
    }

    /// The lines that would change nothing, of all that were looked at.
    pub async fn dropped(&self, context: &Context, looked: KeySet) -> Result<Dropped> {
        let mut dropped = Dropped::default();
        for (name, mut keys) in looked.finish() {
            let Some(files) = self.tables.get(&name) else { continue };
            let count = dropped.counts.entry(resource_type(&name).to_owned()).or_default();
            let lines = &mut dropped.lines;
            for chunk in keys.chunks(context.chunk)? {
                let chunk = chunk?;
                for (file, removed) in files {
                    let meet = |of_id: &[Key], existing: Existing| {
                        for key in of_id {
                            if key.row_hash == existing.row_hash || key.version < existing.version {
                                *count += u64::from(lines.entry(key.file).or_default().insert(key.row));
                            }
                        }
                    };
                    file.join(&chunk, Some(removed), meet).await?;
                }
            }
        }
        Ok(dropped)
    }
}

impl Dropped {
    /// Counts the dropped lines as lines that came.
    pub fn tally(&self, tally: &mut Tally) {
        for (resource_type, count) in &self.counts {
            *tally.lines.entry(resource_type.clone()).or_default() += count;
        }
    }
}
