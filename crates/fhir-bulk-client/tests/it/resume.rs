//! An export into a folder that another one goes on with, whatever ended the first.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fhir_bulk_client::{BulkClient, ExportRequest, FolderOptions};
use fhir_bulk_server::{Fault, Rule, ServerOptions, Step};

use crate::real::{Real, options};

const RECORD: &str = "Observation.0.ndjson.part.json";

/// One file of about a megabyte, sent so slowly that whoever asks for it can be stopped.
async fn slow(faults: &[Fault]) -> Real {
    let settings = ServerOptions { rows_per_file: 100_000, ..options() };
    let real = Real::with_observations(settings, 5_000).await;
    real.server.add_fault(Rule::new(Fault::FileSlow).only("Observation"));
    faults.iter().for_each(|fault| real.server.add_fault(*fault));
    real
}

fn settings() -> FolderOptions {
    FolderOptions { checkpoint_bytes: 1, delete_job: false, ..Default::default() }
}

async fn export(client: &BulkClient, folder: &Path) {
    client.export_to(&ExportRequest::default(), folder, settings(), |_| ()).await.unwrap();
}

/// Until the file is there.
async fn appearance(path: PathBuf) {
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Begins an export in this process and drops it when something of the file has been received.
async fn begin_and_drop(real: &Real) {
    let client = real.client().build().unwrap();
    let folder = real.folder.path().to_owned();
    tokio::select! {
        () = export(&client, &folder) => panic!("it is too fast to be stopped"),
        () = appearance(real.path(RECORD)) => {}
    }
    at_rest(real).await;
}

/// Until what was being written when the export was dropped is written: the operating system is not stopped with it.
async fn at_rest(real: &Real) {
    let read = || {
        (std::fs::read(real.path(RECORD)).ok(), std::fs::read(real.path("Observation.0.ndjson.part")).ok())
    };
    let mut before = read();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = read();
        if std::mem::replace(&mut before, now.clone()) == now {
            break;
        }
    }
}

/// How many bytes the record speaks of.
fn recorded(real: &Real) -> u64 {
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(real.path(RECORD)).unwrap()).unwrap();
    record["part"]["byte_count"].as_u64().unwrap()
}

/// Goes on and returns the ranges that are asked for, each with the answer's status.
async fn go_on(real: &Real) -> Vec<(Option<String>, u16)> {
    real.server.remove_fault(Fault::FileSlow);
    real.server.forget_requests();
    export(&real.client().build().unwrap(), real.folder.path()).await;
    assert_eq!(real.lines("Observation").len(), 5_000);
    assert_eq!(real.lines("Patient").len(), 2);
    let bytes = |folder: &Path| std::fs::read(folder.join("Observation.0.ndjson")).unwrap();
    let asked = of_observations(real);
    let uninterrupted = tempfile::tempdir().unwrap();
    export(&real.client().build().unwrap(), uninterrupted.path()).await;
    assert!(bytes(real.folder.path()) == bytes(uninterrupted.path()), "other bytes");
    let left = std::fs::read_dir(real.folder.path()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.into_iter().any(|name| name.contains(".part")), "something is left over");
    asked
}

fn of_observations(real: &Real) -> Vec<(Option<String>, u16)> {
    let files = real.server.requests_of(Step::File);
    let observations = files.iter().filter(|seen| seen.uri.contains("Observation"));
    observations.map(|seen| (seen.header("range").map(str::to_owned), seen.status.as_u16())).collect()
}

#[tokio::test]
async fn an_export_that_was_dropped_goes_on_where_its_record_ends() {
    let real = slow(&[Fault::NoGzip]).await;
    begin_and_drop(&real).await;
    let from = recorded(&real);
    assert_eq!(go_on(&real).await, [(Some(format!("bytes={from}-")), 206)]);
}

