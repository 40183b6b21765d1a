use std::time::Duration;

use fhir_bulk_client::{Builder, ErrorKind, ManifestPages, Progress};

use crate::server::{Reply, Server, stable};

const MANIFEST: &str =
    r#"{"transactionTime":"2026-11-23T17:12:54Z","requiresAccessToken":false,"output":[]}"#;

fn done() -> Reply {
    Reply::status(200).json(MANIFEST)
}

/// The futures can be spawned on a runtime of several threads.
#[allow(dead_code, reason = "compiling is the test")]
fn futures_are_send(client: &fhir_bulk_client::BulkClient, url: &fhir_bulk_client::Url) {
    fn is_send(_: impl Send) {}
    is_send(client.wait(url, |_| ()));
    is_send(async { client.download(&Default::default(), true).await?.chunk().await });
    is_send(client.kick_off(&Default::default()));
}

async fn wait(server: &Server) -> Result<ManifestPages, fhir_bulk_client::Error> {
    server.client().build().unwrap().wait(&server.url("/poll?job=1"), |_| ()).await
}

/// What the client announces before its first pause, without waiting for it.
async fn first_progress(builder: Builder, server: &Server) -> Progress {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let client = builder.build().unwrap();
    let url = server.url("/poll");
    let waiting = client.wait(&url, |progress| sender.send(progress.clone()).unwrap());
    tokio::select! {
        result = waiting => panic!("the client did not wait: {result:?}"),
        progress = receiver.recv() => progress.unwrap(),
    }
}

fn unhurried(server: &Server) -> Builder {
    server.client().min_interval(Duration::from_secs(1)).max_poll_interval(Duration::from_secs(60))
}

#[tokio::test]
async fn the_status_is_asked_until_the_manifest_is_there() {
    let server = Server::start().await;
    let running = Reply::status(202).header("x-progress", "\"Build in progress - Status set to QUEUED\"");
    server.on(
        "GET /poll",
        [running.clone(), running, done().header("expires", "Mon, 23 Nov 2026 19:12:54 GMT")],
    );
    let mut progress = Vec::new();
    let client = server.client().build().unwrap();
    let manifest =
        client.wait(&server.url("/poll?job=1"), |state| progress.push(state.clone())).await.unwrap();
    assert_eq!(manifest.transaction_time(), Some("2026-11-23T17:12:54Z"));
    assert_eq!(manifest.pages[0].raw, MANIFEST);
    assert_eq!(manifest.pages[0].expires.as_deref(), Some("Mon, 23 Nov 2026 19:12:54 GMT"));
    assert_eq!(progress.len(), 2);
    assert_eq!(progress[0].progress.as_deref(), Some("Build in progress - Status set to QUEUED"));
    assert_eq!(server.seen().len(), 3);
    assert_eq!(server.seen()[0].header("accept"), Some("application/json"));
    assert_eq!(server.seen()[0].path_and_query, "/poll?job=1");
}

#[tokio::test]
async fn when_the_files_go_is_told_by_the_servers_clock() {
    let at = |expires: &'static str| {
        done().header("date", "Sun, 06 Nov 1994 08:49:37 GMT").header("expires", expires)
    };
    for (expires, left) in [
        ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("0", None),
        ("2026-11-23T17:12:54Z", None),
    ] {
        let server = Server::start().await;
        server.on("GET /poll", [at(expires)]);
        let manifest = wait(&server).await.unwrap();
        assert_eq!(manifest.pages[0].expires_in, left.map(Duration::from_secs), "{expires}");
        assert_eq!(manifest.first_to_expire().is_some(), left.is_some());
    }
}

