//! The server's side of a run: kick-off → status → manifest → download, each noted as soon as it is done.
//!
//! One invariant: what is noted is not asked of the server again. The status URL is durable before the first poll, and a
//! file's record before the next step; a run that continues fetches what has no record.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir_bulk_client::{
    BulkClient, Download, ErrorKind, Expiry, ExportRequest, FileKey, ManifestPages, OutputFile, Page,
    ResumePoint, Url, redact, shown_parameters,
};
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::applied::Sample;
use super::input::InputFile;
use super::log::Log;
use super::progress::{Observer, Step};
use super::run::Run;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::raw::layout::{self, Section};
use crate::raw::{Encoding, Kept, RawFile};

/// How often a file is asked for again.
const DOWNLOADS: u32 = 4;

/// `job-<n>.json`: a kick-off that the server accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KickedOff {
    /// Where the server tells how the job is.
    pub status_url: Url,
    /// The request, redacted.
    pub request: String,
    /// What the client noticed.
    pub warnings: Vec<String>,
}

/// A job whose manifest is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Completed {
    /// The kick-off.
    pub kicked_off: KickedOff,
    /// The manifest's `transactionTime`, literally.
    pub transaction_time: String,
}

/// A file to download.
#[derive(Debug)]
pub struct Wanted {
    section: Section,
    file: OutputFile,
    requires_access_token: bool,
    /// What its kick-off asked for.
    request: Arc<ExportRequest>,
    path: String,
    name: String,
    /// Whether another file of the run has the same URL but for what is redacted of it.
    ambiguous: bool,
}

/// What the jobs of a run have taken of its numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Places {
    /// Pages of manifests.
    pub pages: usize,
    /// Files.
    pub files: usize,
    /// Files by section and type.
    numbers: BTreeMap<String, usize>,
}

/// Who is told of an export.
pub struct Watch<'w> {
    /// Whoever watches the run.
    pub observer: &'w dyn Observer,
    /// Whoever reads of it later.
    pub log: &'w Log,
}

impl Wanted {
    fn section(&self) -> fhir_bulk_client::Section {
        match self.section {
            Section::Output => fhir_bulk_client::Section::Output,
            Section::Deleted => fhir_bulk_client::Section::Deleted,
            Section::Error => fhir_bulk_client::Section::Outcome,
        }
    }

    /// Whether a record is of this file. A server may sign its URLs anew for each manifest, so a URL is known by what
    /// is not redacted of it, as long as that names one file alone.
    fn is(&self, record: &InputFile) -> bool {
        let same_url = if self.ambiguous {
            record.url_sha256.as_ref() == Some(&sha256_of(&self.file.url))
        } else {
            record.url == shown_url(&self.file)
        };
        record.section == self.section && record.path == self.path && same_url
    }
}

fn shown_url(file: &OutputFile) -> String {
    file.url.parse().map_or_else(|_| "relative".to_owned(), |url| redact(&url))
}

fn sha256_of(url: &str) -> String {
    hex::encode(Sha256::digest(url))
}

/// Starts a job, or finds the one that was started before.
pub async fn kick_off(
    client: &BulkClient,
    lake: &Lake,
    run: &Run,
    n: usize,
    request: &ExportRequest,
    watch: &Watch<'_>,
) -> Result<KickedOff> {
    let name = format!("job-{n}.json");
    if let Some(before) = run.noted::<KickedOff>(&name).await? {
        watch.observer.note("the export that was started before goes on");
        return Ok(before);
    }
    let accepted = client.kick_off(request).await;
    let url =
        accepted.as_ref().map_or_else(|_| client.base().clone(), |accepted| accepted.request_url.clone());
    watch.log.event(|log| log.kick_off(&url, None, accepted.as_ref()));
    let accepted = accepted?;
    // Now it is known to be a server that exports: the lake is its own from here on.
    lake.record_identity().await?;
    let kicked_off = KickedOff {
        status_url: accepted.status_url,
        request: shown(&accepted.request_url),
        warnings: accepted.warnings,
    };
    run.note(&name, &kicked_off).await?;
    watch.log.save().await?;
    Ok(kicked_off)
}