#[tokio::test]
async fn without_parts_the_whole_file_is_compared_with_what_is_there() {
    for fault in [Fault::NoRange, Fault::NoGzip] {
        let real = slow(&[fault]).await;
        begin_and_drop(&real).await;
        // Compressed in the first case, and never to be had in parts in the second.
        real.server.add_fault(Fault::NoRange);
        let asked = go_on(&real).await;
        assert!(asked.iter().all(|(_, status)| *status == 200) && asked.len() == 1, "{asked:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_another_one_now_begins_anew() {
    let real = slow(&[Fault::NoGzip]).await;
    begin_and_drop(&real).await;
    let path = real.path(RECORD);
    // As if the first export had received another version.
    let record = std::fs::read_to_string(&path).unwrap().replace("\"etag\":\"\\\"", "\"etag\":\"\\\"other-");
    std::fs::write(&path, &record).unwrap();
    assert!(record.contains("other-"));
    let from = recorded(&real);
    assert_eq!(go_on(&real).await, [(Some(format!("bytes={from}-")), 200)], "the same bytes are compared");

    let real = slow(&[Fault::NoGzip]).await;
    begin_and_drop(&real).await;
    let (path, part) = (real.path(RECORD), real.path("Observation.0.ndjson.part"));
    let mut bytes = std::fs::read(&part).unwrap();
    bytes.truncate(usize::try_from(recorded(&real)).unwrap());
    let at = bytes.iter().position(|byte| *byte == b'7').unwrap();
    bytes[at] = b'8';
    let mut other = fhir_bulk_client::Tally::new();
    other.update(&bytes);
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["part"]["sha256"] = other.sha256().into();
    record["part"]["etag"] = "\"other\"".into();
    std::fs::write(&part, &bytes).unwrap();
    std::fs::write(&path, record.to_string()).unwrap();
    let asked = go_on(&real).await;
    assert_eq!(asked.len(), 2, "compared, and then begun anew: {asked:?}");
    assert_eq!(asked[1].0, None);
}

#[tokio::test]
async fn what_the_disk_has_lost_or_changed_is_received_again() {
    let damages: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes[100] ^= 1, |bytes| bytes.truncate(100), |bytes| bytes.fill(0)];
    for damage in damages {
        let real = slow(&[Fault::NoGzip]).await;
        begin_and_drop(&real).await;
        let part = real.path("Observation.0.ndjson.part");
        let mut bytes = std::fs::read(&part).unwrap();
        damage(&mut bytes);
        std::fs::write(&part, bytes).unwrap();
        assert_eq!(go_on(&real).await, [(None, 200)]);
    }
    // What follows the record's bytes is cut off, since nobody vouches for it.
    let real = slow(&[Fault::NoGzip]).await;
    begin_and_drop(&real).await;
    let part = real.path("Observation.0.ndjson.part");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes.truncate(usize::try_from(recorded(&real)).unwrap());
    bytes.extend_from_slice(&[0; 5_000]);
    std::fs::write(&part, bytes).unwrap();
    let from = recorded(&real);
    assert_eq!(go_on(&real).await, [(Some(format!("bytes={from}-")), 206)]);
}

#[tokio::test]
async fn a_file_whose_server_is_gone_for_long_goes_on_later() {
    let settings_of = ServerOptions { rows_per_file: 100_000, ..options() };
    let real = Real::with_observations(settings_of, 5_000).await;
    real.server.add_fault(Fault::NoGzip);
    real.server.add_fault(Rule::new(Fault::FileCut).only("Observation"));
    let client = real.client().retries(0).build().unwrap();
    let options = FolderOptions { restarts: 0, ..settings() };
    let outcome = client.export_to(&ExportRequest::default(), real.folder.path(), options, |_| ()).await;
    assert_eq!(outcome.unwrap_err().kind(), fhir_bulk_client::ErrorKind::Truncated);
    let from = recorded(&real);
    real.server.remove_fault(Fault::FileCut);
    assert_eq!(go_on(&real).await, [(Some(format!("bytes={from}-")), 206)]);
}

/// This program again, as another process that exports into the folder.
fn exporter(real: &Real) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resume::the_other_process", "--ignored"])
        .env("EXPORT_BASE", real.server.base_url().as_str())
        .env("EXPORT_FOLDER", real.folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "the process that another test kills"]
async fn the_other_process() {
    let (Ok(base), Ok(folder)) = (std::env::var("EXPORT_BASE"), std::env::var("EXPORT_FOLDER")) else {
        return;
    };
    export(&crate::server::client(base.parse().unwrap()).build().unwrap(), Path::new(&folder)).await;
}

async fn killed_when(real: &Real, ready: impl Future<Output = ()>) {
    let mut child = exporter(real);
    ready.await;
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "it had come to its end");
}

#[tokio::test]
async fn an_export_whose_process_was_killed_goes_on_in_another_one() {
    let real = slow(&[Fault::NoGzip]).await;
    killed_when(&real, appearance(real.path(RECORD))).await;
    let first = recorded(&real);
    // And once more, further on.
    let further = async {
        while recorded(&real) == first {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    killed_when(&real, further).await;
    let from = recorded(&real);
    assert!(from > first);
    assert_eq!(real.server.requests_of(Step::KickOff).len(), 1, "the job is the same");
    assert_eq!(go_on(&real).await, [(Some(format!("bytes={from}-")), 206)]);
}

#[tokio::test]
async fn a_note_that_a_crash_has_cut_within_a_character_is_passed_over() {
    let real = Real::start(options()).await;
    let client = real.client().build().unwrap();
    export(&client, real.folder.path()).await;
    let mut notes = std::fs::read(real.path("files.ndjson")).unwrap();
    notes.extend_from_slice(b"\n{\"key\":\"\xC3");
    std::fs::write(real.path("files.ndjson"), notes).unwrap();
    real.server.forget_requests();
    export(&client, real.folder.path()).await;
    assert!(real.server.requests_of(Step::File).is_empty());
}
