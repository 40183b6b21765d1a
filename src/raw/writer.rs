//! A raw file on its way into the lake: counted and hashed as it passes, and there only when it is whole.
//!
//! One that is kept ([`RawFile::keep`]) outlives its writer, so that another process goes on where its record ends
//! ([`RawFile::go_on`]).

use std::time::{Duration, Instant};

use bytes::Bytes;
use fhir_bulk_client::{FileFacts, PartRecord};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use zeekstd::SeekTable;

use super::encoding::{self, Encoding};
use super::kept::{Kept, KeptRecord};
use super::passing::{Passing, RawFacts};
use super::replay::{Passed, log_frame, other_bytes};
use crate::error::Result;
use crate::storage::{Root, Upload};

/// Frames that are compressed while others are written.
const COMPRESSED_AHEAD: usize = 3;

/// After how many bytes those that were received are made durable.
const BETWEEN_SAVES: u64 = 32 << 20;

/// The longest that they wait to be.
const LONGEST_UNSAVED: Duration = Duration::from_secs(5);

/// A frame, and how many bytes it was before compression.
type Frame = Result<(Vec<u8>, usize)>;

/// Where the bytes go.
enum Sink {
    Upload(Upload),
    Kept { kept: Kept, file: String },
}

impl Sink {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Upload(upload) => upload.write(bytes).await,
            Self::Kept { kept, .. } => kept.write(bytes).await,
        }
    }

    async fn complete(self) -> Result<()> {
        match self {
            Self::Upload(upload) => upload.complete().await,
            Self::Kept { kept, .. } => kept.complete().await,
        }
    }

    async fn abort(self) {
        match self {
            Self::Upload(upload) => upload.abort().await,
            Self::Kept { kept, .. } => kept.abort().await,
        }
    }
}

/// A file that is being received.
pub struct RawFile {
    path: String,
    sink: Sink,
    encoding: Encoding,
    passing: Passing,
    frames: FuturesOrdered<BoxFuture<'static, Frame>>,
    table: SeekTable,
    /// How many bytes the last record speaks of, and when it was written.
    saved: (u64, Instant),
}

impl RawFile {
    /// Begins a file at a path of the lake, which says its encoding.
    pub async fn create(root: &Root, path: &str) -> Result<Self> {
        Ok(Self::new(path, Sink::Upload(root.upload(path).await?)))
    }

    /// Begins a file that outlives its writer as far as it is [saved](Self::save). `file` says which of the server's it is.
    pub async fn keep(root: &Root, path: &str, file: &str) -> Result<Self> {
        let kept = Kept::create(root, path).await?;
        Ok(Self::new(path, Sink::Kept { kept, file: file.to_owned() }))
    }

    /// Goes on with a file that another process has kept; `each` sees the bytes that are there. `None` where they are not
    /// those of the record: the file is to be begun anew then.
    pub async fn go_on(
        mut kept: Kept,
        record: KeptRecord,
        mut each: impl FnMut(&[u8]) + Send,
    ) -> Result<Option<Self>> {
        let path = kept.path().to_owned();
        let mut passed = Passed::of(&path);
        let replayed = passed.replay(&mut kept, record.part.byte_count, &mut each).await;
        let sound = passed.passing.offset() == record.part.byte_count
            && passed.passing.sha256() == record.part.sha256;
        if let Err(error) = replayed.and_then(|()| if sound { Ok(()) } else { Err(other_bytes(&path)) }) {
            tracing::warn!(%error, "what was kept of a file is damaged: it is received again");
            return Ok(None);
        }
        kept.seek_end().await?;
        let sink = Sink::Kept { kept, file: record.file };
        let saved = (record.part.byte_count, Instant::now());
        Ok(Some(Self { passing: passed.passing, table: passed.table, saved, ..Self::new(&path, sink) }))
    }

    fn new(path: &str, sink: Sink) -> Self {
        Self {
            path: path.to_owned(),
            sink,
            encoding: Encoding::of(path),
            passing: Passing::default(),
            frames: FuturesOrdered::new(),
            table: SeekTable::new(),
            saved: (0, Instant::now()),
        }
    }

    /// Whether so much has come, or so long ago, that it should be saved.
    pub fn is_to_be_saved(&self) -> bool {
        let unsaved = self.passing.offset() - self.saved.0;
        unsaved >= BETWEEN_SAVES || (unsaved > 0 && self.saved.1.elapsed() >= LONGEST_UNSAVED)
    }

    /// Makes the whole segments that have come durable, with the record from which another process goes on; `download` is
    /// the download's own. Of a file that is not kept nothing is.
    pub async fn save(&mut self, download: PartRecord) -> Result<()> {
        while !self.frames.is_empty() {
            self.write_frame().await?;
        }
        let byte_count = self.passing.offset();
        let Sink::Kept { kept, file } = &mut self.sink else { return Ok(()) };
        if byte_count > self.saved.0 {
            // The download has given more: the segment that is waiting.
            let part = PartRecord { byte_count, sha256: self.passing.sha256(), ..download };
            kept.save(file, part).await?;
        }
        self.saved = (byte_count, Instant::now());
        Ok(())
    }

