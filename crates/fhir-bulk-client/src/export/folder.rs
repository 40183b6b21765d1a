//! A whole export into a folder, which goes on where it ended whenever it is called again.
//!
//! The folder has the files under `<Type>.<n>.ndjson`, `deleted/` and `error/`, the manifest's pages, `job.json` and
//! `files.ndjson` ([`record`](super::record)). A file that is being received is called `….part` ([`part`](super::part)); it
//! gets its name when it is verified. A page of the manifest is kept as it was received.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use tokio::fs;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::sync::Mutex;
use url::Url;

use super::applied::AppliedCheck;
use super::download::DownloadSummary;
use super::durable::{unusable, write_durably};
use super::expiry::Expiry;
use super::manifest::{OutputFile, Section};
use super::part::{Part, discard, is_of_a_part};
use super::record::{FileKey, FileRecord, JobRecord};
use super::report::ExportReport;
use super::request::ExportRequest;
use super::resume::ResumePoint;
use super::status::{ManifestPages, Progress};
use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};

/// How a download into a folder works.
#[derive(Clone, Copy, Debug)]
pub struct FolderOptions {
    /// How many files are received at a time.
    pub parallel: usize,
    /// How often a file is asked for again where it turns out to be short.
    pub restarts: u32,
    /// After how many bytes of a file those that were received are made durable, so that another process need not ask
    /// for them again. Where they come slowly they are made durable every five seconds.
    pub checkpoint_bytes: u64,
    /// How many lines of each file are compared with what was asked.
    pub compared_lines: usize,
    /// Whether the job is deleted on the server when all files are there.
    pub delete_job: bool,
}

impl Default for FolderOptions {
    /// Four files at a time, two restarts, checkpoints every 32 MiB, a thousand lines of each compared, and the job is
    /// deleted.
    fn default() -> Self {
        Self { parallel: 4, restarts: 2, checkpoint_bytes: 32 << 20, compared_lines: 1_000, delete_job: true }
    }
}

/// A file that is wanted.
#[derive(Clone)]
struct Wanted {
    key: FileKey,
    file: OutputFile,
    requires_access_token: bool,
    name: String,
}

impl Wanted {
    /// Whether both are the same file: a server may name it by another URL each time it is asked, and keeps its place.
    fn is(&self, other: &Self) -> bool {
        let (a, b) = (&self.key, &other.key);
        (a.section, a.index) == (b.section, b.index) && self.file.type_ == other.file.type_
    }
}

/// The manifest in use, and how often it was asked for.
struct Links {
    wanted: Vec<Wanted>,
    generation: u32,
}

impl BulkClient {
    /// Exports into `folder`. Called again with the same folder after an error or a crash it goes on: the same job, and
    /// only the files and the parts of files that are missing. A new export begins only where the server no longer has
    /// the old one, and then from nothing.
    ///
    /// # Errors
    /// As [`BulkClient::kick_off`], [`BulkClient::wait`] and [`BulkClient::download`];
    /// [`ErrorKind::Config`] if the folder cannot be used.
    pub async fn export_to(
        &self,
        request: &ExportRequest,
        folder: &Path,
        options: FolderOptions,
        on_progress: impl FnMut(&Progress) + Send,
    ) -> Result<ExportReport, Error> {
        let mut on_progress = on_progress;
        let started = Instant::now();
        let (mut job, mut resumed) = match self.job_of(folder).await? {
            Some(job) if job.is_of(request) => (job, true),
            Some(_) => return Err(unusable(folder, &"it has an export of another request")),
            None => (self.begin(request, folder).await?, false),
        };
        let kicked_off = started.elapsed();
        let manifest = loop {
            match self.wait(&job.status_url, &mut on_progress).await {
                Err(error) if error.kind() == ErrorKind::JobGone && resumed => {
                    tracing::warn!(%error, "the export that was begun before is gone: a new one begins");
                    clear(folder).await?;
                    (job, resumed) = (self.begin(request, folder).await?, false);
                }
                waited => break waited?,
            }
        };
        let waited = started.elapsed();
        for (number, page) in manifest.pages.iter().enumerate() {
            write_durably(&folder.join(format!("manifest.{number}.json")), &page.raw).await?;
        }
        let (files, warnings) = self.receive(request, &job.status_url, &manifest, folder, options).await?;
        let mut report = ExportReport::new(request, &job, &manifest, files);
        report.warnings.extend(warnings);
        report.kick_off = kicked_off;
        report.waiting = waited.saturating_sub(kicked_off);
        report.downloading = started.elapsed().saturating_sub(waited);
        if options.delete_job
            && let Err(error) = self.delete_job(&job.status_url).await
        {
            report.warnings.push(format!("the server keeps its job: {error}"));
        }
        Ok(report)
    }

