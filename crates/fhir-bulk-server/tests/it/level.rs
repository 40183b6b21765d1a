//! What the levels hold: everything, the patients' compartments, those of a Group's members.

use serde_json::Value;

use crate::client::{export, get, options, start};

#[tokio::test]
async fn the_system_level_is_the_data_without_the_generated_groups() {
    let server = start(options()).await;
    let all = export(&server, "$export").await.output;
    assert_eq!(all.len(), 12);
    assert!(all.contains(&"Group/cohort".to_owned()));
    assert!(!all.contains(&"Group/half".to_owned()));
}

#[tokio::test]
async fn the_patient_level_is_the_compartment_of_all_patients() {
    let server = start(options()).await;
    // o4 is of its performer; o5 names a patient of another server; v1 is where its target is.
    assert_eq!(
        export(&server, "Patient/$export").await.output,
        [
            "Encounter/e1",
            "Group/cohort",
            "Observation/o1",
            "Observation/o2",
            "Observation/o3",
            "Observation/o4",
            "Patient/p1",
            "Patient/p2",
            "Provenance/v1",
        ]
    );
}

#[tokio::test]
async fn a_group_level_is_the_compartment_of_its_members_and_the_group() {
    let server = start(options()).await;
    let half = export(&server, "Group/half/$export").await.output;
    let of_p1 = ["Observation/o1", "Observation/o2", "Patient/p1", "Provenance/v1"];
    assert_eq!(half, [&["Encounter/e1", "Group/cohort", "Group/half"][..], &of_p1].concat());

    let of_p2 = ["Observation/o3", "Observation/o4", "Patient/p2"];
    let rest = export(&server, "Group/rest/$export").await.output;
    assert_eq!(rest, [&["Group/cohort", "Group/rest"][..], &of_p2].concat());
    // The inactive member of the cohort, p1, does not count.
    let cohort = export(&server, "Group/cohort/$export").await.output;
    assert_eq!(cohort, [&["Group/cohort"][..], &of_p2].concat());
}

#[tokio::test]
async fn a_generated_group_is_read_with_its_members() {
    let server = start(options()).await;
    let group: Value = get(&server, "Group/half").send().await.unwrap().json().await.unwrap();
    assert_eq!(group["type"], "person");
    assert_eq!(group["actual"], true);
    assert_eq!(group["quantity"], 1);
    assert_eq!(group["member"][0]["entity"]["reference"], "Patient/p1");
    assert_eq!(group["meta"]["lastUpdated"], "2026-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn types_narrow_every_level() {
    let server = start(options()).await;
    for path in ["$export", "Patient/$export"] {
        let encounters = export(&server, &format!("{path}?_type=Encounter")).await.output;
        assert_eq!(encounters, ["Encounter/e1"]);
    }
    let repeated = export(&server, "Group/half/$export?_type=Encounter&_type=Patient").await.output;
    assert_eq!(repeated, ["Encounter/e1", "Patient/p1"]);
    assert!(export(&server, "Patient/$export?_type=Practitioner").await.output.is_empty());
}
