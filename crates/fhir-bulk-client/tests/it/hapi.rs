//! A running HAPI FHIR server: `HAPI_BASE=http://127.0.0.1:8090/fhir cargo test -p fhir-bulk-client -- --ignored hapi`.
//!
//! It has to hold patients with encounters and conditions, and a Group `half` of some of the patients.

use std::time::Duration;

use fhir_bulk_client::{
    BulkClient, Dialect, Error, ErrorKind, ExportReport, ExportRequest, FolderOptions, KickOffMethod, Level,
    Quirks,
};

async fn client() -> BulkClient {
    let base = std::env::var("HAPI_BASE").unwrap().parse().unwrap();
    let second = Duration::from_secs(1);
    let mut client = BulkClient::builder(base).max_poll_interval(second).build().unwrap();
    let check = client.check().await.unwrap();
    assert_eq!(check.server, Some("hapi"));
    client.adopt(&check);
    client
}

fn request(level: Level, types: &[&str]) -> ExportRequest {
    ExportRequest {
        level,
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    }
}

async fn export(client: &BulkClient, request: &ExportRequest) -> Result<ExportReport, Error> {
    let folder = tempfile::tempdir().unwrap();
    client.export_to(request, folder.path(), FolderOptions::default(), |_| ()).await
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_exports_every_level_and_all_types_that_were_asked_for() {
    let client = client().await;
    for level in [Level::System, Level::Patient, Level::Group("half".into())] {
        let report = export(&client, &request(level.clone(), &["Patient", "Condition"])).await.unwrap();
        assert!(report.resources["Patient"] > 0 && report.resources["Condition"] > 0, "{level:?}");
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    }
    let all = export(&client, &request(Level::System, &["Patient"])).await.unwrap();
    let half = client.group("half").await.unwrap();
    let of_half = export(&client, &request(Level::Group("half".into()), &["Patient"])).await.unwrap();
    assert_eq!(of_half.resources["Patient"], half.patients().count() as u64);
    assert!(of_half.resources["Patient"] < all.resources["Patient"]);
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_loses_types_without_its_flag_and_the_report_says_so() {
    let base = std::env::var("HAPI_BASE").unwrap().parse().unwrap();
    let builder = BulkClient::builder(base).max_poll_interval(Duration::from_secs(1));
    let builder = builder.dialect(Dialect::Stu4).kick_off_method(KickOffMethod::Post);
    let client = builder.quirks(Quirks::NONE).build().unwrap();
    let report = export(&client, &request(Level::System, &["Patient", "Condition"])).await.unwrap();
    assert_eq!(report.types_without_resources, ["Condition"]);
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_applies_filters_and_patients_or_is_found_out() {
    let client = client().await;
    let mut filtered = request(Level::Patient, &["Patient"]);
    filtered.type_filters = vec!["Patient?gender=female".into()];
    let report = export(&client, &filtered).await.unwrap();
    assert!(report.contradictions.is_empty(), "{:?}", report.contradictions);
    let half = client.group("half").await.unwrap();
    let one = half.patients().next().unwrap().to_owned();
    let mut single = request(Level::Patient, &["Patient"]);
    single.patients = vec![one.clone()];
    assert_eq!(export(&client, &single).await.unwrap().resources["Patient"], 1);
    let mut of_group = request(Level::Group("half".into()), &["Patient"]);
    of_group.patients = vec![one];
    let report = export(&client, &of_group).await.unwrap();
    assert!(report.warnings.iter().any(|warning| warning.contains("known to ignore patient")));
    assert!(report.contradictions.iter().any(|one| one.parameter == "patient" && one.is_ignored()));
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_says_what_is_wrong() {
    let client = client().await;
    let error = export(&client, &request(Level::System, &["Bogus"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let mut bad = request(Level::System, &["Patient"]);
    bad.type_filters = vec!["Patient?nonsense=1".into()];
    let error = export(&client, &bad).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::JobFailed | ErrorKind::Refused), "{error:?}");
}
