//! Faults of the status and its DELETE.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhir_bulk_server::{BulkServer, Fault, Rule, ServerOptions, Step};
use reqwest::Response;
use serde_json::Value;

use crate::client::{client, header, issue_code, kick_off, options, start, status_url};

async fn job(options: ServerOptions) -> (BulkServer, String) {
    let server = start(options).await;
    let status = status_url(&kick_off(&server, "$export?_type=Patient").await);
    (server, status)
}

async fn poll(url: &str) -> Response {
    client().get(url).send().await.unwrap()
}

#[tokio::test]
async fn a_poll_fails_on_demand_and_the_job_goes_on() {
    for (fault, status, code) in [
        (Fault::Poll429, 429, Some("throttled")),
        (Fault::Poll503, 503, Some("transient")),
        (Fault::PollTransient, 500, Some("transient")),
        (Fault::PollEmpty500, 500, None),
        (Fault::PollHtml502, 502, None),
        (Fault::PollFatal, 500, Some("processing")),
        (Fault::Poll401, 401, Some("login")),
    ] {
        let (server, url) = job(ServerOptions { poll_rounds: 1, ..options() }).await;
        server.add_fault(Rule::new(fault).after(1).times(2));
        assert_eq!(poll(&url).await.status(), 202);
        for _ in 0..2 {
            let failed = poll(&url).await;
            assert_eq!(failed.status(), status, "{fault}");
            assert_eq!(failed.headers().contains_key("retry-after"), [429, 503].contains(&status));
            assert_eq!(failed.headers().contains_key("www-authenticate"), status == 401);
            match code {
                Some(code) => assert_eq!(issue_code(failed).await, code),
                None => {
                    assert_eq!(failed.text().await.unwrap().contains("<html>"), fault == Fault::PollHtml502)
                }
            }
        }
        assert_eq!(poll(&url).await.status(), 200);
        assert_eq!(server.requests_of(Step::Status).len(), 4);
    }
}

#[tokio::test]
async fn a_poll_before_retry_after_is_refused_on_demand() {
    let (server, url) =
        job(ServerOptions { retry_after: 2, ..options() }.with_fault(Fault::PollTooSoon)).await;
    assert_eq!(poll(&url).await.status(), 202);
    assert_eq!(poll(&url).await.status(), 429);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(poll(&url).await.status(), 200);
    assert_eq!(server.requests_of(Step::Status).len(), 3);
}

#[tokio::test]
async fn the_status_has_no_expiry_or_an_early_one_on_demand() {
    let (_server, url) =
        job(ServerOptions { poll_rounds: 0, ..options() }.with_fault(Fault::NoExpires)).await;
    assert!(!poll(&url).await.headers().contains_key("expires"));
    let (_server, url) =
        job(ServerOptions { poll_rounds: 0, ..options() }.with_fault(Fault::ExpiresSoon)).await;
    let expires = httpdate::parse_http_date(header(&poll(&url).await, "expires")).unwrap();
    assert!(expires < SystemTime::now() + Duration::from_secs(6));
}

#[tokio::test]
async fn a_job_is_lost_on_demand() {
    let (server, url) = job(options()).await;
    assert_eq!(poll(&url).await.status(), 202);
    server.add_fault(Rule::new(Fault::JobLost).times(1));
    for _ in 0..2 {
        let lost = poll(&url).await;
        assert_eq!((lost.status().as_u16(), issue_code(lost).await.as_str()), (404, "not-found"));
    }
}

#[tokio::test]
async fn a_job_never_completes_on_demand() {
    let (server, url) = job(options().with_fault(Fault::NeverComplete)).await;
    for _ in 0..5 {
        assert_eq!(poll(&url).await.status(), 202);
    }
    server.remove_fault(Fault::NeverComplete);
    assert_eq!(poll(&url).await.status(), 200);
}

#[tokio::test]
async fn a_running_job_has_other_answers_on_demand() {
    let (_server, url) = job(options().with_fault(Fault::PollProgress200)).await;
    let running = poll(&url).await;
    assert_eq!(running.status(), 200);
    let running: Value = running.json().await.unwrap();
    assert_eq!((&running["status"], running.get("output")), (&Value::from("in-progress"), None));

    let (_server, url) = job(options().with_fault(Fault::PollParametersBody)).await;
    let running = poll(&url).await;
    assert_eq!(running.status(), 202);
    assert_eq!(running.json::<Value>().await.unwrap()["resourceType"], "Parameters");

    let (_server, url) = job(options().with_fault(Fault::UnaskedExportStatus)).await;
    let running = poll(&url).await;
    assert_eq!((running.status().as_u16(), header(&running, "x-export-status")), (200, "202 Accepted"));
}

#[tokio::test]
async fn retry_after_comes_in_every_form() {
    let wait = async |fault| {
        let (_server, url) = job(ServerOptions { retry_after: 30, ..options() }.with_fault(fault)).await;
        let response = poll(&url).await;
        response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned())
    };
    let ahead = |then: SystemTime| {
        let ahead = then.duration_since(SystemTime::now()).unwrap();
        assert!(ahead > Duration::from_secs(20) && ahead <= Duration::from_secs(30));
    };
    ahead(httpdate::parse_http_date(&wait(Fault::RetryAfterDate).await.unwrap()).unwrap());
    let millis = wait(Fault::RetryAfterMillis).await.unwrap().parse().unwrap();
    ahead(UNIX_EPOCH + Duration::from_millis(millis));
    assert_eq!(wait(Fault::RetryAfter120).await.as_deref(), Some("120"));
    assert_eq!(wait(Fault::RetryAfter5Hours).await.as_deref(), Some("18000"));
    assert_eq!(wait(Fault::NoRetryAfter).await, None);
}

#[tokio::test]
async fn a_job_is_not_deleted_on_demand() {
    for (fault, status) in [(Fault::Delete404, 404), (Fault::Delete403, 403), (Fault::Delete500, 500)] {
        let (server, url) = job(options().with_fault(fault)).await;
        let response = client().delete(&url).send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(server.requests_of(Step::Cancel).len(), 1);
        assert_eq!(poll(&url).await.status(), 202);
    }
}
