//! Whole exports from the embedded server as the servers that exist behave, and behind SMART Backend Services.

use std::time::Duration;

use fhir_bulk_client::{
    Algorithm, BackendServices, BulkClient, ClientSecret, Credentials, Dialect, Error, ErrorKind,
    ExportReport, ExportRequest, FolderOptions, KeySet, Level, Quirks, Secret, SigningKey,
};
use fhir_bulk_server::{BasicUser, Fault, Quirk, RegisteredClient, ServerOptions, Step};

use crate::real::{Real, options};

async fn export(real: &Real, client: &BulkClient, request: &ExportRequest) -> Result<ExportReport, Error> {
    client.export_to(request, real.folder.path(), FolderOptions::default(), |_| ()).await
}

fn types(names: &[&str]) -> ExportRequest {
    ExportRequest { types: names.iter().map(|name| (*name).to_owned()).collect(), ..Default::default() }
}

async fn like(quirk: Quirk) -> Real {
    Real::start(options().with_quirk(quirk)).await
}

#[tokio::test]
async fn hapi_gives_all_types_that_were_asked_for() {
    let real = like(Quirk::Hapi).await;
    let request = types(&["Patient", "Observation"]);
    let client = real.client().dialect(Dialect::Stu4).quirks(Quirks::HAPI).build().unwrap();
    let report = export(&real, &client, &request).await.unwrap();
    assert_eq!((report.resources["Patient"], report.resources["Observation"]), (2, 100));

    // Without the flag the second type is lost, and told.
    let real = like(Quirk::Hapi).await;
    let client = real.client().dialect(Dialect::Stu4).quirks(Quirks::NONE).build().unwrap();
    let report = export(&real, &client, &request).await.unwrap();
    assert_eq!(report.types_without_resources, ["Observation"]);
}

#[tokio::test]
async fn helios_takes_several_filters() {
    let request = ExportRequest {
        type_filters: vec!["Observation?status=final".into(), "Patient?_id=p0".into()],
        ..types(&["Patient", "Observation"])
    };
    let real = like(Quirk::Helios).await;
    let client = real.client().quirks(Quirks::HELIOS).build().unwrap();
    let report = export(&real, &client, &request).await.unwrap();
    assert_eq!((report.resources["Patient"], report.resources["Observation"]), (1, 100));

    let real = like(Quirk::Helios).await;
    let client = real.client().quirks(Quirks::NONE).build().unwrap();
    assert!(export(&real, &client, &request).await.is_err());
}

