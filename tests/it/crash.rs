//! A run whose process is killed (SIGKILL) before or after any change of its store, and continued: the tables are those of
//! a run that nobody disturbed. And a store that is full, or goes away, and comes back.
//!
//! The changes are counted where all of them pass: in the object store below the lake's files and below the Delta logs.

use std::fmt;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::DeltaResult;
use deltalake::logstore::{ObjectStoreFactory, ObjectStoreRef, StorageConfig, object_store_factories};
use fhir_bulk_client::{BulkClient, Url};
use fhirlake::lake::identity::Identity;
use fhirlake::materialize::{MaterializeOptions, materialize};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, IngestOptions};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

use crate::fixture::{Bench, ask, contents, export, ingest, part};
use crate::materialize::{check_tables, some_views};

/// What happens at the change with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The process is killed before the change.
    KillBefore,
    /// The process is killed after it.
    KillAfter,
    /// It and all later changes fail: the disk is full.
    Full,
    /// It fails, and whatever else is asked of the store from then on.
    Gone,
    /// It is made, and answered with an error; all later ones are well.
    Lying,
}

const FAULTS: [(&str, Fault); 5] = [
    ("kill-before", Fault::KillBefore),
    ("kill-after", Fault::KillAfter),
    ("full", Fault::Full),
    ("gone", Fault::Gone),
    ("lying", Fault::Lying),
];

/// Counts the changes of a store, and does what was asked for at one of them.
#[derive(Debug, Clone)]
struct Faulty {
    store: Arc<dyn ObjectStore>,
    counter: Arc<Counter>,
}

#[derive(Debug)]
struct Counter {
    changes: AtomicU64,
    at: u64,
    fault: Fault,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.store)
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "no space left on device".into() }
}

/// Ends this process as a machine would that loses its power: nothing of it runs any more.
fn kill() -> ! {
    Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
    loop {
        std::thread::park();
    }
}