/// The kick-off request as it is recorded: without what may tell of a patient, or open a door.
fn shown(request: &Url) -> String {
    let mut bare = request.clone();
    bare.set_query(None);
    let parameters = shown_parameters(request);
    let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("{}{query}", redact(&bare))
}

/// Waits for a job's manifest. Its pages are kept as they were received.
pub async fn manifest(
    client: &BulkClient,
    lake: &Lake,
    run: &Run,
    kicked_off: KickedOff,
    first_page: usize,
    watch: &Watch<'_>,
) -> Result<(Completed, ManifestPages)> {
    let observer = watch.observer;
    observer.begin(Step::Export, None);
    let waited = client.wait(&kicked_off.status_url, |state| {
        watch.log.event(|log| log.progress(state));
        let progress = state.progress.as_deref().unwrap_or("in progress");
        observer.message(Step::Export, &format!("{progress}; asked again in {} s", seconds(state.next_poll)));
    });
    let manifest = waited.await;
    observer.end(Step::Export);
    match &manifest {
        Ok(manifest) => watch.log.event(|log| log.manifest(manifest)),
        Err(error) => watch.log.event(|log| log.status_error(error)),
    }
    let manifest = manifest?;
    for (n, Page { raw, manifest, .. }) in manifest.pages.iter().enumerate() {
        // It is sent back as `_since` and compared with the times of resources.
        manifest.transaction_instant()?;
        let path = layout::manifest(&run.plan.export_id, first_page + n);
        lake.root.put(&path, raw.clone()).await?;
    }
    let transaction_time = manifest.transaction_time().map(str::to_owned).ok_or_else(|| Error::Damaged {
        path: layout::manifest(&run.plan.export_id, first_page),
        reason: "the manifest has no page".to_owned(),
    })?;
    Ok((Completed { kicked_off, transaction_time }, manifest))
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil() as u64
}

/// The files of all jobs, in the manifests' order, each with its place in the raw store.
pub fn wanted(
    run: &Run,
    requests: &[Arc<ExportRequest>],
    manifests: &[ManifestPages],
    raw: Encoding,
    places: &mut Places,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (request, manifest) in requests.iter().zip(manifests) {
        let sections = [
            (Section::Output, manifest.output().collect::<Vec<_>>()),
            (Section::Deleted, manifest.deleted().collect()),
            (Section::Error, manifest.outcomes().collect()),
        ];
        for (section, files) in sections {
            for (file, requires_access_token) in files {
                let name = raw_name(section, file);
                let n = places.numbers.entry(format!("{}/{name}", section.name())).or_default();
                let path = layout::file(&run.plan.export_id, section, &name, *n, raw);
                *n += 1;
                wanted.push(Wanted {
                    section,
                    file: file.clone(),
                    requires_access_token,
                    request: Arc::clone(request),
                    path,
                    name,
                    ambiguous: false,
                });
            }
        }
    }
    places.files += wanted.len();
    let mut named = HashMap::<String, usize>::new();
    wanted.iter().for_each(|wanted| *named.entry(shown_url(&wanted.file)).or_default() += 1);
    for wanted in &mut wanted {
        wanted.ambiguous = named.get(&shown_url(&wanted.file)).is_some_and(|count| *count > 1);
    }
    wanted
}

/// The type in a raw file's name: the manifest's, if it may stand in a path.
fn raw_name(section: Section, file: &OutputFile) -> String {
    let fallback = match section {
        Section::Output => "Resource",
        Section::Deleted => "Bundle",
        Section::Error => "OperationOutcome",
    };
    let plain = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    file.type_.as_deref().filter(plain).unwrap_or(fallback).to_owned()
}

/// The files of some jobs.
pub struct Files {
    /// They.
    pub wanted: Vec<Wanted>,
    /// The number of the first of them in the run.
    pub first: usize,
    /// When the server will have them no more, if it says so.
    pub expiry: Option<Expiry>,
}

