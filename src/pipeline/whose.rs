//! Whose rows a complete export speaks of: everybody's at system level; those of patients at the other levels.
//!
//! One invariant: a row that cannot be seen to belong to a patient of the export is not spoken of.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use delta_upsert::{DataFile, RoaringBitmap, Table, data_file};
use futures::StreamExt;

use super::plan::RECONCILE;
use super::run::Run;
use crate::error::{Error, Result};
use crate::lake::exports::Exports;
use crate::lake::members::MemberRow;
use crate::lake::own;
use crate::lake::upsert::Context;

/// Whose rows a complete export speaks of.
#[derive(Debug)]
pub enum Whose {
    /// Everybody's, and what belongs to nobody.
    All,
    /// What is in any patient's compartment.
    Patients,
    /// What is in these patients' compartments, and in that of none of the others.
    These {
        /// The Group's patients: those who came, and those who had come.
        own: BTreeSet<String>,
        /// Patients of other Groups.
        others: BTreeSet<String>,
    },
    /// Nothing, and why.
    Nothing(String),
}

impl Whose {
    /// Of a run. `came` are the patients that it has brought.
    pub async fn of(context: &Context, run: &Run, came: &BTreeSet<String>) -> Result<Self> {
        let scope = &run.plan.scope;
        let beyond: &[&str] = match scope.level.as_str() {
            "patient" => &["system", "ingest"],
            "group" => &["system", "ingest", "patient"],
            _ => return Ok(Self::All),
        };
        // A server does not bring at each level all that it has of a patient.
        let exports = Exports::read(&context.lake.root).await?;
        if exports.0.iter().any(|row| beyond.contains(&row.level.as_str())) {
            let why = "another pipeline has brought more than this one asks for";
            return Ok(Self::Nothing(why.to_owned()));
        }
        // What it has brought is in the tables, and not yet in `_members`.
        if let Some(other) = unfinished_beside(context, run, &exports).await? {
            return Ok(Self::Nothing(format!("run {other} of another pipeline is not finished")));
        }
        if scope.level == "patient" {
            return Ok(Self::Patients);
        }
        let members: Vec<MemberRow> = own::rows(&context.lake.root).await?;
        let (mut own, mut others) = (came.clone(), BTreeSet::new());
        for member in members {
            // Who leaves with this run has been recorded, where the run goes on after an interruption.
            let is_here = member.left_export.is_none_or(|left| left == run.plan.export_id);
            let is_ours = member.pipeline == run.plan.pipeline;
            if is_here {
                if is_ours { &mut own } else { &mut others }.insert(member.patient_id);
            }
        }
        Ok(Self::These { own, others })
    }

    /// Whether it speaks of rows of a type at all.
    pub fn has_type(&self, context: &Context, resource_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing(_) => false,
            Self::Patients | Self::These { .. } => {
                context.lake.definitions().patient_compartment().contains(resource_type)
            }
        }
    }

    /// The ids of those of some rows of a data file that it speaks of.
    pub async fn ids(
        &self,
        context: &Context,
        table: &Table,
        file: &DataFile,
        wanted: &RoaringBitmap,
    ) -> Result<Vec<String>> {
        let paths: Vec<&str> = match self {
            Self::All => Vec::new(),
            _ => context.lake.definitions().patient_compartment().paths(table.name()).collect(),
        };
        let mut columns: BTreeSet<&str> =
            paths.iter().map(|path| path.split_once('.').map_or(*path, |(first, _)| first)).collect();
        columns.insert("id");
        let columns: Vec<&str> = columns.into_iter().collect();
        let mut ids = Vec::new();
        let (mut batches, mut rows) = (data_file::read(table, file, Some(&columns)).await?, 0..);
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(Error::parquet(table.name()))?;
            let column = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>());
            let column = column.ok_or_else(|| Error::Damaged {
                path: format!("tables/{}/{}", table.name(), file.path),
                reason: "it has no column id of text".to_owned(),
            })?;
            let patients = patients(&batch, &paths);
            for ((at, id), row) in column.iter().enumerate().zip(rows.by_ref()) {
                let Some(id) = id.filter(|_| wanted.contains(row)) else { continue };
                let mut of_row: BTreeSet<&str> =
                    patients.get(&at).into_iter().flatten().map(String::as_str).collect();
                if table.name() == "Patient" {
                    of_row.insert(id);
                }
                if self.has_row(&of_row) {
                    ids.push(id.to_owned());
                }
            }
        }
        Ok(ids)
    }

    fn has_row(&self, patients: &BTreeSet<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Nothing(_) => false,
            Self::Patients => !patients.is_empty(),
            Self::These { own, others } => {
                patients.iter().any(|id| own.contains(*id)) && !patients.iter().any(|id| others.contains(*id))
            }
        }
    }
}

/// A run of another pipeline that brings files and is not finished.
async fn unfinished_beside(context: &Context, run: &Run, exports: &Exports) -> Result<Option<String>> {
    for pipeline in context.lake.root.folders("_runs").await? {
        if pipeline == run.plan.pipeline || pipeline == RECONCILE {
            continue;
        }
        if let Some(other) = Run::unfinished(&context.lake.root, &pipeline, exports).await? {
            return Ok(Some(other.plan.export_id));
        }
    }
    Ok(None)
}

/// The patients that rows refer to at some paths: row → ids.
fn patients(batch: &RecordBatch, paths: &[&str]) -> BTreeMap<usize, Vec<String>> {
    let mut found = BTreeMap::new();
    for path in paths {
        let mut names = path.split('.');
        let Some(column) = names.next().and_then(|name| batch.column_by_name(name)) else { continue };
        let rows: Vec<usize> = (0..batch.num_rows()).collect();
        let names: Vec<&str> = names.collect();
        references(column, &rows, &names, &mut found);
    }
    found
}

/// Walks down to the references at a path. `rows` has for each value of `array` the row that it is of.
fn references(array: &ArrayRef, rows: &[usize], path: &[&str], found: &mut BTreeMap<usize, Vec<String>>) {
    if let Some(list) = array.as_list_opt::<i32>() {
        let mut inner = Vec::with_capacity(list.values().len());
        for (at, row) in rows.iter().enumerate() {
            inner.extend(std::iter::repeat_n(
                *row,
                usize::try_from(list.value_length(at)).unwrap_or_default(),
            ));
        }
        let offsets = list.value_offsets();
        let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
        let (first, length) = (usize::try_from(first), usize::try_from(last - first));
        if let (Ok(first), Ok(length)) = (first, length) {
            references(&list.values().slice(first, length), &inner, path, found);
        }
        return;
    }
    let Some(object) = array.as_struct_opt() else { return };
    if let Some((name, rest)) = path.split_first() {
        if let Some(column) = object.column_by_name(name) {
            references(column, rows, rest, found);
        }
        return;
    }
    let text = |name: &str| object.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(types), Some(ids)) = (text("__reference_type"), text("__reference_id")) else { return };
    for (at, row) in rows.iter().enumerate() {
        if object.is_valid(at) && types.is_valid(at) && ids.is_valid(at) && types.value(at) == "Patient" {
            found.entry(*row).or_default().push(ids.value(at).to_owned());
        }
    }
}