impl Counter {
    /// Around every change.
    async fn change<T>(&self, change: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            Fault::KillBefore if number == self.at => kill(),
            Fault::Full | Fault::Gone if number >= self.at => return Err(broken()),
            _ => {}
        }
        let done = change.await;
        match self.fault {
            Fault::KillAfter if number == self.at => kill(),
            Fault::Lying if number == self.at => Err(broken()),
            _ => done,
        }
    }

    fn read(&self) -> Result<()> {
        let gone = self.fault == Fault::Gone && self.changes.load(Ordering::SeqCst) >= self.at;
        if gone { Err(broken()) } else { Ok(()) }
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.counter.change(self.store.put_opts(to, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.counter.change(self.store.put_multipart_opts(to, options)).await?;
        Ok(Box::new(FaultyUpload { upload, counter: Arc::clone(&self.counter) }))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.counter.read()?;
        self.store.get_opts(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.counter.read()?;
        self.store.get_ranges(from, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (store, counter) = (Arc::clone(&self.store), Arc::clone(&self.counter));
        paths
            .then(move |path| {
                let (store, counter) = (Arc::clone(&store), Arc::clone(&counter));
                async move {
                    let path = path?;
                    let one = futures::stream::once(std::future::ready(Ok(path.clone()))).boxed();
                    let mut deleted = store.delete_stream(one);
                    let delete = async { deleted.next().await.unwrap_or(Ok(path)) };
                    counter.change(delete).await
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.counter.read() {
            Ok(()) => self.store.list(prefix),
            Err(error) => futures::stream::once(std::future::ready(Err(error))).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.counter.read()?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.counter.change(self.store.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.counter.change(self.store.rename_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn MultipartUpload>,
    counter: Arc<Counter>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.upload.put_part(data);
        let counter = Arc::clone(&self.counter);
        Box::pin(async move { counter.change(part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.counter.change(self.upload.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.counter.change(self.upload.abort()).await
    }
}

impl ObjectStoreFactory for Faulty {
    fn parse_url_opts(&self, url: &Url, _: &StorageConfig) -> DeltaResult<(ObjectStoreRef, Path)> {
        let path = Path::from_url_path(url.path()).unwrap();
        Ok((Arc::new(self.clone()), path))
    }
}

/// The process that has the fault: `FHIRLAKE_TEST_FAULT` is which one and where, `FHIRLAKE_TEST_JOB` what it runs. Says how
/// many changes it made.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the tests below start and kill"]
#[expect(clippy::print_stdout, reason = "it tells the process that started it")]
async fn the_process_with_the_fault() {
    let Ok(job) = std::env::var("FHIRLAKE_TEST_JOB") else { return };
    let fault = std::env::var("FHIRLAKE_TEST_FAULT").unwrap();
    let (name, at) = fault.split_once(':').unwrap();
    let fault = FAULTS.iter().find(|(known, _)| *known == name).unwrap().1;
    let counter = Arc::new(Counter { changes: AtomicU64::new(0), at: at.parse().unwrap(), fault });
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let faulty = Faulty { store, counter: Arc::clone(&counter) };
    object_store_factories().insert(Url::parse("file://").unwrap(), Arc::new(faulty));
    let (lake, from) = job.split_once('|').unwrap();
    let done = match from.parse::<Url>() {
        _ if from == MATERIALIZE => materialize(lake, &one_of_each_kind(), &Unwatched).await.map(drop),
        Ok(server) => {
            let pause = std::time::Duration::from_millis(10);
            let client = BulkClient::builder(server.clone()).min_interval(pause).max_poll_interval(pause);
            let (mut client, identity) = (client.build().unwrap(), Identity::of_server(server, None));
            pipeline::export(lake, &identity, &mut client, &part(), &Unwatched).await.map(drop)
        }
        Err(_) => {
            let (folder, snapshot) = from.split_once('#').map_or((from, false), |(folder, _)| (folder, true));
            let paths = vec![folder.into()];
            let options = IngestOptions { paths, snapshot, ..IngestOptions::default() };
            pipeline::ingest(lake, &Identity::of_files(None, None), &options, &Unwatched).await.map(drop)
        }
    };
    println!("changes={}", counter.changes.load(Ordering::SeqCst));
    if let Err(error) = done {
        println!("failed: {error}");
        std::process::exit(1);
    }
}

/// The job that materializes views.
const MATERIALIZE: &str = "materialize";

/// One view that is brought up to date by what changed, and one that is computed whole.
fn one_of_each_kind() -> MaterializeOptions {
    some_views(&["conditions", "problem_list"])
}

/// How a process with a fault ended.
struct Ended {
    /// Its exit code; none where it was killed.
    code: Option<i32>,
    said: String,
}

impl Ended {
    fn changes(&self) -> u64 {
        let (_, count) = self.said.split_once("changes=").unwrap();
        count.lines().next().unwrap().parse().unwrap()
    }
}

/// Runs a job with a fault in a process of its own. The server of this one stays.
async fn with_fault(lake: &str, from: &str, fault: &str, at: u64) -> Ended {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["crash::the_process_with_the_fault", "--exact", "--ignored", "--nocapture"])
        .env("FHIRLAKE_TEST_JOB", format!("{lake}|{from}"))
        .env("FHIRLAKE_TEST_FAULT", format!("{fault}:{at}"))
        .stderr(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ended { code: output.status.code(), said: String::from_utf8(output.stdout).unwrap() }
}

/// What runs leave but their names, times and number: the rows, what is deleted, which files came, and what became of the
/// lines in all runs together.
async fn left(lake: &str) -> String {
    let mut text = String::new();
    for (name, rows) in contents(lake).await {
        rows.iter().for_each(|(id, hash)| text += &format!("{name}/{id} {hash}\n"));
    }
    for sql in [
        "SELECT resource_type, id, cause FROM _deletions ORDER BY 1, 2",
        "SELECT DISTINCT section, resource_type, line_count, sha256 FROM _files ORDER BY 1, 2, 4",
        "SELECT count(*) = count(DISTINCT path) AS every_file_is_there_once FROM _files",
        "SELECT c['resource_type'] AS t, sum(c['inserted']), sum(c['updated']), sum(c['deleted']) \
         FROM (SELECT unnest(counts) AS c FROM _exports) GROUP BY 1 ORDER BY 1",
        "SELECT DISTINCT status FROM _exports",
    ] {
        for row in ask(lake, sql).await.unwrap() {
            text += &(row.join(" ") + "\n");
        }
    }
    text
}

/// Where two lakes differ first.
fn differ(left: &str, right: &str) -> Option<String> {
    let (mut ours, mut theirs) = (left.lines(), right.lines());
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (one, other) if one == other => {}
            (one, other) => return Some(format!("{one:?} instead of {other:?}")),
        }
    }
}

fn copy_folder(from: &str, to: &str) {
    assert!(Command::new("cp").args(["-r", from, to]).status().unwrap().success());
}

/// Numbers from 1 to `last`, about `count` of them, spread evenly.
fn spread(last: u64, count: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..count).map(|n| 1 + n * (last - 1) / (count - 1).max(1)).collect();
    numbers.dedup();
    numbers
}

/// A lake with the first load in it, and what the second one leaves there.
async fn loaded_once(bench: &Bench) -> (String, u64) {
    let before = bench.lake("before");
    ingest(&before, &[bench.part("small-v1")]).await.unwrap();
    let undisturbed = bench.lake("undisturbed");
    copy_folder(&before, &undisturbed);
    let changes = bench.part("small-v2");
    let done = with_fault(&undisturbed, changes.to_str().unwrap(), "full", u64::MAX).await;
    assert_eq!(done.code, Some(0), "{}", done.said);
    (before, done.changes())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_that_is_killed_at_any_change_of_its_store_continues_to_the_same_tables() {
    let bench = Bench::new();
    let (before, changes) = loaded_once(&bench).await;
    let expected = left(&bench.lake("undisturbed")).await;
    assert!(changes > 50, "{changes}: there is less to disturb than there should be");
    let files = bench.part("small-v2");
    for (n, at) in spread(changes, 36).into_iter().enumerate() {
        let fault = ["kill-before", "kill-after"][n % 2];
        let lake = bench.lake(&format!("killed-{at}"));
        copy_folder(&before, &lake);
        let killed = with_fault(&lake, files.to_str().unwrap(), fault, at).await;
        // What is concurrent takes turns: a run may end before it comes to the last changes.
        assert!(killed.code.is_none() || at + 8 > changes, "{fault} {at}: {:?} {}", killed.code, killed.said);
        ingest(&lake, std::slice::from_ref(&files)).await.unwrap();
        assert_eq!(differ(&left(&lake).await, &expected), None, "{fault} {at} of {changes}");
        std::fs::remove_dir_all(&lake).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_anywhere_ends_the_run_and_loses_nothing() {
    let bench = Bench::new();
    let (before, changes) = loaded_once(&bench).await;
    let expected = left(&bench.lake("undisturbed")).await;
    let files = bench.part("small-v2");
    for (n, at) in spread(changes, 18).into_iter().enumerate() {
        let fault = ["full", "gone", "lying"][n % 3];
        let lake = bench.lake(&format!("failed-{at}"));
        copy_folder(&before, &lake);
        let failed = with_fault(&lake, files.to_str().unwrap(), fault, at).await;
        let code = failed.code.unwrap();
        // A change that was made and answered with an error may be found to have been made.
        assert!(code == 1 || fault == "lying" || at + 8 > changes, "{fault} {at}: {code} {}", failed.said);
        ingest(&lake, std::slice::from_ref(&files)).await.unwrap();
        assert_eq!(differ(&left(&lake).await, &expected), None, "{fault} {at} of {changes}");
        std::fs::remove_dir_all(&lake).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_at_any_change_of_its_store_continues_to_the_same_tables() {
    let bench = Bench::new();
    let server = bench.server().await;
    let undisturbed = bench.lake("undisturbed");
    let done = with_fault(&undisturbed, server.base_url().as_str(), "full", u64::MAX).await;
    assert_eq!(done.code, Some(0), "{}", done.said);
    let changes = done.changes();
    let expected = left(&undisturbed).await;
    for (n, at) in spread(changes, 24).into_iter().enumerate() {
        let fault = ["kill-after", "kill-before"][n % 2];
        let lake = bench.lake(&format!("killed-{at}"));
        let before = server.kick_offs().len();
        let killed = with_fault(&lake, server.base_url().as_str(), fault, at).await;
        assert!(killed.code.is_none() || at + 8 > changes, "{fault} {at}: {:?} {}", killed.code, killed.said);
        export(&server, &lake, &part()).await.unwrap();
        assert_eq!(differ(&left(&lake).await, &expected), None, "{fault} {at} of {changes}");
        // A kick-off whose answer was not noted is made again; no other is.
        assert!(server.kick_offs().len() <= before + 2, "{fault} {at} of {changes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_killed_at_any_change_of_its_store_removes_the_same() {
    let bench = Bench::new();
    let before = bench.lake("before");
    ingest(&before, &[bench.part("small-v1")]).await.unwrap();
    let fewer = bench.part("small-v1");
    for name in ["Condition", "Encounter"] {
        let path = fewer.join(format!("{name}.ndjson"));
        let lines = std::fs::read_to_string(&path).unwrap();
        let kept: Vec<&str> =
            lines.lines().enumerate().filter(|(n, _)| n % 20 != 0).map(|(_, line)| line).collect();
        std::fs::write(&path, kept.join("\n")).unwrap();
    }
    let from = format!("{}#snapshot", fewer.to_str().unwrap());
    let undisturbed = bench.lake("undisturbed");
    copy_folder(&before, &undisturbed);
    let done = with_fault(&undisturbed, &from, "full", u64::MAX).await;
    assert_eq!(done.code, Some(0), "{}", done.said);
    let (changes, expected) = (done.changes(), left(&undisturbed).await);
    assert!(expected.contains(" absent\n"), "{expected}");
    for (n, at) in spread(changes, 12).into_iter().enumerate() {
        let fault = ["kill-before", "kill-after"][n % 2];
        let lake = bench.lake(&format!("killed-{at}"));
        copy_folder(&before, &lake);
        with_fault(&lake, &from, fault, at).await;
        let again = with_fault(&lake, &from, "full", u64::MAX).await;
        assert_eq!(again.code, Some(0), "{}", again.said);
        assert_eq!(differ(&left(&lake).await, &expected), None, "{fault} {at} of {changes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_whose_writing_is_killed_or_fails_anywhere_are_as_they_were_or_as_they_should_be() {
    let bench = Bench::new();
    let before = bench.lake("before");
    ingest(&before, &[bench.part("small-v1")]).await.unwrap();
    materialize(&before, &one_of_each_kind(), &Unwatched).await.unwrap();
    ingest(&before, &[bench.part("small-v2")]).await.unwrap();
    let undisturbed = bench.lake("undisturbed");
    copy_folder(&before, &undisturbed);
    let done = with_fault(&undisturbed, MATERIALIZE, "full", u64::MAX).await;
    assert_eq!(done.code, Some(0), "{}", done.said);
    let changes = done.changes();
    assert!(changes > 5, "{changes}: there is less to disturb than there should be");
    for at in 1..=changes {
        let (fault, _) = FAULTS[usize::try_from(at).unwrap() % FAULTS.len()];
        let lake = bench.lake(&format!("disturbed-{at}"));
        copy_folder(&before, &lake);
        with_fault(&lake, MATERIALIZE, fault, at).await;
        let again = with_fault(&lake, MATERIALIZE, "full", u64::MAX).await;
        assert_eq!(again.code, Some(0), "{fault} {at}: {}", again.said);
        check_tables(&lake, &one_of_each_kind()).await;
    }
}