/// Downloads what has no record yet, some files at a time. Returns the records of all, in order.
pub async fn download(
    client: &BulkClient,
    lake: &Lake,
    run: &Run,
    files: Files,
    parallel: usize,
    watch: &Watch<'_>,
) -> Result<Vec<InputFile>> {
    let (observer, began) = (watch.observer, Instant::now());
    let Files { wanted, first, expiry } = files;
    let expiry = &Mutex::new(expiry);
    observer.begin(Step::Download, wanted.iter().map(|wanted| wanted.file.file_size).sum());
    let files = futures::stream::iter(wanted.iter().enumerate())
        .map(|(n, wanted)| async move {
            let name = format!("files/{}.json", first + n);
            // A server may list its files in another order when it is asked again.
            if let Some(before) = run.noted::<InputFile>(&name).await?.filter(|before| wanted.is(before)) {
                return Ok(before);
            }
            let file = fetch(client, lake, wanted, watch).await?;
            run.note(&name, &file).await?;
            let late = expiry.lock().as_mut().and_then(|expiry| expiry.received(began.elapsed()));
            late.iter().for_each(|warning| observer.note(warning));
            Ok::<_, Error>(file)
        })
        .buffered(parallel.max(1))
        .try_collect()
        .await;
    observer.end(Step::Download);
    files
}

