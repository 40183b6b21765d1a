//! A run's folder, `_runs/<pipeline>/<seq>/`: the plan, what is done, and whether it was given up.
//!
//! One invariant: each file in it is created once and never changed, so whoever continues the run reads what the one
//! before it knew.

use chrono::Utc;
use delta_upsert::Stamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::input::Input;
use super::plan::{Job, Plan};
use super::scope::Scope;
use crate::error::{Error, Result};
use crate::lake::exports::{self, ExportRow, Exports, FINISHED};
use crate::storage::{Created, Lock, Root};

/// Takes a pipeline for this process: two runs of one pipeline at once would take each other for interrupted ones.
pub async fn lease(root: &Root, pipeline: &str) -> Result<Lock> {
    let taken = format!(
        "another process runs the pipeline {pipeline} of this lake: nothing was done; run again when it has ended"
    );
    root.lock(&format!("_leases/{pipeline}/lock"), &taken).await
}

/// A run of a pipeline.
#[derive(Debug, Clone)]
pub struct Run {
    root: Root,
    /// Its plan.
    pub plan: Plan,
    /// Whether another process began it.
    pub resumed: bool,
}

impl Run {
    /// The newest run of a pipeline that is neither finished nor given up.
    pub async fn unfinished(root: &Root, pipeline: &str, exports: &Exports) -> Result<Option<Self>> {
        let finished = exports.last_seq(pipeline);
        for seq in seqs(root, pipeline).await?.into_iter().rev().take_while(|seq| *seq > finished) {
            let folder = folder(pipeline, seq);
            if root.get(&format!("{folder}/abandoned.json")).await?.is_some() {
                continue;
            }
            if let Some(plan) = read(root, &format!("{folder}/plan.json")).await? {
                return Ok(Some(Self { root: root.clone(), plan, resumed: true }));
            }
        }
        Ok(None)
    }

    /// A run by its number; `None` where there is none.
    pub async fn open(root: &Root, pipeline: &str, seq: i64) -> Result<Option<Self>> {
        let plan = read(root, &format!("{}/plan.json", folder(pipeline, seq))).await?;
        Ok(plan.map(|plan| Self { root: root.clone(), plan, resumed: true }))
    }

    /// The row of `_exports` that ends it now: what it says of every run, as one without input that went well.
    pub fn row(&self, level: &str) -> ExportRow {
        ExportRow {
            export_id: self.plan.export_id.clone(),
            pipeline: self.plan.pipeline.clone(),
            seq: self.plan.seq,
            level: level.to_owned(),
            status: FINISHED.to_owned(),
            started_at: self.plan.started_at,
            finished_at: Utc::now(),
            ..ExportRow::default()
        }
    }

    /// Begins the next run of a pipeline.
    pub async fn begin(
        root: &Root,
        pipeline: &str,
        exports: &Exports,
        scope: Scope,
        jobs: Vec<Job>,
    ) -> Result<Self> {
        let last = seqs(root, pipeline).await?.last().copied().unwrap_or(0);
        let seq = last.max(exports.last_seq(pipeline)) + 1;
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let plan = Plan {
            export_id: format!("{pipeline}-{seq}-{}", &suffix[..8]),
            pipeline: pipeline.to_owned(),
            seq,
            started_at: Utc::now(),
            scope,
            jobs,
            fhirlake: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let run = Self { root: root.clone(), plan, resumed: false };
        match run.note("plan.json", &run.plan).await? {
            Created::New => Ok(run),
            Created::Existed => Err(Error::Refused(format!(
                "another process has just begun run {seq} of the pipeline {pipeline}: let it finish, then run again"
            ))),
        }
    }

    /// The folder of its notes.
    pub fn folder(&self) -> String {
        folder(&self.plan.pipeline, self.plan.seq)
    }

    /// Its transaction in the tables.
    pub fn stamp(&self) -> Stamp {
        exports::stamp(&self.plan.pipeline, self.plan.seq)
    }

    /// Notes something under a name, unless it is noted already.
    pub async fn note(&self, name: &str, content: &impl Serialize) -> Result<Created> {
        let path = format!("{}/{name}", self.folder());
        let written = serde_json::to_vec_pretty(content).map_err(|e| damaged(&path, &e))?;
        self.root.put_new(&path, written).await
    }

    /// What is noted under a name.
    pub async fn noted<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        read(&self.root, &format!("{}/{name}", self.folder())).await
    }

    /// The frozen input, once there is one.
    pub async fn input(&self) -> Result<Option<Input>> {
        self.noted("input.json").await
    }

    /// Freezes the input. Where another process was first, its input stands.
    pub async fn freeze(&self, input: Input) -> Result<Input> {
        match self.note("input.json", &input).await? {
            Created::New => Ok(input),
            Created::Existed => Ok(self.input().await?.unwrap_or(input)),
        }
    }

    /// Gives the run up: its raw files go, and it is not continued.
    pub async fn abandon(&self, reason: &str) -> Result<()> {
        self.note("abandoned.json", &serde_json::json!({ "reason": reason })).await?;
        let raw = crate::raw::layout::folder(&self.plan.export_id);
        self.root.remove_unfinished(&raw).await?;
        self.root.remove_all(&raw).await
    }
}

fn folder(pipeline: &str, seq: i64) -> String {
    format!("_runs/{pipeline}/{seq}")
}

async fn seqs(root: &Root, pipeline: &str) -> Result<Vec<i64>> {
    let folders = root.folders(&format!("_runs/{pipeline}")).await?;
    let mut seqs: Vec<i64> = folders.iter().filter_map(|name| name.parse().ok()).collect();
    seqs.sort_unstable();
    Ok(seqs)
}

async fn read<T: DeserializeOwned>(root: &Root, path: &str) -> Result<Option<T>> {
    let content = root.get(path).await?;
    content.map(|content| serde_json::from_slice(&content).map_err(|e| damaged(path, &e))).transpose()
}

fn damaged(path: &str, error: &serde_json::Error) -> Error {
    Error::Damaged { path: path.to_owned(), reason: error.to_string() }
}
