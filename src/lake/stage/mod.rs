//! Raw lines → the data files of tables, which nothing refers to until they are committed.
//!
//! One invariant: what staging makes of a line is a function of the line and of the run alone, whatever is staged with it
//! and wherever its file is cut. Memory is bounded by the limits of the stager, a longer line aside.
//!
//! A [`Stager`] takes the lines of one split, block by block. The rows of a block are put in an order in which those of a
//! patient lie together: whoever asks for a patient then reads few pages.

mod judge;
mod order;
mod refusals;
mod rows;
mod tally;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use delta_upsert::data_file::{FileNames, NewFile, Part};
use delta_upsert::{Key, RoaringBitmap, Stamp};
use fhir_arrow::{Findings, Instant, IssueCode, LineError, Reader, Resource, ServerBase};
use fhir_definitions::Definitions;

pub use self::judge::{Counted, FindingKey, Judge, Judging, OnInvalid};
pub use self::tally::Tally;

use self::judge::Verdict;
use self::refusals::Refusals;
use self::rows::Rows;
use super::Lake;
use super::resource::{Origin, ResourceTable, table_name};
use crate::error::Result;
use crate::raw::{Block, Line};

/// A raw file, as far as staging is concerned.
#[derive(Debug, Clone)]
pub struct StageFile {
    /// Its name, as `__raw_file` has it.
    pub name: Arc<str>,
    /// The type that every line must have, where a manifest says so.
    pub resource_type: Option<String>,
    /// The type that its name says: what a line is counted under that says none.
    pub hint: Option<String>,
    /// Whether its resources are parts, whether or not they say so.
    pub parts: bool,
    /// `_since` of the request that brought it.
    pub since: Option<Instant>,
    /// What its rows have in common.
    pub origin: Arc<Origin>,
}

/// How much memory a stager may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Raw bytes of rows that wait to become a batch of columns.
    pub batch_bytes: u64,
    /// Memory of rows that are being encoded, in all of its files together.
    pub encoding: usize,
    /// The size of a data file.
    pub file_size: usize,
}

/// Rows of a batch of columns.
const BATCH_ROWS: usize = 8192;
/// Rows of a data file: their keys are sorted in memory when it ends.
const FILE_ROWS: u64 = 1 << 20;

/// What all stagers of a run share.
#[derive(Debug)]
pub struct Staging {
    /// The lake.
    pub lake: Lake,
    /// The run.
    pub run: Stamp,
    /// The raw files of the run, in the order of its input.
    pub files: Vec<StageFile>,
    /// Raw file → the numbers of lines that would change nothing.
    pub dropped: HashMap<u32, RoaringBitmap>,
    /// The tables that are replaced as a whole; none, where rows are added to those that are there.
    pub only: Option<BTreeSet<String>>,
    /// Tables that have the run's commit already: their lines are looked at, and not staged again.
    pub done: BTreeSet<String>,
    /// How resources are judged.
    pub judge: Judge,
    /// The names of the files that are made.
    pub names: FileNames,
    /// The memory of each stager.
    pub limits: Limits,
    tables: Mutex<HashMap<String, Arc<ResourceTable>>>,
}

impl Staging {
    /// Prepares the staging of a run, of which nothing is dropped and no table done.
    pub fn new(lake: &Lake, run: Stamp, files: Vec<StageFile>, limits: Limits, judging: &Judging) -> Self {
        let names = FileNames::new(&run);
        Self {
            lake: lake.clone(),
            run,
            files,
            dropped: HashMap::new(),
            only: None,
            done: BTreeSet::new(),
            judge: Judge::new(lake.definitions(), judging),
            names,
            limits,
            tables: Mutex::default(),
        }
    }

    /// The columns of a table, made once.
    pub fn table(&self, name: &str) -> Result<Arc<ResourceTable>> {
        let mut tables = self.tables.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(table) = tables.get(name) {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(self.lake.resource_table(name)?);
        tables.insert(name.to_owned(), Arc::clone(&table));
        Ok(table)
    }

    /// Whether a line would change nothing, by its number in its file.
    fn is_dropped(&self, file: u32, line: u64) -> bool {
        let line = u32::try_from(line).ok();
        self.dropped.get(&file).is_some_and(|lines| line.is_some_and(|line| lines.contains(line)))
    }
}

/// A data file of a table, with the keys of its rows.
#[derive(Debug)]
pub struct StagedFile {
    /// The file.
    pub file: NewFile,
    /// Its rows' keys; their file is 0 until the table's files are numbered.
    pub keys: Vec<Key>,
}

/// What became of a split.
#[derive(Debug, Default)]
pub struct Staged {
    /// Table → its files.
    pub tables: BTreeMap<String, Vec<StagedFile>>,
    /// The files of `_quarantine`.
    pub quarantine: Vec<NewFile>,
    /// What came.
    pub tally: Tally,
}

/// Why a line becomes no row.
struct Refused {
    error: LineError,
    /// Its type and id, if it was counted as a resource.
    known: Option<(String, String)>,
}

/// Stages the lines of one split.
pub struct Stager {
    staging: Arc<Staging>,
    base: Option<ServerBase>,
    reader: Reader,
    findings: Findings,
    rows: BTreeMap<String, Rows>,
    refusals: Refusals,
    staged: Staged,
    parts: Vec<Part>,
}

impl Stager {
    /// A stager that has taken nothing yet.
    pub fn new(staging: &Arc<Staging>) -> Self {
        let server = staging.lake.identity.server.as_ref();
        Self {
            staging: Arc::clone(staging),
            base: server.map(|server| ServerBase::new(server.as_str())),
            reader: Reader::default(),
            findings: Findings::default(),
            rows: BTreeMap::new(),
            refusals: Refusals::default(),
            staged: Staged::default(),
            parts: Vec::new(),
        }
    }