/// Downloads one file, and asks for it again where it breaks off for good.
async fn fetch(client: &BulkClient, lake: &Lake, wanted: &Wanted, watch: &Watch<'_>) -> Result<InputFile> {
    let mut again = 0;
    loop {
        watch.log.event(|log| log.download_request(wanted.section(), &wanted.file));
        let fetched = fetch_once(client, lake, wanted, watch).await;
        if let Err(Error::Server(error)) = &fetched {
            watch.log.event(|log| log.download_error(&wanted.file, error));
        }
        match fetched {
            Ok(file) => return Ok(InputFile { retries: file.retries + again, ..file }),
            Err(Error::Server(error)) if may_pass(error.kind()) && again < DOWNLOADS => {
                again += 1;
                tracing::warn!(path = wanted.path, %error, again, "a download broke off and is asked for again");
                crate::lake::own::back_off(again + 3).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn may_pass(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Truncated | ErrorKind::Timeout | ErrorKind::Connect)
}

/// A file on its way into the lake.
struct Receiving {
    download: Download,
    raw: RawFile,
    sample: Sample,
}

impl Wanted {
    /// What a file that was begun is known by, whatever its link is this time.
    fn identity(&self) -> String {
        if self.ambiguous {
            sha256_of(&self.file.url)
        } else {
            FileKey::of(self.section(), 0, &self.file).identity
        }
    }

    /// Asks for the file from its start, or for what is missing where this process or another has kept some of it.
    async fn begin(&self, client: &BulkClient, lake: &Lake, observer: &dyn Observer) -> Result<Receiving> {
        let (section, token) = (self.section(), self.requires_access_token);
        if let Some((kept, record)) = Kept::open(&lake.root, &self.path, &self.identity()).await? {
            let (known, mut sample) = (record.part.byte_count, Sample::new(&self.request));
            let mut point = ResumePoint::new(section, &self.file, Some(record.part.clone()));
            let each = |bytes: &[u8]| {
                point.update(bytes);
                sample.update(bytes);
            };
            if let Some(raw) = RawFile::go_on(kept, record, each).await? {
                match client.download_from(section, &self.file, token, point).await {
                    Ok(download) => {
                        tracing::info!(
                            path = self.path,
                            bytes = known,
                            "a download goes on where it broke off"
                        );
                        observer.advance(Step::Download, known);
                        return Ok(Receiving { download, raw, sample });
                    }
                    // It is another file now.
                    Err(error) if error.kind() == ErrorKind::Truncated => {
                        tracing::warn!(path = self.path, %error, "a file begins anew");
                        raw.abort().await;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let start = ResumePoint::new(section, &self.file, None);
        let download = client.download_from(section, &self.file, token, start).await?;
        let raw = RawFile::keep(&lake.root, &self.path, &self.identity()).await?;
        Ok(Receiving { download, raw, sample: Sample::new(&self.request) })
    }
}

/// Downloads one file. It gets its name only when it is known to be whole, and to hold what it should.
async fn fetch_once(
    client: &BulkClient,
    lake: &Lake,
    wanted: &Wanted,
    watch: &Watch<'_>,
) -> Result<InputFile> {
    let Receiving { mut download, mut raw, mut sample } = wanted.begin(client, lake, watch.observer).await?;
    let summary = loop {
        match download.chunk().await {
            Ok(Some(bytes)) => {
                raw.write(&bytes).await?;
                if raw.is_to_be_saved() {
                    raw.save(download.part_record()).await?;
                }
                sample.update(&bytes);
                watch.observer.advance(Step::Download, bytes.len() as u64);
            }
            Ok(None) => break download.verify(),
            Err(error) if error.kind() == ErrorKind::NotData => break Err(error),
            // What has come stays: whoever asks again goes on behind it.
            Err(error) => {
                raw.save(download.part_record()).await?;
                return Err(error.into());
            }
        }
    };
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => {
            // What is wrong may lie anywhere in it.
            raw.abort().await;
            return Err(error.into());
        }
    };
    let facts = raw.finish_if(|_| true).await?;
    watch.log.event(|log| log.download_complete(&wanted.file, &summary));
    let output = wanted.section == Section::Output;
    let file = InputFile {
        resource_type: wanted.file.type_.clone().filter(|_| output),
        name: wanted.name.clone(),
        url: shown_url(&wanted.file),
        url_sha256: Some(sha256_of(&wanted.file.url)),
        manifest_count: wanted.file.count,
        retries: summary.retries,
        since: wanted.request.since.clone(),
        parts: !wanted.request.elements.is_empty(),
        contradictions: if output { sample.finish() } else { Vec::new() },
        verified: true,
        ..InputFile::of(wanted.section, &wanted.path)
    };
    Ok(file.with(facts))
}

/// Tells the server that its jobs are no longer needed. The run is finished, whatever the server answers.
pub async fn delete(client: &BulkClient, run: &Run) -> Result<()> {
    for n in 0..run.plan.jobs.len() {
        if let Some(job) = run.noted::<KickedOff>(&format!("job-{n}.json")).await?
            && let Err(error) = client.delete_job(&job.status_url).await
        {
            tracing::info!(%error, "the server keeps its job");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str) -> OutputFile {
        serde_json::from_value(serde_json::json!({ "type": "Patient", "url": url })).unwrap()
    }

    fn wanted(url: &str, ambiguous: bool) -> Wanted {
        Wanted {
            section: Section::Output,
            file: file(url),
            requires_access_token: false,
            request: Arc::default(),
            path: "raw/x/Patient.0.ndjson".to_owned(),
            name: "Patient".to_owned(),
            ambiguous,
        }
    }

    fn record(url: &str) -> InputFile {
        InputFile {
            url: shown_url(&file(url)),
            url_sha256: Some(sha256_of(url)),
            ..InputFile::of(Section::Output, "raw/x/Patient.0.ndjson")
        }
    }

    #[test]
    fn a_record_is_of_the_file_whose_url_it_names_though_its_signature_is_another() {
        let (one, resigned) = ("https://h/files/1?signature=a", "https://h/files/1?signature=b");
        assert!(wanted(resigned, false).is(&record(one)));
        assert!(!wanted("https://h/files/2?signature=a", false).is(&record(one)));
    }

    #[test]
    fn files_whose_urls_differ_in_what_is_redacted_are_not_taken_for_each_other() {
        let (one, two) = ("https://h/files?id=1", "https://h/files?id=2");
        assert!(wanted(one, true).is(&record(one)));
        assert!(!wanted(two, true).is(&record(one)));
    }
}
