//! A running Helios FHIR Server, by `.ci/real helios`: every form of the kick-off, and what is found of those parameters that it
//! does not apply.

use fhir_bulk_client::{Dialect, ErrorKind, ExportRequest, KickOffMethod, Level, Quirks};

use crate::running::{TYPES, builder, client, export, forms, half, own, request};

const NAME: &str = "helios";

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_is_known_by_its_name() {
    let (client, check) = client(NAME).await;
    assert_eq!(check.quirks, Quirks::HELIOS);
    assert_eq!(client.dialect(), Dialect::Stu2);
    let capability = check.capability.unwrap();
    assert!(capability.system_export && capability.patient_export && capability.group_export);
    assert_eq!(capability.fhir_version, "4.0.1");
    assert!(
        check.deviations.iter().any(|one| one.contains("does not name its version of the specification"))
    );
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_brings_the_same_at_every_level_by_every_form() {
    let group = client(NAME).await.0.group("half").await.unwrap();
    let mut members: Vec<_> = group.patients().map(str::to_owned).collect();
    members.sort();
    for level in [Level::System, Level::Patient, half()] {
        let mut conditions = Vec::new();
        for (form, client) in forms(NAME, &Quirks::HELIOS) {
            let exported = export(&client, &request(level.clone(), &TYPES)).await.unwrap();
            assert!(exported.report.warnings.is_empty(), "{level:?} {form}: {:?}", exported.report.warnings);
            assert_eq!(exported.ids("Patient") == members, level == half(), "{level:?} {form}");
            conditions.push(exported.ids("Condition"));
        }
        assert!(!conditions[0].is_empty() && conditions.iter().all(|ids| *ids == conditions[0]), "{level:?}");
    }
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_applies_both_ends_of_a_window() {
    for (form, client) in forms(NAME, &Quirks::HELIOS) {
        let all = export(&client, &request(Level::System, &TYPES)).await.unwrap();
        // Nanoseconds, which it takes back.
        let now = all.report.transaction_time.clone();
        let since = ExportRequest { since: Some(now.clone()), ..request(Level::System, &TYPES) };
        let later = export(&client, &since).await.unwrap();
        assert_eq!(later.count("Patient") + later.count("Condition"), 0, "{form}");
        assert!(later.warns("never reports what was deleted"), "{form}");
        let until = ExportRequest { until: Some(now.clone()), ..request(Level::System, &TYPES) };
        let earlier = export(&client, &until).await.unwrap();
        assert_eq!(earlier.ids("Condition"), all.ids("Condition"), "{form}");
        let before = ExportRequest { until: Some("2020-01-01T00:00:00Z".into()), ..until };
        assert_eq!(export(&client, &before).await.unwrap().count("Condition"), 0, "{form}");
        let reversed = ExportRequest { since: Some(now), ..before };
        let error = export(&client, &reversed).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Refused, "{form}: {error}");
    }
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_cuts_elements_and_marks_what_it_has_cut() {
    for (form, client) in forms(NAME, &Quirks::HELIOS) {
        let elements = own(&["birthDate", "gender"]);
        let asked = ExportRequest { elements, ..request(Level::Patient, &["Patient"]) };
        let exported = export(&client, &asked).await.unwrap();
        assert!(exported.report.contradictions.is_empty(), "{form}: {:?}", exported.report.contradictions);
        for patient in exported.resources("Patient") {
            let mut names: Vec<_> = patient.as_object().unwrap().keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, ["birthDate", "gender", "id", "meta", "resourceType"], "{form}");
            assert_eq!(patient["meta"]["tag"][0]["code"], "SUBSETTED", "{form}");
        }
    }
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_applies_filters_of_several_types() {
    let (plain, _) = client(NAME).await;
    let all = export(&plain, &request(Level::System, &TYPES)).await.unwrap();
    let women = all.resources("Patient").iter().filter(|one| one["gender"] == "female").count() as u64;
    assert!(0 < women && women < all.count("Patient"));
    let filters = own(&["Patient?gender=female", "Condition?_id=nobody,nothing"]);
    let asked = ExportRequest { type_filters: filters, ..request(Level::System, &TYPES) };
    for (form, client) in forms(NAME, &Quirks::HELIOS) {
        let exported = export(&client, &asked).await.unwrap();
        assert!(exported.report.contradictions.is_empty(), "{form}: {:?}", exported.report.contradictions);
        assert_eq!((exported.count("Patient"), exported.count("Condition")), (women, 0), "{form}");
        assert_eq!(exported.report.types_without_resources, ["Condition"], "{form}");
    }
    // Joined by a comma, as version 2 has them, the second is taken for a value of the first: hence the flag.
    let joined = builder(NAME).dialect(Dialect::Stu2).quirks(Quirks::NONE).build().unwrap();
    let exported = export(&joined, &asked).await.unwrap();
    assert_eq!((exported.count("Patient"), exported.count("Condition")), (women, all.count("Condition")));
    assert!(exported.ignored("_typeFilter"), "{:?}", exported.report.contradictions);
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_applies_the_first_filter_of_a_type_alone_and_is_not_asked_for_a_second() {
    let filters = own(&["Patient?gender=female", "Patient?gender=male"]);
    let asked = ExportRequest { type_filters: filters, ..request(Level::System, &["Patient"]) };
    let (client, _) = client(NAME).await;
    assert_eq!(export(&client, &asked).await.err().unwrap().kind(), ErrorKind::Config);
    let unaware = builder(NAME).dialect(Dialect::Stu3).quirks(Quirks::NONE).build().unwrap();
    let exported = export(&unaware, &asked).await.unwrap();
    let patients = exported.resources("Patient");
    assert!(!patients.is_empty() && patients.iter().all(|patient| patient["gender"] == "female"));
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_exports_single_patients_but_ignores_them_in_a_group() {
    let (client, _) = client(NAME).await;
    let group = client.group("half").await.unwrap();
    let one = group.patients().next().unwrap().to_owned();
    let single = ExportRequest { patients: own(&[&one]), ..request(Level::Patient, &TYPES) };
    let exported = export(&client, &single).await.unwrap();
    assert_eq!(exported.ids("Patient"), [one.as_str()]);
    assert!(exported.report.contradictions.is_empty() && exported.count("Condition") > 0);
    let of_group = ExportRequest { level: half(), ..single };
    let exported = export(&client, &of_group).await.unwrap();
    assert!(exported.warns("known to ignore patient") && exported.ignored("patient"));
    assert_eq!(exported.count("Patient"), group.patients().count() as u64);
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_ignores_what_it_does_not_have_and_that_is_told() {
    let asked = ExportRequest {
        include_associated_data: own(&["LatestProvenanceResources"]),
        organize_output_by: Some("Patient".into()),
        partial_manifests: true,
        ..request(Level::Patient, &TYPES)
    };
    let mut seen = Vec::new();
    for (form, client) in forms(NAME, &Quirks::HELIOS) {
        let exported = export(&client, &asked).await.unwrap();
        for name in ["includeAssociatedData", "organizeOutputBy", "allowPartialManifests"] {
            assert!(
                exported.warns(&format!("known to ignore {name}")),
                "{form}: {:?}",
                exported.report.warnings
            );
        }
        assert_eq!(exported.count("Provenance"), 0, "{form}");
        seen.push(exported.report.files.iter().map(|file| file.type_.clone()).collect::<Vec<_>>());
    }
    assert!(seen.iter().all(|types| types.iter().flatten().eq(["Condition", "Patient"])), "{seen:?}");
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_says_what_is_wrong_or_the_report_does() {
    for (form, client) in forms(NAME, &Quirks::HELIOS) {
        let bogus = export(&client, &request(Level::System, &["Patient", "Bogus"])).await.unwrap();
        assert_eq!(bogus.report.types_without_resources, ["Bogus"], "{form}");
        let filters = own(&["Patient?nonsense=1"]);
        let bad = ExportRequest { type_filters: filters, ..request(Level::System, &["Patient"]) };
        assert_eq!(export(&client, &bad).await.err().unwrap().kind(), ErrorKind::Refused, "{form}");
        let nobody = request(Level::Group("nobody".into()), &["Patient"]);
        assert_eq!(export(&client, &nobody).await.err().unwrap().kind(), ErrorKind::NotFound, "{form}");
    }
}

#[tokio::test]
#[ignore = "needs a running Helios FHIR Server"]
async fn helios_forgets_a_job_that_is_deleted() {
    let client = builder(NAME).kick_off_method(KickOffMethod::Post).build().unwrap();
    let job = client.kick_off(&request(Level::System, &["Patient"])).await.unwrap();
    let manifest = client.wait(&job.status_url, |_| ()).await.unwrap();
    client.delete_job(&job.status_url).await.unwrap();
    assert_eq!(client.wait(&job.status_url, |_| ()).await.unwrap_err().kind(), ErrorKind::JobGone);
    let (_, file, token) = manifest.files().next().unwrap();
    let gone = client.download(file, token).await.err().unwrap();
    assert_eq!(gone.kind(), ErrorKind::LinkExpired);
    // Twice is once.
    client.delete_job(&job.status_url).await.unwrap();
    let running = client.kick_off(&request(Level::System, &[])).await.unwrap();
    client.delete_job(&running.status_url).await.unwrap();
    assert_eq!(client.wait(&running.status_url, |_| ()).await.unwrap_err().kind(), ErrorKind::JobGone);
}