    async fn job_of(&self, folder: &Path) -> Result<Option<JobRecord>, Error> {
        fs::create_dir_all(folder).await.map_err(|error| unusable(folder, &error))?;
        let path = folder.join("job.json");
        match fs::read(&path).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unusable(&path, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(&path, &error)),
        }
    }

    async fn begin(&self, request: &ExportRequest, folder: &Path) -> Result<JobRecord, Error> {
        let job = JobRecord::new(&self.kick_off(request).await?, request);
        let bytes = serde_json::to_vec(&job).map_err(|error| unusable(folder, &error))?;
        write_durably(&folder.join("job.json"), &bytes).await?;
        Ok(job)
    }

    /// The records of all files, in the manifest's order, and what is odd about receiving them.
    async fn receive(
        &self,
        request: &ExportRequest,
        status_url: &Url,
        manifest: &ManifestPages,
        folder: &Path,
        options: FolderOptions,
    ) -> Result<(Vec<FileRecord>, Vec<String>), Error> {
        for name in ["deleted", "error"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).await.map_err(|error| unusable(&path, &error))?;
        }
        let journal_path = folder.join("files.ndjson");
        let before = read_journal(&journal_path).await?;
        let journal = fs::OpenOptions::new().create(true).append(true).open(&journal_path).await;
        let journal = Mutex::new(journal.map_err(|error| unusable(&journal_path, &error))?);
        let wanted = wanted(manifest);
        let links = Mutex::new(Links { wanted: wanted.clone(), generation: 0 });
        let (links, journal, before) = (&links, &journal, &before);
        let files =
            futures::stream::iter(wanted.into_iter().enumerate()).map(|(number, wanted)| async move {
                if let Some(record) = before.get(&wanted.key)
                    && is_there(folder, record).await
                {
                    return Ok((number, record.clone()));
                }
                let record = self.receive_file(wanted, status_url, links, folder, options).await?;
                let record = compared(record, request, folder, options.compared_lines).await?;
                note(journal, folder, &record).await?;
                Ok::<_, Error>((number, record))
            });
        // In whichever order they end: a long one would hold up the others otherwise.
        let mut files = files.buffer_unordered(options.parallel.max(1));
        let (started, mut expiry) = (Instant::now(), Expiry::of(manifest));
        let (mut received, mut warnings) = (Vec::new(), Vec::new());
        while let Some(file) = files.try_next().await? {
            received.push(file);
            if let Some(warning) = expiry.as_mut().and_then(|expiry| expiry.received(started.elapsed())) {
                tracing::warn!("{warning}");
                warnings.push(warning);
            }
        }
        received.sort_by_key(|(number, _)| *number);
        Ok((received.into_iter().map(|(_, record)| record).collect(), warnings))
    }

    /// Receives one file, with another link where the one it has is no longer good.
    async fn receive_file(
        &self,
        mut wanted: Wanted,
        status_url: &Url,
        links: &Mutex<Links>,
        folder: &Path,
        options: FolderOptions,
    ) -> Result<FileRecord, Error> {
        let (path, mut generation, mut restarts) = (folder.join(&wanted.name), 0, options.restarts);
        loop {
            match self.receive_once(&wanted, &path, options.checkpoint_bytes).await {
                Err(error) if error.kind() == ErrorKind::Truncated && restarts > 0 => {
                    restarts -= 1;
                    tracing::warn!(%error, name = wanted.name, "a file is asked for again");
                }
                Err(error) if error.kind() == ErrorKind::LinkExpired && generation < 2 => {
                    let mut links = links.lock().await;
                    if links.generation == generation {
                        tracing::info!(%error, "a link is no longer good: the manifest is asked for again");
                        links.wanted = self::wanted(&self.wait(status_url, |_| ()).await?);
                        links.generation += 1;
                    }
                    generation = links.generation;
                    let same = links.wanted.iter().find(|other| other.is(&wanted));
                    wanted = Wanted { key: wanted.key, ..same.cloned().ok_or(error)? };
                }
                Ok(summary) => return Ok(FileRecord::new(wanted.key, wanted.name, &wanted.file, summary)),
                Err(error) => return Err(error),
            }
        }
    }

    async fn receive_once(
        &self,
        wanted: &Wanted,
        path: &Path,
        checkpoint: u64,
    ) -> Result<DownloadSummary, Error> {
        let (key, file, token) = (&wanted.key, &wanted.file, wanted.requires_access_token);
        let (mut part, point) = Part::open(path, key, file, checkpoint).await?;
        let begun = point.byte_count() > 0;
        let mut download = match self.download_from(key.section, file, token, point).await {
            Err(error) if begun && error.kind() == ErrorKind::Truncated => {
                tracing::warn!(%error, name = wanted.name, "the file is another one now and begins again");
                part = Part::create(path, key, checkpoint).await?;
                let start = ResumePoint::new(key.section, file, None);
                self.download_from(key.section, file, token, start).await?
            }
            download => download?,
        };
        loop {
            match download.chunk().await {
                Ok(Some(bytes)) => part.write(&bytes, &download).await?,
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::NotData => {
                    discard(path).await?;
                    return Err(error);
                }
                // What has come before stays: the next attempt goes on behind it.
                Err(error) => return part.save(&download).await.and(Err(error)),
            }
        }
        match download.verify() {
            Ok(summary) => part.finish().await.map(|()| summary),
            // What is wrong may lie anywhere in it.
            Err(error) => discard(path).await.and(Err(error)),
        }
    }
}

