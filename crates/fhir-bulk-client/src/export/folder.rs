//! A whole export into a folder, which goes on where it ended whenever it is called again.
//!
//! The folder has the files under `<Type>.<n>.ndjson`, `deleted/` and `error/`, the manifest's pages, `job.json` and
//! `files.ndjson` ([`record`](super::record)). A file that is being received is called `….part`; it gets its name when it
//! is verified. A page of the manifest is kept as it was received.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use tokio::fs;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;
use url::Url;

use super::applied::AppliedCheck;
use super::download::ResumePoint;
use super::manifest::{OutputFile, Section};
use super::record::{FileKey, FileRecord, JobRecord};
use super::report::ExportReport;
use super::request::ExportRequest;
use super::status::{ManifestPages, Progress};
use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};

/// How a download into a folder works.
#[derive(Clone, Copy, Debug)]
pub struct FolderOptions {
    /// How many files are received at a time.
    pub parallel: usize,
    /// How often a file is received again from its start where it turns out to be short.
    pub restarts: u32,
    /// How many lines of each file are compared with what was asked.
    pub compared_lines: usize,
    /// Whether the job is deleted on the server when all files are there.
    pub delete_job: bool,
}

impl Default for FolderOptions {
    /// Four files at a time, two restarts, a thousand lines of each compared, and the job is deleted.
    fn default() -> Self {
        Self { parallel: 4, restarts: 2, compared_lines: 1_000, delete_job: true }
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
        let files = self.receive(request, &job.status_url, &manifest, folder, options).await?;
        let mut report = ExportReport::new(request, &job, &manifest, files);
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

    /// The records of all files, in the manifest's order.
    async fn receive(
        &self,
        request: &ExportRequest,
        status_url: &Url,
        manifest: &ManifestPages,
        folder: &Path,
        options: FolderOptions,
    ) -> Result<Vec<FileRecord>, Error> {
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
                let record = self.receive_file(wanted, status_url, links, folder, options.restarts).await?;
                let record = compared(record, request, folder, options.compared_lines).await?;
                note(journal, folder, &record).await?;
                Ok::<_, Error>((number, record))
            });
        // In whichever order they end: a long one would hold up the others otherwise.
        let files: Result<Vec<_>, Error> =
            files.buffer_unordered(options.parallel.max(1)).try_collect().await;
        let mut files = files?;
        files.sort_by_key(|(number, _)| *number);
        Ok(files.into_iter().map(|(_, record)| record).collect())
    }

    /// Receives one file, with another link where the one it has is no longer good.
    async fn receive_file(
        &self,
        mut wanted: Wanted,
        status_url: &Url,
        links: &Mutex<Links>,
        folder: &Path,
        mut restarts: u32,
    ) -> Result<FileRecord, Error> {
        let (path, mut generation) = (folder.join(&wanted.name), 0);
        loop {
            match self.receive_once(&wanted, &path).await {
                Err(error) if error.kind() == ErrorKind::Truncated && restarts > 0 => {
                    restarts -= 1;
                    tracing::warn!(%error, name = wanted.name, "a file is received again from its start");
                    let _ = fs::remove_file(part(&path)).await;
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
    ) -> Result<super::download::DownloadSummary, Error> {
        let (part, tag) = (part(path), path.with_extension("etag"));
        let (key, token) = (&wanted.key, wanted.requires_access_token);
        let etag = fs::read_to_string(&tag).await.ok();
        let mut point = ResumePoint::new(key.section, &wanted.file, etag);
        take(&part, &mut point).await.map_err(|error| unusable(&part, &error))?;
        let mut download = self.download_from(key.section, &wanted.file, token, point).await?;
        if let Some(etag) = download.etag() {
            fs::write(&tag, etag).await.map_err(|error| unusable(&tag, &error))?;
        }
        let out = fs::OpenOptions::new().create(true).append(true).open(&part).await;
        let mut out = out.map_err(|error| unusable(&part, &error))?;
        loop {
            let chunk = download.chunk().await;
            // What has come before an error stays: the next attempt goes on behind it.
            let Some(chunk) = (match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    let _ = out.flush().await;
                    if error.kind() == ErrorKind::NotData {
                        let _ = fs::remove_file(&part).await;
                    }
                    return Err(error);
                }
            }) else {
                break;
            };
            out.write_all(&chunk).await.map_err(|error| unusable(&part, &error))?;
        }
        let sync = async {
            out.flush().await?;
            out.sync_data().await
        };
        sync.await.map_err(|error| unusable(&part, &error))?;
        let summary = download.verify()?;
        fs::rename(&part, path).await.map_err(|error| unusable(path, &error))?;
        let _ = fs::remove_file(&tag).await;
        Ok(summary)
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

fn part(path: &Path) -> PathBuf {
    path.with_extension("ndjson.part")
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("{} cannot be used: {error}", path.display()))
}

/// Takes what is there of a file.
async fn take(part: &Path, point: &mut ResumePoint) -> std::io::Result<()> {
    let mut file = match fs::File::open(part).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok(()),
            length => point.update(&buffer[..length]),
        }
    }
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

async fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = path.with_extension("new");
    let write = async {
        let mut file = fs::File::create(&new).await?;
        file.write_all(bytes).await?;
        file.sync_all().await?;
        fs::rename(&new, path).await?;
        // The name is durable with the folder.
        if let Some(folder) = path.parent() {
            fs::File::open(folder).await?.sync_all().await?;
        }
        std::io::Result::Ok(())
    };
    write.await.map_err(|error| unusable(path, &error))
}

/// The files that are finished. A last line that was cut by a crash is none.
async fn read_journal(path: &Path) -> Result<HashMap<FileKey, FileRecord>, Error> {
    let text = match fs::read_to_string(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(unusable(path, &error)),
    };
    let records = text.lines().filter_map(|line| serde_json::from_str::<FileRecord>(line).ok());
    Ok(records.map(|record| (record.key.clone(), record)).collect())
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
            if name.ends_with(".ndjson") || name.ends_with(".part") || name.ends_with(".etag") {
                fs::remove_file(entry.path()).await.map_err(|error| unusable(&entry.path(), &error))?;
            }
        }
    }
    Ok(())
}