#[tokio::test]
async fn helios_is_not_asked_for_a_second_filter_of_a_type_which_it_would_not_apply() {
    let request = ExportRequest {
        type_filters: vec!["Patient?_id=p0".into(), "Patient?_id=p1".into()],
        ..types(&["Patient"])
    };
    let real = like(Quirk::Helios).await;
    let client = real.client().quirks(Quirks::HELIOS).build().unwrap();
    let error = export(&real, &client, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(real.server.requests_of(Step::KickOff).is_empty());

    // Without the flag the second patient is lost, and nothing that comes tells it.
    let client = real.client().dialect(Dialect::Stu3).quirks(Quirks::NONE).build().unwrap();
    let report = export(&real, &client, &request).await.unwrap();
    assert_eq!((report.resources["Patient"], report.contradictions.len()), (1, 0));
}

#[tokio::test]
async fn helios_ignores_patients_of_a_group_and_the_data_tell() {
    let real = like(Quirk::Helios).await;
    let client = real.client().quirks(Quirks::HELIOS).build().unwrap();
    let request = ExportRequest {
        level: Level::Group("half".into()),
        patients: vec!["p1".into()],
        ..types(&["Patient", "Observation"])
    };
    let report = export(&real, &client, &request).await.unwrap();
    assert!(report.warnings.iter().any(|warning| warning.contains("known to ignore patient")));
    assert!(report.contradictions.iter().any(|one| one.parameter == "patient" && one.is_ignored()));
}

#[tokio::test]
async fn epic_and_oracle_export_a_group_and_hold_one_job() {
    for (quirk, quirks) in [(Quirk::Epic, Quirks::EPIC), (Quirk::OracleHealth, Quirks::ORACLE_HEALTH)] {
        let real = like(quirk).await;
        let client = real.client().client_id("fhirlake").quirks(quirks).build().unwrap();
        let request =
            ExportRequest { level: Level::Group("half".into()), ..types(&["Patient", "Observation"]) };
        let first = client.kick_off(&request).await.unwrap();
        let error = client.kick_off(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{quirk}");
        client.wait(&first.status_url, |_| ()).await.unwrap();
        let error = client.kick_off(&request).await.unwrap_err();
        assert!(error.hint().unwrap().contains("delete it"), "{quirk}: {error}");
        client.delete_job(&first.status_url).await.unwrap();
        let report = export(&real, &client, &request).await.unwrap();
        assert_eq!(report.resources["Patient"], 1, "{quirk}");
        let files = real.server.requests_of(Step::File);
        let elsewhere: Vec<_> = files.iter().filter(|seen| seen.other_origin).collect();
        assert!(elsewhere.iter().all(|seen| seen.header("authorization").is_none()));
    }
}

#[tokio::test]
async fn the_others_are_exported_as_they_are() {
    for (quirk, quirks) in [
        (Quirk::Microsoft, Quirks::MICROSOFT),
        (Quirk::LinuxForHealth, Quirks::LINUX_FOR_HEALTH),
        (Quirk::Medplum, Quirks::MEDPLUM),
    ] {
        let real = like(quirk).await;
        let client = real.client().quirks(quirks).build().unwrap();
        let report = export(&real, &client, &types(&["Patient", "Observation"])).await;
        let report = report.unwrap_or_else(|error| panic!("{quirk}: {error}"));
        assert!(report.resources["Observation"] >= 100, "{quirk}");
    }
}

#[tokio::test]
async fn version_4_is_found_and_spoken() {
    let real = like(Quirk::Stu4).await;
    let mut client = real.client().build().unwrap();
    let check = client.check().await.unwrap();
    client.adopt(&check);
    // It names version 3 as well, whose GET it refuses: the other method is tried.
    assert_eq!(check.dialect, Dialect::Stu3);
    let report = export(&real, &client, &types(&["Patient", "Observation"])).await;
    assert!(report.is_ok(), "{report:?}");

    let real = like(Quirk::Stu4).await;
    let client = real.client().dialect(Dialect::Stu4).build().unwrap();
    let request = ExportRequest {
        type_filters: vec!["Observation?status=final".into(), "Patient?_id=p0,p1".into()],
        ..types(&["Patient", "Observation"])
    };
    let report = export(&real, &client, &request).await.unwrap();
    assert_eq!((report.resources["Patient"], report.resources["Observation"]), (2, 100));
    assert!(real.server.requests_of(Step::KickOff).iter().all(|seen| seen.method == "POST"));
}

#[tokio::test]
async fn the_specifications_filters_elements_and_patients_are_applied() {
    for dialect in [Dialect::Stu2, Dialect::Stu3] {
        let request = ExportRequest {
            level: Level::Patient,
            patients: vec!["p0".into()],
            elements: vec!["id".into(), "Observation.status".into()],
            ..types(&["Patient", "Observation"])
        };
        let real = Real::start(options()).await;
        let client = real.client().dialect(dialect).build().unwrap();
        let report = export(&real, &client, &request).await.unwrap();
        assert_eq!((report.resources["Patient"], report.resources["Observation"]), (1, 50), "{dialect}");
        assert!(real.lines("Observation")[0].contains("SUBSETTED"), "{dialect}");
    }
}

#[tokio::test]
async fn pages_that_come_early_and_late_are_all_there() {
    let settings = ServerOptions { files_per_page: 1, poll_rounds: 3, ..options() };
    let real = Real::start(settings).await;
    let client = real.client().dialect(Dialect::Stu3).build().unwrap();
    let request = ExportRequest { partial_manifests: true, ..types(&["Patient", "Observation"]) };
    let report = export(&real, &client, &request).await.unwrap();
    assert_eq!(report.resources["Observation"], 100);
    assert!(real.path("manifest.1.json").exists());
}

#[tokio::test]
async fn one_job_at_a_time_is_waited_for() {
    let settings = ServerOptions { max_running_jobs: 1, poll_rounds: 2, ..options() };
    let real = Real::start(settings).await;
    let (first, second) = (real.client().build().unwrap(), real.client().build().unwrap());
    let job = first.kick_off(&types(&["Patient"])).await.unwrap();
    // Of our own: told at once. Of another process: waited for.
    assert_eq!(first.kick_off(&types(&["Observation"])).await.unwrap_err().kind(), ErrorKind::Busy);
    let request = types(&["Observation"]);
    let (waited, begun) = tokio::join!(first.wait(&job.status_url, |_| ()), second.kick_off(&request));
    assert!(waited.is_ok() && begun.is_ok());
}

fn keys(algorithm: Algorithm) -> KeySet {
    KeySet::new(vec![SigningKey::generate(algorithm).unwrap()]).unwrap()
}

fn backend(keys: KeySet) -> Credentials {
    Credentials::BackendServices(BackendServices {
        client_id: "fhirlake".into(),
        keys,
        scopes: None,
        token_url: None,
        key_set_url: None,
    })
}

#[tokio::test]
async fn backend_services_with_both_algorithms_and_tokens_that_live_a_second() {
    for algorithm in [Algorithm::Rs384, Algorithm::Es384] {
        let keys = keys(algorithm);
        let settings = ServerOptions {
            clients: vec![RegisteredClient::with_keys("fhirlake", keys.public_jwks())],
            poll_rounds: 3,
            ..options()
        };
        let real = Real::start(settings.with_fault(Fault::TokenShort)).await;
        let pause = Duration::from_millis(500);
        let client = real.client().min_interval(pause).max_poll_interval(pause);
        let client = client.credentials(backend(keys)).build().unwrap();
        let report = export(&real, &client, &ExportRequest::default()).await.unwrap();
        assert_eq!(report.resources["Observation"], 100);
        assert!(real.server.requests_of(Step::Token).len() > 1, "renewed on the way");
        let refused = real.server.requests().iter().filter(|seen| seen.status == 401).count();
        assert_eq!(refused, 0, "renewed in time");
    }
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_renewed_at_every_step() {
    for fault in [Fault::Poll401, Fault::File401] {
        let keys = keys(Algorithm::Es384);
        let settings = ServerOptions {
            clients: vec![RegisteredClient::with_keys("fhirlake", keys.public_jwks())],
            ..options()
        };
        let rule = fhir_bulk_server::Rule::new(fault).times(1);
        let real = Real::start(settings.with_fault(rule)).await;
        let client = real.client().credentials(backend(keys)).build().unwrap();
        let report = export(&real, &client, &ExportRequest::default()).await;
        assert!(report.is_ok(), "{fault}: {report:?}");
        assert_eq!(real.server.requests_of(Step::Token).len(), 2, "{fault}");
    }
}

#[tokio::test]
async fn scopes_that_a_server_spells_otherwise_or_narrows() {
    for fault in
        [Fault::RefuseScopeRs, Fault::SmartWithoutScopes, Fault::TokenWithoutExpiry, Fault::TokenExpiryString]
    {
        let keys = keys(Algorithm::Es384);
        let settings = ServerOptions {
            clients: vec![RegisteredClient::with_keys("fhirlake", keys.public_jwks())],
            ..options()
        };
        let real = Real::start(settings.with_fault(fault)).await;
        let client = real.client().credentials(backend(keys)).build().unwrap();
        let report = export(&real, &client, &types(&["Patient"])).await;
        assert!(report.is_ok(), "{fault}: {report:?}");
    }
    let keys = keys(Algorithm::Es384);
    let settings = ServerOptions {
        clients: vec![RegisteredClient::with_keys("fhirlake", keys.public_jwks())],
        ..options()
    };
    let real = Real::start(settings.with_fault(Fault::TokenNarrow)).await;
    let client = real.client().credentials(backend(keys)).build().unwrap();
    let grant = client.grant().await.unwrap().unwrap();
    assert_eq!(grant.scopes().readable_types(), Some(vec!["Patient".to_owned()]));
    assert!(!grant.missing().is_empty());
    let all = client.kick_off(&ExportRequest::default()).await.unwrap();
    assert!(
        all.warnings.iter().any(|warning| warning.contains("the token is for Patient alone")),
        "{:?}",
        all.warnings
    );
    assert!(all.warnings.iter().any(|warning| warning.contains("granted less than was asked")));
}

#[tokio::test]
async fn a_client_that_the_server_does_not_know_is_told_so() {
    let settings = ServerOptions {
        clients: vec![RegisteredClient::with_keys("fhirlake", keys(Algorithm::Es384).public_jwks())],
        ..options()
    };
    let real = Real::start(settings).await;
    let client = real.client().credentials(backend(keys(Algorithm::Es384))).build().unwrap();
    let error = client.kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRefused);
    assert!(real.server.requests_of(Step::KickOff).is_empty());
}

#[tokio::test]
async fn secret_basic_and_bearer_are_taken_too() {
    let settings = ServerOptions {
        clients: vec![RegisteredClient::with_secret("fhirlake", "s3cr3t")],
        basic: Some(BasicUser { user: "u".into(), password: "p".into() }),
        bearer_token: Some("t".into()),
        ..options()
    };
    let secret = ClientSecret {
        client_id: "fhirlake".into(),
        secret: Secret::new("s3cr3t"),
        scopes: None,
        token_url: None,
    };
    for credentials in [
        Credentials::ClientSecret(secret),
        Credentials::Basic { user: "u".into(), password: Secret::new("p") },
        Credentials::Bearer(Secret::new("t")),
    ] {
        let real = Real::start(settings.clone()).await;
        let client = real.client().credentials(credentials).build().unwrap();
        export(&real, &client, &ExportRequest::default()).await.unwrap();
        assert_eq!(real.lines("Observation").len(), 100);
    }
    let real = Real::start(settings).await;
    let client = real.client().build().unwrap();
    assert_eq!(client.kick_off(&ExportRequest::default()).await.unwrap_err().kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn groups_are_listed_and_resolved() {
    let real = Real::start(options()).await;
    let client = real.client().build().unwrap();
    let group = client.group("half").await.unwrap();
    assert_eq!(group.patients().count(), 1);
    assert_eq!(client.resolve_group("half").await.unwrap().id, "half");
    assert!(client.group("nobody").await.is_err());
}

#[tokio::test]
async fn ten_thousand_small_files_take_one_request_each() {
    use fhir_bulk_server::Step;
    let settings = ServerOptions { rows_per_file: 1, ..options() };
    let real = Real::with_observations(settings, 10_000).await;
    let client = real.client().build().unwrap();
    let options = FolderOptions { parallel: 16, delete_job: false, ..Default::default() };
    let request = ExportRequest::default();
    let report = client.export_to(&request, real.folder.path(), options, |_| ()).await.unwrap();
    assert_eq!((report.files.len(), report.resources["Observation"], report.retries()), (10_002, 10_000, 0));
    let asked = |step| real.server.requests_of(step).len();
    assert_eq!((asked(Step::KickOff), asked(Step::File)), (1, 10_002));
    // Another process looks at what is there, and asks for nothing of it.
    real.server.forget_requests();
    let report = client.export_to(&request, real.folder.path(), options, |_| ()).await.unwrap();
    assert_eq!((report.files.len(), asked(Step::File)), (10_002, 0));
}

#[tokio::test]
async fn parameters_that_a_server_ignores_are_found_in_the_data() {
    let own = |text: &str| vec![text.to_owned()];
    let base = || ExportRequest { level: Level::Patient, ..Default::default() };
    let cases = [
        (Fault::IgnoreType, "_type", ExportRequest { types: own("Patient"), ..base() }),
        (
            Fault::IgnoreSince,
            "_since",
            ExportRequest { since: Some("2026-01-01T12:00:00Z".into()), ..base() },
        ),
        (
            Fault::IgnoreUntil,
            "_until",
            ExportRequest { until: Some("2026-01-01T12:00:00Z".into()), ..base() },
        ),
        (Fault::IgnoreElements, "_elements", ExportRequest { elements: own("id"), ..base() }),
        (Fault::IgnorePatient, "patient", ExportRequest { patients: own("p0"), ..base() }),
        (
            Fault::IgnoreTypeFilter,
            "_typeFilter",
            ExportRequest { type_filters: own("Observation?status=amended"), ..base() },
        ),
    ];
    for (fault, parameter, request) in cases {
        for ignored in [true, false] {
            let settings = if ignored { options().with_fault(fault) } else { options() };
            let real = Real::start(settings).await;
            let client = real.client().dialect(Dialect::Stu3).build().unwrap();
            let report = export(&real, &client, &request).await.unwrap();
            let found: Vec<_> = report.contradictions.iter().map(|one| one.parameter.as_str()).collect();
            assert_eq!(found.contains(&parameter), ignored, "{fault}: {found:?}");
        }
    }
}