    /// Appends bytes as they were received.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.passing.push(bytes);
        while let Some(segment) = self.passing.segment() {
            self.put(segment).await?;
        }
        Ok(())
    }

    async fn put(&mut self, segment: Bytes) -> Result<()> {
        if self.encoding == Encoding::Plain {
            return self.sink.write(&segment).await;
        }
        let compressed = crate::busy(move || Ok((encoding::compress(&segment)?, segment.len())));
        self.frames.push_back(Box::pin(compressed));
        while self.frames.len() > COMPRESSED_AHEAD {
            self.write_frame().await?;
        }
        Ok(())
    }

    async fn write_frame(&mut self) -> Result<()> {
        let Some(frame) = self.frames.next().await else { return Ok(()) };
        let (frame, length) = frame?;
        log_frame(&mut self.table, &self.path, frame.len(), length)?;
        self.sink.write(&frame).await
    }

    /// Gives the file its name if `wanted` says so after its facts; else it leaves no trace. Returns the facts.
    pub async fn finish_if(mut self, wanted: impl FnOnce(&FileFacts) -> bool) -> Result<RawFacts> {
        if let Some(segment) = self.passing.last_segment() {
            self.put(segment).await?;
        }
        let facts = self.passing.finish();
        if !wanted(&facts.file) {
            self.sink.abort().await;
            return Ok(facts);
        }
        self.passing = Passing::default();
        while !self.frames.is_empty() {
            self.write_frame().await?;
        }
        if self.encoding == Encoding::Zstd {
            self.sink.write(&encoding::encode_table(self.table)).await?;
        }
        self.sink.complete().await?;
        Ok(facts)
    }

    /// Gives the file up.
    pub async fn abort(self) {
        self.sink.abort().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some megabytes of lines, one of them long.
    fn lines() -> Vec<u8> {
        let line = |n: usize| format!("{{\"id\":\"{n}\",\"x\":\"{}\"}}\n", "y".repeat((n * 7919) % 4_000));
        let mut text: String = (0..1_200).map(line).collect();
        text.push_str(&format!("{{\"long\":\"{}\"}}\n{{}}", "z".repeat(2 << 20)));
        text.into_bytes()
    }

    async fn whole(root: &Root, path: &str, bytes: &[u8]) -> RawFacts {
        let mut file = RawFile::create(root, path).await.unwrap();
        for chunk in bytes.chunks(70_001) {
            file.write(chunk).await.unwrap();
        }
        file.finish_if(|_| true).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_that_is_gone_on_with_is_the_same_as_one_that_was_never_left() {
        let bytes = lines();
        for (suffix, cut) in
            [("", 1_500_000), (".zst", 1_500_000), (".zst", 0), (".zst", bytes.len() - 1), ("", 9)]
        {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::create(folder.path().to_str().unwrap()).unwrap();
            let (path, other) = (format!("raw/x.ndjson{suffix}"), format!("raw/y.ndjson{suffix}"));
            let mut file = RawFile::keep(&root, &path, "one").await.unwrap();
            file.write(&bytes[..cut]).await.unwrap();
            file.save(PartRecord { etag: Some("\"v1\"".to_owned()), ..Default::default() }).await.unwrap();
            // What comes after the record is lost with the process.
            file.write(&bytes[cut..bytes.len() - 1]).await.unwrap();
            drop(file);
            assert!(root.get(&path).await.unwrap().is_none(), "it has no name yet");
            let mut file = match Kept::open(&root, &path, "one").await.unwrap() {
                None => RawFile::keep(&root, &path, "one").await.unwrap(),
                Some((kept, record)) => {
                    let mut seen = Vec::new();
                    let part = record.part.clone();
                    let file =
                        RawFile::go_on(kept, record, |bytes| seen.extend_from_slice(bytes)).await.unwrap();
                    assert_eq!(seen, bytes[..seen.len()]);
                    assert_eq!((seen.len() as u64, part.etag.as_deref()), (part.byte_count, Some("\"v1\"")));
                    file.unwrap()
                }
            };
            let known = usize::try_from(file.passing.offset()).unwrap();
            assert!(cut - known <= 4 << 20, "only the segment that was waiting is lost");
            file.write(&bytes[known..]).await.unwrap();
            let facts = file.finish_if(|_| true).await.unwrap();
            assert_eq!(facts, whole(&root, &other, &bytes).await);
            assert_eq!(root.get(&path).await.unwrap(), root.get(&other).await.unwrap(), "{suffix} {cut}");
            assert!(Kept::open(&root, &path, "one").await.unwrap().is_none(), "nothing is left");
        }
    }

    #[tokio::test]
    async fn what_is_damaged_or_of_another_file_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().to_str().unwrap()).unwrap();
        let (bytes, path) = (lines(), "raw/x.ndjson.zst");
        let mut file = RawFile::keep(&root, path, "one").await.unwrap();
        file.write(&bytes).await.unwrap();
        file.save(PartRecord::default()).await.unwrap();
        drop(file);
        assert!(Kept::open(&root, path, "two").await.unwrap().is_none());
        let part = root.local("raw/x.ndjson.zst.part");
        let mut there = std::fs::read(&part).unwrap();
        let middle = there.len() / 2;
        there[middle] ^= 1;
        std::fs::write(&part, &there).unwrap();
        let (kept, record) = Kept::open(&root, path, "one").await.unwrap().unwrap();
        assert!(RawFile::go_on(kept, record, |_| ()).await.unwrap().is_none());
        std::fs::write(&part, &there[..middle]).unwrap();
        assert!(Kept::open(&root, path, "one").await.unwrap().is_none());
        root.remove_unfinished("raw").await.unwrap();
        assert!(!part.exists() && !root.local("raw/x.ndjson.zst.part.json").exists());
    }
}