#[tokio::test]
async fn a_status_that_leads_to_its_result_is_followed() {
    for status in [303, 307] {
        let server = Server::start().await;
        server
            .on("GET /poll", [Reply::status(202), Reply::status(status).header("location", "/result?job=1")]);
        server.on("GET /result", [done()]);
        let manifest = wait(&server).await.unwrap();
        assert_eq!(manifest.pages[0].url, server.url("/result?job=1"));
        let asked: Vec<_> =
            server.seen().into_iter().map(|seen| (seen.method, seen.path_and_query)).collect();
        let polls =
            ["/poll?job=1", "/poll?job=1", "/result?job=1"].map(|path| ("GET".to_owned(), path.to_owned()));
        assert_eq!(asked, polls);
    }
}

#[tokio::test]
async fn retry_after_in_seconds_is_honoured() {
    let server = Server::start().await;
    server.on("GET /poll", [Reply::status(202).header("retry-after", "17")]);
    assert_eq!(first_progress(unhurried(&server), &server).await.next_poll, Duration::from_secs(17));
}

#[tokio::test]
async fn retry_after_as_a_date_is_honoured_by_the_servers_clock() {
    let server = Server::start().await;
    let reply = Reply::status(202)
        .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT");
    server.on("GET /poll", [reply]);
    assert_eq!(first_progress(unhurried(&server), &server).await.next_poll, Duration::from_secs(30));
}

#[tokio::test]
async fn a_long_retry_after_is_cut_to_the_longest_interval() {
    let server = Server::start().await;
    server.on("GET /poll", [Reply::status(202).header("retry-after", "18000")]);
    assert_eq!(first_progress(unhurried(&server), &server).await.next_poll, Duration::from_secs(60));
}

#[tokio::test]
async fn without_retry_after_the_interval_grows() {
    let server = Server::start().await;
    let running = Reply::status(202);
    server.on("GET /poll", [running.clone(), running.clone(), running.clone(), running, done()]);
    let mut pauses = Vec::new();
    let client = server.client().max_poll_interval(Duration::from_millis(8)).build().unwrap();
    client.wait(&server.url("/poll"), |state| pauses.push(state.next_poll.as_millis())).await.unwrap();
    // Each step has up to as much again of jitter.
    assert!((2..=4).contains(&pauses[0]) && (4..=8).contains(&pauses[3]), "{pauses:?}");
}

#[tokio::test]
async fn too_many_polls_keep_the_job_however_often_they_are_refused() {
    let server = Server::start().await;
    let mut replies = vec![Reply::status(429).header("retry-after", "2"); 7];
    replies.push(done());
    server.on("GET /poll", replies);
    assert!(wait(&server).await.is_ok());
    assert_eq!(server.seen().len(), 8, "more refusals than the client has retries");
}

