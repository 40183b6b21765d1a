//! Ways into the records of a folder, which are read from a disk, for `fuzz/`. A broken promise is a panic here.
#![allow(clippy::panic, clippy::expect_used, reason = "a fuzz target fails by a panic")]

use std::fs;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use super::folder::journal;
use super::inspect::Contents;
use super::manifest::{OutputFile, Section};
use super::part::{Part, Saved, bytes_path, record_path};
use super::record::{FileKey, FileRecord, JobRecord};
use super::resume::{PartRecord, ResumePoint};
use crate::ndjson::Tally;

/// A part whose record somebody has written: bytes are gone on with only where it speaks of them.
pub fn part(folder: &Path, record: &[u8], there: &[u8]) {
    let kept = open(folder, record, there).byte_count();
    if kept > 0 {
        let saved: Saved = serde_json::from_slice(record).expect("nothing else vouches for bytes");
        let length = usize::try_from(kept).expect("it is a length in memory");
        assert_eq!((saved.part.byte_count, saved.part.sha256), (kept, sha256(&there[..length])));
    }
}

/// A part whose record is the client's own, of the first `kept` bytes, one byte of which may be another one since: all that was
/// kept is gone on with, or nothing.
pub fn own_part(folder: &Path, kept: usize, damaged: Option<usize>, etag: Option<&str>, there: &[u8]) {
    let kept = kept.min(there.len());
    let part = PartRecord {
        byte_count: kept as u64,
        sha256: sha256(&there[..kept]),
        etag: etag.map(str::to_owned),
        length: None,
    };
    let record = serde_json::to_vec(&Saved { key: key(), part }).expect("a record can be written");
    let mut there = there.to_vec();
    if let Some(byte) = damaged.and_then(|at| there.get_mut(at)) {
        *byte ^= 1;
    }
    let point = open(folder, &record, &there);
    let is_damaged = damaged.is_some_and(|at| at < kept);
    assert_eq!(point.byte_count(), if is_damaged { 0 } else { kept as u64 });
    if let Ok(begun) = point.begun(Section::Output, &OutputFile::default()) {
        let may_be_parts = etag.is_some_and(|etag| !etag.starts_with("W/")) && !is_damaged;
        assert!(!begun.parts.allowed || may_be_parts);
    }
}

/// The records of a job and of finished files, and a journal that a crash has cut: what is noted behind the cut is found.
pub fn records(bytes: &[u8]) {
    if let Ok(job) = serde_json::from_slice::<JobRecord>(bytes) {
        let again = serde_json::to_vec(&job).expect("a record can be written");
        assert_eq!(serde_json::from_slice::<JobRecord>(&again).expect("it was written"), job);
    }
    let own = finished();
    let line = serde_json::to_string(&own).expect("a record can be written");
    let text = [bytes, format!("\n{line}\n").as_bytes()].concat();
    assert_eq!(journal(&text).get(&own.key), Some(&own));
    for record in journal(bytes).values() {
        let line = serde_json::to_vec(record).expect("a record can be written");
        assert_eq!(journal(&line).get(&record.key), Some(record));
    }
}

fn open(folder: &Path, record: &[u8], there: &[u8]) -> ResumePoint {
    let name = folder.join("Resource.0.ndjson");
    fs::write(record_path(&name), record).expect("the folder can be written to");
    fs::write(bytes_path(&name), there).expect("the folder can be written to");
    let opened = block_on(Part::open(&name, &key(), &OutputFile::default(), 1));
    let (_part, point) = opened.expect("a part that cannot be gone on with begins anew");
    let left = fs::read(bytes_path(&name)).expect("the part is there");
    assert!(there.starts_with(&left) && point.byte_count() == left.len() as u64);
    assert!(!left.is_empty() || point.is_as_recorded());
    point
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime can be made").block_on(future)
}

fn finished() -> FileRecord {
    FileRecord {
        key: key(),
        name: "Resource.0.ndjson".to_owned(),
        type_: None,
        url: "relative".to_owned(),
        byte_count: 0,
        line_count: 0,
        sha256: sha256(b""),
        manifest_count: None,
        retries: 0,
        contents: Contents::default(),
        warnings: Vec::new(),
        contradictions: Vec::new(),
        elapsed: Duration::ZERO,
    }
}

fn key() -> FileKey {
    FileKey::of(Section::Output, 0, &OutputFile::default())
}

fn sha256(bytes: &[u8]) -> String {
    let mut tally = Tally::new();
    tally.update(bytes);
    tally.finish().sha256
}