/// The files of a manifest, each with its name: the type and a number.
fn wanted(manifest: &ManifestPages) -> Vec<Wanted> {
    let mut numbers = HashMap::<String, usize>::new();
    let mut name = |section: Section, file: &OutputFile| {
        let folder = match section {
            Section::Output => "",
            Section::Deleted => "deleted/",
            Section::Outcome => "error/",
        };
        let plain = |name: &&str| super::request::is_type_name(name);
        let stem = format!("{folder}{}", file.type_.as_deref().filter(plain).unwrap_or("Resource"));
        let number = numbers.entry(stem.clone()).or_default();
        *number += 1;
        format!("{stem}.{}.ndjson", *number - 1)
    };
    let files = manifest.files().map(|(key, file, requires_access_token)| {
        let name = name(key.section, file);
        Wanted { key, file: file.clone(), requires_access_token, name }
    });
    files.collect()
}

/// Whether a file that has a record is there: its name may have been lost in a crash, which the record survived.
async fn is_there(folder: &Path, record: &FileRecord) -> bool {
    fs::metadata(folder.join(&record.name)).await.is_ok_and(|there| there.len() == record.byte_count)
}

/// The record with what the file's first lines contradict of what was asked.
async fn compared(
    mut record: FileRecord,
    request: &ExportRequest,
    folder: &Path,
    lines: usize,
) -> Result<FileRecord, Error> {
    let mut check = AppliedCheck::new(request);
    if record.key.section != Section::Output || lines == 0 || !check.has_anything_to_judge() {
        return Ok(record);
    }
    let path = folder.join(&record.name);
    let file = fs::File::open(&path).await.map_err(|error| unusable(&path, &error))?;
    let (mut file, mut line) = (tokio::io::BufReader::new(file), Vec::new());
    for _ in 0..lines {
        line.clear();
        let length = file.read_until(b'\n', &mut line).await.map_err(|error| unusable(&path, &error))?;
        if length == 0 {
            break;
        }
        check.line(&line);
    }
    record.contradictions = check.finish();
    Ok(record)
}

/// The files that are finished.
async fn read_journal(path: &Path) -> Result<HashMap<FileKey, FileRecord>, Error> {
    match fs::read(path).await {
        Ok(bytes) => Ok(journal(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(error) => Err(unusable(path, &error)),
    }
}

/// The records of a journal. A crash may have cut a line anywhere, within a character too.
pub(super) fn journal(bytes: &[u8]) -> HashMap<FileKey, FileRecord> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let records = lines.filter_map(|line| serde_json::from_slice::<FileRecord>(line).ok());
    records.map(|record| (record.key.clone(), record)).collect()
}

async fn note(journal: &Mutex<fs::File>, folder: &Path, record: &FileRecord) -> Result<(), Error> {
    let line = serde_json::to_string(record).map_err(|error| unusable(folder, &error))?;
    let mut journal = journal.lock().await;
    let write = async {
        // In front, so that a line that was cut before does not swallow this one.
        journal.write_all(format!("\n{line}\n").as_bytes()).await?;
        journal.flush().await
    };
    write.await.map_err(|error| unusable(folder, &error))
}

/// Removes what belongs to a job that is gone.
async fn clear(folder: &Path) -> Result<(), Error> {
    for name in ["files.ndjson", "job.json"] {
        let _ = fs::remove_file(folder.join(name)).await;
    }
    for inner in ["", "deleted", "error"] {
        let path = folder.join(inner);
        let Ok(mut entries) = fs::read_dir(&path).await else { continue };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".ndjson") || is_of_a_part(&name) {
                fs::remove_file(entry.path()).await.map_err(|error| unusable(&entry.path(), &error))?;
            }
        }
    }
    Ok(())
}
