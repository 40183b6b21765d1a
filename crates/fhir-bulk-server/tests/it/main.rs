//! The server by HTTP, as a client of the specification sees it.
//!
//! The data of `tests/data`: `base` has two patients, p1 (generated Group `half`) and p2 (`rest`), and a Group
//! `cohort` of its own whose only active member is p2; `changes` updates Observation/o1, creates o6 and deletes
//! Observation/o3 (of p2), Practitioner/d1 (of nobody) and Provenance/v1 (of p1, by its target).

#![allow(clippy::unwrap_used, clippy::panic, reason = "what is shared by tests may fail them")]

mod auth;
mod client;
mod dataset;
mod fault_file;
mod fault_kick_off;
mod fault_manifest;
mod fault_status;
mod files;
mod flow;
mod incremental;
mod level;
mod parameters;
mod quirk;
mod refusal;
mod search;