    /// Takes a block of a raw file. Its parts are to be placed before the next one is taken.
    pub fn take(&mut self, file: u32, block: &Block) -> Result<Vec<Part>> {
        let staging = Arc::clone(&self.staging);
        let wanted = block.lines().filter(|line| !staging.is_dropped(file, line.number)).collect();
        for line in order::by_patient(wanted) {
            self.line(&staging, file, &line)?;
        }
        self.refusals.write(&staging, &mut self.staged.quarantine, &mut self.parts)?;
        self.bound()?;
        Ok(std::mem::take(&mut self.parts))
    }

    /// What has been staged since the last time: files that are whole.
    pub fn staged(&mut self) -> Staged {
        std::mem::take(&mut self.staged)
    }

    /// What was staged, and the last parts of its files.
    pub fn finish(mut self) -> Result<(Vec<Part>, Staged)> {
        for (name, rows) in std::mem::take(&mut self.rows) {
            let files = rows.finish(&self.staging, &mut self.parts)?;
            self.staged.tables.entry(name).or_default().extend(files);
        }
        self.refusals.finish(&self.staging, &mut self.staged.quarantine, &mut self.parts)?;
        Ok((self.parts, self.staged))
    }

    fn line(&mut self, staging: &Arc<Staging>, file: u32, line: &Line<'_>) -> Result<()> {
        let mut reader = std::mem::take(&mut self.reader);
        let refused = match reader.read(line.bytes) {
            Ok(resource) => self.resource(staging, file, line, &resource)?,
            Err(error) => Some(Refused { error, known: None }),
        };
        self.reader = reader;
        if let Some(refused) = refused {
            self.refuse(staging, file, line, refused);
        }
        Ok(())
    }

    /// Makes a row of a resource, or says why not.
    fn resource(
        &mut self,
        staging: &Arc<Staging>,
        file: u32,
        line: &Line<'_>,
        resource: &Resource<'_>,
    ) -> Result<Option<Refused>> {
        let Some(of) = staging.files.get(file as usize) else { return Ok(None) };
        let header = match resource.header() {
            Ok(header) => header,
            Err(error) => return Ok(Some(Refused { error, known: None })),
        };
        if let Some(error) = wrong_type(&header.resource_type, of, staging.lake.definitions()) {
            return Ok(Some(Refused { error, known: None }));
        }
        self.staged.tally.resource(&header, of.since);
        let name = table_name(&header.resource_type, header.subsetted || of.parts);
        if staging.only.as_ref().is_some_and(|only| !only.contains(&name)) {
            return Ok(None);
        }
        let verdict = staging.judge.judge(resource, &mut self.findings);
        self.staged.tally.found(&header.resource_type, file, line, &self.findings);
        match verdict {
            Verdict::Accepted => {}
            Verdict::Refused(error) => {
                let known = Some((header.resource_type.to_string(), header.id.to_string()));
                return Ok(Some(Refused { error, known }));
            }
            Verdict::Fails(error) => self.staged.tally.fails(file, line, &error),
        }
        if !self.rows.contains_key(&name) {
            let rows = Rows::new(
                staging.table(&name)?,
                staging.lake.root.table(&name)?,
                self.base.clone(),
                !staging.done.contains(&name),
            );
            self.rows.insert(name.clone(), rows);
        }
        let Some(rows) = self.rows.get_mut(&name) else { return Ok(None) };
        if let Err(error) = rows.append(of, file, line, resource, &header) {
            let known = Some((header.resource_type.to_string(), header.id.to_string()));
            return Ok(Some(Refused { error, known }));
        }
        if (rows.waiting() >= BATCH_ROWS || rows.waiting_bytes() >= staging.limits.batch_bytes)
            && let Some(full) = rows.write(staging, &mut self.parts)?
        {
            self.staged.tables.entry(name).or_default().push(full);
        }
        Ok(None)
    }

    fn refuse(&mut self, staging: &Staging, file: u32, line: &Line<'_>, refused: Refused) {
        let Some(of) = staging.files.get(file as usize) else { return };
        let Refused { error, known } = refused;
        let (resource_type, id) = known.unzip();
        // A line that says no type is counted under the type of its file.
        let counted = resource_type.is_some();
        let resource_type = resource_type.or_else(|| of.resource_type.clone()).or_else(|| of.hint.clone());
        self.staged.tally.refused(file, resource_type.as_deref(), counted, line, &error);
        self.refusals.push(of, line, resource_type, id, &error);
    }

    /// Gives memory back: the file with the most rows in work ends its row group, and again.
    fn bound(&mut self) -> Result<()> {
        loop {
            let in_work: usize = self.rows.values().map(Rows::memory).sum();
            if in_work <= self.staging.limits.encoding {
                return Ok(());
            }
            let Some(largest) = self.rows.values_mut().max_by_key(|rows| rows.memory()) else {
                return Ok(());
            };
            if !largest.end_group(&mut self.parts)? {
                return Ok(());
            }
        }
    }
}

/// Why a line's type is not what its file may hold.
fn wrong_type(found: &str, of: &StageFile, definitions: &Definitions) -> Option<LineError> {
    let reason = match &of.resource_type {
        Some(wanted) if wanted != found => format!("the manifest says that this file holds {wanted}"),
        _ if !definitions.is_resource(found) => {
            format!("it is no resource type of FHIR {}", definitions.version().number())
        }
        _ => return None,
    };
    let element_path = Some("resourceType".to_owned());
    Some(LineError { code: IssueCode::Invalid, reason, element_path, offset: 0 })
}
