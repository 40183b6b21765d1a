//! A run that is stopped anywhere and started again ends as one that was never stopped.

use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};
use fhirlake::lake::identity::Identity;
use fhirlake::pipeline::{self, IngestOptions, Observer, Settings, Step};
use tokio::sync::Notify;

use crate::fixture::{Bench, ask, client, contents, export, ingest, one, part, system};

/// Stops a run when a step has got on so many times.
struct StopAt {
    step: Step,
    left: AtomicI64,
    reached: Notify,
}

impl StopAt {
    fn new(step: Step, times: i64) -> Self {
        Self { step, left: AtomicI64::new(times), reached: Notify::new() }
    }

    fn count(&self, step: Step) {
        if step == self.step && self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.reached.notify_one();
        }
    }
}

impl Observer for StopAt {
    fn begin(&self, step: Step, _: Option<u64>) {
        self.count(step);
    }
    fn advance(&self, step: Step, _: u64) {
        self.count(step);
    }
    fn message(&self, _: Step, _: &str) {}
    fn end(&self, _: Step) {}
    fn note(&self, _: &str) {}
}

/// The places where a run is stopped: a step, and how often it has got on by then.
const STOPS: [(Step, i64); 8] = [
    (Step::Export, 0),
    (Step::Download, 0),
    (Step::Download, 4),
    (Step::Stage, 3),
    (Step::Load, 0),
    (Step::Load, 1),
    (Step::Load, 3),
    (Step::Load, 6),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_stopped_anywhere_continues_to_the_same_tables() {
    let bench = Bench::new();
    let server = bench.server().await;
    let undisturbed = bench.lake("undisturbed");
    export(&server, &undisturbed, &part()).await.unwrap();
    let expected = contents(&undisturbed).await;
    for (n, (step, times)) in STOPS.into_iter().enumerate() {
        let lake = bench.lake(&format!("stopped-{n}"));
        let stop = StopAt::new(step, times);
        let identity = Identity::of_server(server.base_url(), None);
        let (mut client, options) = (client(&server), part());
        let before = server.kick_offs().len();
        tokio::select! {
            biased;
            () = stop.reached.notified() => {}
            ended = pipeline::export(&lake, &identity, &mut client, &options, &stop) => {
                panic!("{step:?} {times}: the run was not stopped: {:?}", ended.map(|_| ()));
            }
        }
        let report = export(&server, &lake, &part()).await.unwrap();
        assert!(report.resumed, "{step:?} {times}");
        assert_eq!(report.run.counts.iter().map(|c| c.inserted).sum::<i64>(), 687, "{step:?} {times}");
        assert_eq!(contents(&lake).await, expected, "{step:?} {times}");
        assert_eq!(server.kick_offs().len(), before + 1, "{step:?} {times}: one kick-off is enough");
        assert_eq!(one(&lake, "SELECT count(*) FROM _exports").await, "1");
        assert_eq!(one(&lake, "SELECT count(*) = count(DISTINCT path) FROM _files").await, "true");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_of_changes_that_is_stopped_anywhere_continues_to_the_same_tables() {
    let bench = Bench::new();
    let undisturbed = bench.lake("undisturbed");
    for name in ["small-v1", "small-v2"] {
        ingest(&undisturbed, &[bench.part(name)]).await.unwrap();
    }
    let expected = contents(&undisturbed).await;
    for (n, (step, times)) in
        [(Step::Copy, 3), (Step::Stage, 3), (Step::Load, 1), (Step::Load, 5)].into_iter().enumerate()
    {
        let lake = bench.lake(&format!("stopped-{n}"));
        ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
        let stop = StopAt::new(step, times);
        let identity = Identity::of_files(None, None);
        let options = IngestOptions {
            paths: vec![bench.part("small-v2")],
            reference: false,
            snapshot: false,
            settings: Settings::default(),
        };
        tokio::select! {
            biased;
            () = stop.reached.notified() => {}
            ended = pipeline::ingest(&lake, &identity, &options, &stop) => {
                panic!("{step:?} {times}: the run was not stopped: {:?}", ended.map(|_| ()));
            }
        }
        ingest(&lake, &[bench.part("small-v2")]).await.unwrap();
        assert_eq!(contents(&lake).await, expected, "{step:?} {times}");
        assert_eq!(one(&lake, "SELECT count(*) FROM _deletions").await, "117", "{step:?} {times}");
        let counted = "SELECT sum(c['inserted'] + c['updated'] + c['deleted']) FROM (SELECT unnest(counts) AS c FROM _exports WHERE seq > 1)";
        assert_eq!(one(&lake, counted).await, "58", "{step:?} {times}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_after_the_kick_off_continues_with_the_same_job() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let dataset = Dataset::open(&bench.path("small-v1")).unwrap();
    let options = ServerOptions { poll_rounds: 3, ..ServerOptions::default() };
    let server = BulkServer::start(dataset, options).await.unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_fhirlake"))
        .args(["export", "--server", server.base_url().as_str(), "--lake", &lake])
        .spawn()
        .unwrap();
    let job = bench.path("lake/_runs/system/1/job-0.json");
    while !job.exists() {
        assert!(process.try_wait().unwrap().is_none(), "the export ended before it was killed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let report = export(&server, &lake, &system()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(server.kick_offs().len(), 1);
    assert_eq!(ask(&lake, "SELECT count(*) FROM Observation").await.unwrap(), [["2287"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_server_has_forgotten_is_started_anew() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let server = bench.server().await;
    let stop = StopAt::new(Step::Export, 0);
    let identity = Identity::of_server(server.base_url(), None);
    let (mut client, options) = (client(&server), system());
    tokio::select! {
        biased;
        () = stop.reached.notified() => {}
        _ = pipeline::export(&lake, &identity, &mut client, &options, &stop) => panic!("the run was not stopped"),
    }
    let job = std::fs::read(bench.path("lake/_runs/system/1/job-0.json")).unwrap();
    let job: serde_json::Value = serde_json::from_slice(&job).unwrap();
    client.delete_job(&job["status_url"].as_str().unwrap().parse().unwrap()).await.unwrap();
    let report = export(&server, &lake, &system()).await.unwrap();
    assert!(!report.resumed);
    assert_eq!((report.run.seq, server.kick_offs().len()), (2, 2));
}