#[tokio::test]
async fn a_failure_that_passes_is_borne() {
    let server = Server::start().await;
    let transient = || Reply::status(500).outcome("transient", "try again");
    let replies =
        [Reply::status(500), transient(), Reply::status(202), Reply::status(503), transient(), done()];
    server.on("GET /poll", replies);
    assert!(wait(&server).await.is_ok(), "two failures in a row are within two retries, twice");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_manifest_that_is_cut_off_is_asked_for_again() {
    let server = Server::start().await;
    let half = Reply::status(200).json(&MANIFEST[..40]);
    server.on("GET /poll", [half.clone().cut(40), half.cut_chunked(), done()]);
    assert_eq!(wait(&server).await.unwrap().pages[0].raw, MANIFEST);
}

#[tokio::test]
async fn a_success_that_is_neither_running_nor_finished_is_an_error() {
    let server = Server::start().await;
    server.on("GET /poll", [Reply::status(204)]);
    assert_eq!(wait(&server).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_failure_that_stays_is_told_and_the_job_can_be_waited_for_again() {
    let server = Server::start().await;
    server.on("GET /poll", [Reply::status(503)]);
    let error = wait(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 3));
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn an_export_that_failed_is_told_with_the_servers_words() {
    let server = Server::start().await;
    server.on("GET /poll", [Reply::status(500).outcome("processing", "Invalid _typeFilter")]);
    let error = wait(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::JobFailed);
    assert_eq!(server.seen().len(), 1);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_job_that_is_gone_is_told() {
    for status in [404, 410] {
        let server = Server::start().await;
        server.on("GET /poll", [Reply::status(status).outcome("not-found", "Job 1 was cancelled")]);
        let error = wait(&server).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::JobGone, Some(status)));
        insta::allow_duplicates! { insta::assert_snapshot!(stable(error).replace("410", "404")) };
    }
}

#[tokio::test]
async fn the_longest_wait_ends_the_waiting_and_not_the_job() {
    let server = Server::start().await;
    server.on("GET /poll", [Reply::status(202)]);
    let client = server.client().max_wait(Some(Duration::from_millis(20))).build().unwrap();
    let error = client.wait(&server.url("/poll"), |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillRunning);
    assert!(server.seen().len() > 1);
}

#[tokio::test]
async fn the_pages_of_a_manifest_are_followed_each_with_its_own_waiting() {
    let server = Server::start().await;
    let page = |number: u32, link: &str| {
        Reply::status(200).json(format!(
            r#"{{"transactionTime":"2026-11-23T17:12:54Z","requiresAccessToken":true,
                "output":[{{"type":"Patient","url":"files/{number}"}}],"error":[],
                "link":[{{"relation":"next","url":"{link}"}}]}}"#
        ))
    };
    let second = server.url("/fhir/page2?job=1");
    server
        .on("GET /fhir/page1", [page(1, second.as_str())])
        .on("GET /fhir/page2", [Reply::status(202), page(2, "page3")])
        .on("GET /fhir/page3", [Reply::status(500), done()]);
    let client = server.client().build().unwrap();
    let manifest = client.wait(&server.url("/fhir/page1"), |_| ()).await.unwrap();
    let urls: Vec<_> = manifest.output().map(|(file, token)| (file.url.clone(), token)).collect();
    let expected = |path: &str| (server.url(path).to_string(), true);
    assert_eq!(urls, [expected("/fhir/files/1"), expected("/fhir/files/2")]);
    assert_eq!(manifest.pages.len(), 3);
    assert_eq!(manifest.pages[1].url, second);
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_are_an_error() {
    let server = Server::start().await;
    let manifest =
        r#"{"transactionTime":"2026-11-23T17:12:54Z","link":[{"relation":"next","url":"/poll?job=1"}]}"#;
    server.on("GET /poll", [Reply::status(200).json(manifest)]);
    assert_eq!(wait(&server).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn pages_with_different_transaction_times_are_an_error() {
    let server = Server::start().await;
    let first = r#"{"transactionTime":"2026-11-23T17:12:53Z","link":[{"relation":"next","url":"/second"}]}"#;
    server.on("GET /poll", [Reply::status(200).json(first)]).on("GET /second", [done()]);
    assert_eq!(wait(&server).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_page_that_is_no_manifest_is_told() {
    let server = Server::start().await;
    server.on(
        "GET /poll",
        [Reply::status(200).header("content-type", "text/html").body("<html>log in</html>")],
    );
    let error = wait(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn deleting_a_job_that_is_gone_is_no_error() {
    let server = Server::start().await;
    server
        .on("DELETE /poll", [Reply::status(202), Reply::status(404), Reply::status(500), Reply::status(204)]);
    let client = server.client().build().unwrap();
    for _ in 0..3 {
        client.delete_job(&server.url("/poll?job=1")).await.unwrap();
    }
    assert!(server.seen().iter().all(|seen| seen.method == "DELETE" && seen.path_and_query == "/poll?job=1"));
    assert_eq!(server.seen().len(), 4, "the failure was asked again");
}

#[tokio::test]
async fn deleting_a_job_without_the_right_to_is_an_error() {
    let server = Server::start().await;
    let reply = Reply::status(403).outcome("forbidden", "insufficient scope for delete on export-status");
    server.on("DELETE /poll", [reply]);
    let error = server.client().build().unwrap().delete_job(&server.url("/poll")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    insta::assert_snapshot!(stable(error));
}
