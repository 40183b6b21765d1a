//! A file of a folder while it is being received: its bytes, and the record from which another process goes on.
//!
//! Invariant: a record speaks of bytes that were durable before it, and the file gets its name when it is whole. After a
//! crash what follows the record's bytes is cut off, because nobody can vouch for it; the bytes themselves are hashed
//! again.

use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::download::Download;
use super::durable::{unusable, write_durably};
use super::manifest::OutputFile;
use super::record::FileKey;
use super::resume::{PartRecord, ResumePoint};
use crate::error::Error;

/// The longest that bytes wait to be durable while others come.
const LONGEST_UNSAVED: Duration = Duration::from_secs(5);

/// What is kept beside the bytes: of which file they are, and how many.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    pub key: FileKey,
    pub part: PartRecord,
}

/// A file that is being received.
pub(super) struct Part {
    name: PathBuf,
    key: FileKey,
    out: fs::File,
    /// After how many bytes those that were received are made durable.
    checkpoint: u64,
    unsaved: u64,
    saved_at: Instant,
    has_record: bool,
}

impl Part {
    /// Opens what there is of the file `name`, as far as its record vouches for it, and the point where it goes on.
    pub(super) async fn open(
        name: &Path,
        key: &FileKey,
        file: &OutputFile,
        checkpoint: u64,
    ) -> Result<(Self, ResumePoint), Error> {
        let path = bytes_path(name);
        if let Some(saved) = read_record(name).await {
            let length = saved.part.byte_count;
            // Of a file that may be another one nothing but its bytes is believed.
            let etag = saved.part.etag.clone().filter(|_| saved.key == *key);
            let mut point = ResumePoint::new(key.section, file, Some(PartRecord { etag, ..saved.part }));
            let opened = fs::OpenOptions::new().read(true).write(true).open(&path).await;
            if let Ok(mut out) = opened
                && take(&mut out, length, &mut point).await.is_ok()
                && point.is_as_recorded()
            {
                let part = Self::new(name, key, out, checkpoint, true);
                return Ok((part, point));
            }
            tracing::warn!(file = %name.display(), "what was kept of a file is damaged: it begins again");
        }
        Ok((Self::create(name, key, checkpoint).await?, ResumePoint::new(key.section, file, None)))
    }

    /// Begins the file anew. What another writer of it may still have in flight goes to the old one, which has no name.
    pub(super) async fn create(name: &Path, key: &FileKey, checkpoint: u64) -> Result<Self, Error> {
        discard(name).await?;
        let path = bytes_path(name);
        let out = fs::File::create(&path).await.map_err(|error| unusable(&path, &error))?;
        Ok(Self::new(name, key, out, checkpoint, false))
    }

    fn new(name: &Path, key: &FileKey, out: fs::File, checkpoint: u64, has_record: bool) -> Self {
        let (name, key) = (name.to_owned(), key.clone());
        Self { name, key, out, checkpoint, unsaved: 0, saved_at: Instant::now(), has_record }
    }

    /// Takes the next bytes of `download`, which has just given them.
    pub(super) async fn write(&mut self, bytes: &[u8], download: &Download) -> Result<(), Error> {
        self.out.write_all(bytes).await.map_err(|error| unusable(&self.name, &error))?;
        self.unsaved += bytes.len() as u64;
        if self.unsaved >= self.checkpoint || self.saved_at.elapsed() >= LONGEST_UNSAVED {
            self.save(download).await?;
        }
        Ok(())
    }

    /// Makes the bytes durable, and then the record of them.
    pub(super) async fn save(&mut self, download: &Download) -> Result<(), Error> {
        if self.unsaved > 0 {
            self.sync().await?;
            let saved = Saved { key: self.key.clone(), part: download.part_record() };
            let path = record_path(&self.name);
            let json = serde_json::to_vec(&saved).map_err(|error| unusable(&path, &error))?;
            self.has_record = true;
            write_durably(&path, &json).await?;
        }
        (self.unsaved, self.saved_at) = (0, Instant::now());
        Ok(())
    }

    /// Gives the file its name.
    pub(super) async fn finish(mut self) -> Result<(), Error> {
        self.sync().await?;
        let path = bytes_path(&self.name);
        fs::rename(&path, &self.name).await.map_err(|error| unusable(&self.name, &error))?;
        if self.has_record {
            let _ = fs::remove_file(record_path(&self.name)).await;
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), Error> {
        let sync = async {
            self.out.flush().await?;
            self.out.sync_data().await
        };
        sync.await.map_err(|error| unusable(&self.name, &error))
    }
}

/// Removes what there is of the file `name`, the record first: it must not vouch for other bytes.
pub(super) async fn discard(name: &Path) -> Result<(), Error> {
    for path in [record_path(name), bytes_path(name)] {
        match fs::remove_file(&path).await {
            Err(error) if error.kind() != IoKind::NotFound => return Err(unusable(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a file name is of something that is being received.
pub(super) fn is_of_a_part(name: &str) -> bool {
    name.contains(".ndjson.part")
}

pub(super) fn bytes_path(name: &Path) -> PathBuf {
    name.with_extension("ndjson.part")
}

pub(super) fn record_path(name: &Path) -> PathBuf {
    name.with_extension("ndjson.part.json")
}

/// The record, if there is one that can be read.
async fn read_record(name: &Path) -> Option<Saved> {
    serde_json::from_slice(&fs::read(record_path(name)).await.ok()?).ok()
}

/// Takes the first `length` bytes of what is there and cuts the others off.
async fn take(out: &mut fs::File, length: u64, point: &mut ResumePoint) -> std::io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut there = (&mut *out).take(length);
    loop {
        match there.read(&mut buffer).await? {
            0 => break,
            read => point.update(&buffer[..read]),
        }
    }
    out.set_len(point.byte_count()).await?;
    // Positions, and no appending: bytes that are in flight from before come to where they belong.
    out.seek(std::io::SeekFrom::Start(point.byte_count())).await?;
    Ok(())
}
