//! `_members`: which patients came with which Group. Several pipelines of one server may feed one lake; the view
//! `cohort_members` reads here who belongs to whose cohort.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::Schema;
use delta_upsert::Stamp;
use serde::{Deserialize, Serialize};

use super::ledger::text;
use super::own::{self, Edit, OwnRow};
use crate::error::Result;
use crate::storage::Root;

/// `_members`: a patient who came with a Group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// The pipeline.
    pub pipeline: String,
    /// The Group.
    pub group_id: String,
    /// The patient.
    pub patient_id: String,
    /// The run that first brought the patient.
    pub first_export: String,
    /// The run that brought the patient last.
    pub last_export: String,
    /// The run that found the patient gone from the Group.
    pub left_export: Option<String>,
}

impl OwnRow for MemberRow {
    const TABLE: &'static str = "_members";

    fn schema() -> Schema {
        let names = ["pipeline", "group_id", "patient_id", "first_export", "last_export", "left_export"];
        Schema::new(names.map(text).to_vec())
    }
}

/// Who came with a Group in one run.
#[derive(Debug, Clone)]
pub struct GroupPatients {
    /// The pipeline.
    pub pipeline: String,
    /// The Group.
    pub group_id: String,
    /// The patients.
    pub patients: BTreeSet<String>,
    /// Whether the run brought every patient of the Group: then who did not come has left.
    pub complete: bool,
}

/// Records who came with a Group in this run, and, where the run was a complete one, who has left.
pub async fn record_members(
    root: &Root,
    run: &Stamp,
    export_id: &str,
    came: &GroupPatients,
) -> Result<Option<u64>> {
    if came.patients.is_empty() && !came.complete {
        return Ok(None);
    }
    own::edit(root, run, async |table| {
        let rows: Vec<MemberRow> = own::rows_of(table).await?;
        let key = |row: &MemberRow| (row.pipeline.clone(), row.group_id.clone(), row.patient_id.clone());
        let mut members: BTreeMap<_, _> = rows.into_iter().map(|row| (key(&row), row)).collect();
        let ours = |row: &MemberRow| row.pipeline == came.pipeline && row.group_id == came.group_id;
        for row in members.values_mut().filter(|row| came.complete && ours(row)) {
            if row.left_export.is_none() && !came.patients.contains(&row.patient_id) {
                row.left_export = Some(export_id.to_owned());
            }
        }
        for patient_id in &came.patients {
            let new = MemberRow {
                pipeline: came.pipeline.clone(),
                group_id: came.group_id.clone(),
                patient_id: patient_id.clone(),
                first_export: export_id.to_owned(),
                last_export: export_id.to_owned(),
                left_export: None,
            };
            let member = members.entry(key(&new)).or_insert(new);
            export_id.clone_into(&mut member.last_export);
            member.left_export = None;
        }
        Ok(Edit::Replace(members.into_values().collect()))
    })
    .await
}
