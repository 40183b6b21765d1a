//! A running HAPI FHIR server, by `.ci/real hapi`: every form of the kick-off, and what is found of those parameters that it does
//! not apply.

use fhir_bulk_client::{Dialect, ErrorKind, ExportRequest, KickOffMethod, Level, Quirks};

use crate::running::{TYPES, builder, client, export, forms, half, own, request};

const NAME: &str = "hapi";

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_brings_the_same_at_every_level_by_every_form() {
    let (known, check) = client(NAME).await;
    assert_eq!(check.quirks, Quirks::HAPI);
    let group = known.group("half").await.unwrap();
    let mut members: Vec<_> = group.patients().map(str::to_owned).collect();
    members.sort();
    for level in [Level::System, Level::Patient, half()] {
        let mut conditions = Vec::new();
        for (form, client) in forms(NAME, &Quirks::HAPI) {
            let exported = export(&client, &request(level.clone(), &TYPES)).await.unwrap();
            assert!(exported.report.warnings.is_empty(), "{level:?} {form}: {:?}", exported.report.warnings);
            assert_eq!(exported.ids("Patient") == members, level == half(), "{level:?} {form}");
            conditions.push(exported.ids("Condition"));
        }
        assert!(!conditions[0].is_empty() && conditions.iter().all(|ids| *ids == conditions[0]), "{level:?}");
    }
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_loses_types_without_its_flag_and_the_report_says_so() {
    for method in [KickOffMethod::Get, KickOffMethod::Post] {
        let builder = builder(NAME).dialect(Dialect::Stu4).kick_off_method(method);
        let client = builder.quirks(Quirks::NONE).build().unwrap();
        let exported = export(&client, &request(Level::System, &TYPES)).await.unwrap();
        assert_eq!(exported.report.types_without_resources, ["Condition"], "{method:?}");
    }
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_applies_both_ends_of_a_window() {
    for (form, client) in forms(NAME, &Quirks::HAPI) {
        let all = export(&client, &request(Level::System, &TYPES)).await.unwrap();
        let now = all.report.transaction_time.clone();
        let since = ExportRequest { since: Some(now.clone()), ..request(Level::System, &TYPES) };
        let later = export(&client, &since).await.unwrap();
        assert_eq!(later.count("Patient") + later.count("Condition"), 0, "{form}");
        assert!(later.warns("never reports what was deleted"), "{form}");
        let until = ExportRequest { until: Some(now), ..request(Level::System, &TYPES) };
        let earlier = export(&client, &until).await.unwrap();
        assert_eq!(earlier.ids("Condition"), all.ids("Condition"), "{form}");
        let before = ExportRequest { until: Some("2020-01-01T00:00:00Z".into()), ..until };
        assert_eq!(export(&client, &before).await.unwrap().count("Condition"), 0, "{form}");
    }
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_applies_filters_of_one_type_and_of_several() {
    let all = export(&client(NAME).await.0, &request(Level::Patient, &["Patient"])).await.unwrap();
    let women = all.resources("Patient").iter().filter(|one| one["gender"] == "female").count() as u64;
    assert!(0 < women && women < all.count("Patient"));
    for (form, client) in forms(NAME, &Quirks::HAPI) {
        let filters = own(&["Patient?gender=female", "Condition?_id=nobody"]);
        let asked = ExportRequest { type_filters: filters, ..request(Level::Patient, &TYPES) };
        let exported = export(&client, &asked).await.unwrap();
        assert!(exported.report.contradictions.is_empty(), "{form}: {:?}", exported.report.contradictions);
        assert_eq!((exported.count("Patient"), exported.count("Condition")), (women, 0), "{form}");
        let either = own(&["Patient?gender=female", "Patient?gender=male"]);
        let asked = ExportRequest { type_filters: either, ..request(Level::Patient, &["Patient"]) };
        assert_eq!(export(&client, &asked).await.unwrap().ids("Patient"), all.ids("Patient"), "{form}");
    }
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_exports_single_patients_but_ignores_them_in_a_group() {
    let (client, _) = client(NAME).await;
    let group = client.group("half").await.unwrap();
    let one = group.patients().next().unwrap().to_owned();
    let single = ExportRequest { patients: own(&[&one]), ..request(Level::Patient, &TYPES) };
    let exported = export(&client, &single).await.unwrap();
    assert_eq!(exported.ids("Patient"), [one.as_str()]);
    assert!(exported.report.contradictions.is_empty() && exported.count("Condition") > 0);
    let exported = export(&client, &ExportRequest { level: half(), ..single }).await.unwrap();
    assert!(exported.warns("known to ignore patient") && exported.ignored("patient"));
    assert_eq!(exported.count("Patient"), group.patients().count() as u64);
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_ignores_what_it_does_not_have_and_that_is_told() {
    for (form, client) in forms(NAME, &Quirks::HAPI) {
        let asked = ExportRequest {
            elements: own(&["gender"]),
            include_associated_data: own(&["LatestProvenanceResources"]),
            organize_output_by: Some("Patient".into()),
            partial_manifests: true,
            ..request(Level::Patient, &["Patient"])
        };
        let exported = export(&client, &asked).await.unwrap();
        for name in ["_elements", "includeAssociatedData", "organizeOutputBy", "allowPartialManifests"] {
            assert!(
                exported.warns(&format!("known to ignore {name}")),
                "{form}: {:?}",
                exported.report.warnings
            );
        }
        assert!(exported.ignored("_elements"), "{form}: {:?}", exported.report.contradictions);
        assert_eq!(exported.count("Provenance"), 0, "{form}");
    }
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_says_what_is_wrong() {
    for (form, client) in forms(NAME, &Quirks::HAPI) {
        let error = export(&client, &request(Level::System, &["Bogus"])).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Refused, "{form}");
        let filters = own(&["Patient?nonsense=1"]);
        let bad = ExportRequest { type_filters: filters, ..request(Level::System, &["Patient"]) };
        let error = export(&client, &bad).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::JobFailed | ErrorKind::Refused), "{form}: {error:?}");
    }
}

#[tokio::test]
#[ignore = "needs a running HAPI FHIR server"]
async fn hapi_takes_the_deletion_of_a_job() {
    let (client, _) = client(NAME).await;
    // What another test asks for would be the same job: this one is cancelled, and asked for by nobody else.
    let job = client.kick_off(&request(Level::System, &["Location"])).await.unwrap();
    client.delete_job(&job.status_url).await.unwrap();
    let asked = client.wait(&job.status_url, |_| ()).await;
    assert!(asked.is_err_and(|error| matches!(error.kind(), ErrorKind::JobGone | ErrorKind::JobFailed)));
    let job = client.kick_off(&request(Level::System, &["Organization"])).await.unwrap();
    client.wait(&job.status_url, |_| ()).await.unwrap();
    // It answers 404 to this: the job is done, and as good as deleted.
    client.delete_job(&job.status_url).await.unwrap();
}
