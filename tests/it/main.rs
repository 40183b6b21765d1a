//! The tests of everything that links DataFusion, in one binary.
#![allow(missing_docs, reason = "a test binary has no public items")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod absences;
mod changes;
mod command_line;
mod crash;
mod damage;
mod demo;
mod export;
mod fixture;
mod ingest;
mod joins;
mod maintain;
mod materialize;
mod omop;
mod own_views;
mod quality;
mod quarantine;
mod questions;
mod raw;
mod rebuild;
mod removals;
mod resume;
mod semantics;
mod server;
mod tables;
mod tidy;
mod upsert;
mod validation;
mod view_definitions;
mod view_folders;
mod views;
mod views_export;
mod watermark;
