//! A raw file that outlives its writer: `<name>.part` beside the file's name, and `<name>.part.json`, which says what of
//! it is durable.
//!
//! One invariant: the record speaks of bytes that were on the disk before it, and of whole frames. What follows them after
//! a crash is cut off, because nobody can vouch for it.

use std::io::{ErrorKind, SeekFrom};
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use fhir_bulk_client::PartRecord;
use serde::{Deserialize, Serialize};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::error::{Error, Result};
use crate::storage::Root;

/// Bytes that are read at a time: what they are uncompressed may be many times as much.
const READ: usize = 256 << 10;

/// What is kept beside the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRecord {
    /// Which file of the server it is.
    pub file: String,
    /// How many bytes of the raw file are durable, as they lie on the disk.
    pub length: u64,
    /// What they are of the server's file, and how the rest of it is asked for.
    pub part: PartRecord,
}

/// A file that is being received on a local disk.
#[derive(Debug)]
pub struct Kept {
    root: Root,
    path: String,
    out: File,
    length: u64,
}

impl Kept {
    /// Begins the file anew. What an earlier writer still has in flight goes to the old one, which has no name then.
    pub async fn create(root: &Root, path: &str) -> Result<Self> {
        discard(root, path).await?;
        let name = bytes_path(root, path);
        if let Some(folder) = name.parent() {
            fs::create_dir_all(folder).await.map_err(Error::io("create", folder))?;
        }
        let out = File::create(&name).await.map_err(Error::io("create", &name))?;
        Ok(Self { root: root.clone(), path: path.to_owned(), out, length: 0 })
    }

    /// What another process has kept of the server's file `file`, to be read from its beginning, and its record; `None`
    /// where there is nothing, or something of another file.
    pub async fn open(root: &Root, path: &str, file: &str) -> Result<Option<(Self, KeptRecord)>> {
        let Some(record) = root.get(&record_path(path)).await? else { return Ok(None) };
        let Ok(record) = serde_json::from_slice::<KeptRecord>(&record) else { return Ok(None) };
        let name = bytes_path(root, path);
        let out = match fs::OpenOptions::new().read(true).write(true).open(&name).await {
            Ok(out) => out,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", name)(error)),
        };
        let there = out.metadata().await.map_err(Error::io("open", &name))?.len();
        if record.file != file || there < record.length {
            return Ok(None);
        }
        out.set_len(record.length).await.map_err(Error::io("shorten", &name))?;
        Ok(Some((Self { root: root.clone(), path: path.to_owned(), out, length: record.length }, record)))
    }

    /// The path in the lake.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The lake.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The next of the bytes that are there; none at their end.
    pub async fn read(&mut self) -> Result<Option<Bytes>> {
        let mut bytes = BytesMut::zeroed(READ);
        let read = self.out.read(&mut bytes).await.map_err(Error::io("read", self.name()))?;
        bytes.truncate(read);
        Ok((read > 0).then(|| bytes.freeze()))
    }

    /// Goes to the end, behind which is written.
    pub async fn seek_end(&mut self) -> Result<()> {
        // A position, and no appending: bytes that are in flight from before come to where they belong.
        let sought = self.out.seek(SeekFrom::Start(self.length)).await;
        sought.map(drop).map_err(Error::io("read", self.name()))
    }

    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.length += bytes.len() as u64;
        self.out.write_all(bytes).await.map_err(Error::io("write", self.name()))
    }

    /// Makes what was written durable, and then the record of it.
    pub async fn save(&mut self, file: &str, part: PartRecord) -> Result<()> {
        self.sync().await?;
        let record = KeptRecord { file: file.to_owned(), length: self.length, part };
        let path = record_path(&self.path);
        let json = serde_json::to_vec(&record)
            .map_err(|error| Error::Damaged { path: path.clone(), reason: error.to_string() })?;
        self.root.put(&path, json).await
    }

    /// Gives the file its name, durably.
    pub async fn complete(mut self) -> Result<()> {
        self.sync().await?;
        let name = self.root.local(&self.path);
        fs::rename(self.name(), &name).await.map_err(Error::io("rename", &name))?;
        self.root.sync(&self.path).await?;
        remove(&self.root.local(&record_path(&self.path))).await
    }

    /// Gives the file up.
    pub async fn abort(self) {
        if let Err(error) = discard(&self.root, &self.path).await {
            tracing::warn!(path = self.path, %error, "an unfinished file could not be removed");
        }
    }

    async fn sync(&mut self) -> Result<()> {
        let synced = async {
            self.out.flush().await?;
            self.out.sync_data().await
        };
        synced.await.map_err(Error::io("write to disk", bytes_path(&self.root, &self.path)))
    }

    fn name(&self) -> PathBuf {
        bytes_path(&self.root, &self.path)
    }
}

/// Removes what there is, the record first: it must not vouch for other bytes.
async fn discard(root: &Root, path: &str) -> Result<()> {
    remove(&root.local(&record_path(path))).await?;
    remove(&bytes_path(root, path)).await
}

async fn remove(path: &PathBuf) -> Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn bytes_path(root: &Root, path: &str) -> PathBuf {
    root.local(&format!("{path}.part"))
}

fn record_path(path: &str) -> String {
    format!("{path}.part.json")
}
