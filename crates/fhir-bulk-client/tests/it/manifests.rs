//! Manifests as servers send them (HAPI and Helios as recorded) and as the versions of the specification shape them.

use fhir_bulk_client::{Manifest, OutputFile};

fn parse(text: &str) -> Manifest {
    Manifest::parse(text.as_bytes()).unwrap()
}

fn types(files: &[OutputFile]) -> Vec<&str> {
    files.iter().map(|file| file.type_.as_deref().unwrap_or("none")).collect()
}

#[test]
fn hapi_sends_no_counts_and_no_deleted() {
    let manifest = parse(include_str!("fixtures/hapi-8.8.0-system.json"));
    assert_eq!(manifest.transaction_time, "2026-11-23T17:12:54.410+00:00");
    assert!(manifest.requires_access_token);
    assert_eq!(
        types(&manifest.output),
        ["Group", "Observation", "Patient", "Encounter", "DocumentReference"]
    );
    assert!(manifest.output.iter().all(|file| file.count.is_none()));
    assert!(manifest.deleted.is_empty() && manifest.outcomes().next().is_none());
    let request =
        "http://127.0.0.1:8090/fhir/$export?_type=Patient,Observation,Encounter,DocumentReference,Group";
    assert_eq!(manifest.request.as_deref(), Some(request));
}

#[test]
fn helios_sends_nanoseconds_counts_and_several_files_of_a_type() {
    let manifest = parse(include_str!("fixtures/helios-0.2.7-system-auth.json"));
    assert_eq!(manifest.transaction_time, "2026-11-23T17:17:51.811612951Z");
    assert_eq!(manifest.transaction_instant().unwrap().timestamp_subsec_nanos(), 811_612_951);
    assert_eq!(types(&manifest.output), ["CompartmentDefinition", "SearchParameter", "SearchParameter"]);
    let counts: Vec<_> = manifest.output.iter().map(|file| file.count).collect();
    assert_eq!(counts, [Some(1), Some(1000), Some(375)]);
    assert!(manifest.requires_access_token && manifest.next().is_none());
    assert!(!parse(include_str!("fixtures/helios-0.2.7-group.json")).requires_access_token);
}

#[test]
fn version_3_may_organize_files_by_patient_and_has_extensions_as_objects() {
    let manifest = parse(include_str!("fixtures/stu3-organized.json"));
    assert!(!manifest.requires_access_token);
    assert_eq!(manifest.output_organized_by.as_deref(), Some("Patient"));
    assert_eq!(types(&manifest.output), ["none", "none"]);
    assert_eq!(manifest.output[0].continues_in_file.as_ref(), Some(&manifest.output[1].url));
    assert_eq!(manifest.output[1].count, Some(0), "none at all is not the same as unknown");
    assert!(manifest.output[1].extension.as_ref().unwrap().is_object());
    assert_eq!(
        (types(&manifest.deleted), types(&manifest.error)),
        (vec!["Bundle"], vec!["OperationOutcome"])
    );
    assert_eq!(manifest.next(), Some("2"));
}

#[test]
fn version_4_has_outcome_no_types_of_deleted_and_extensions_as_arrays() {
    let manifest = parse(include_str!("fixtures/stu4-ballot.json"));
    assert_eq!((manifest.output[0].count, manifest.output[0].file_size), (Some(12), Some(34_567)));
    assert_eq!((types(&manifest.deleted), manifest.error.len()), (vec!["none"], 0));
    let outcomes: Vec<_> = manifest.outcomes().map(|file| file.url.as_str()).collect();
    assert_eq!(outcomes, ["https://ehr.example/files/3"]);
    assert!(manifest.extension.unwrap().is_array());
    assert_eq!(manifest.request, None);
}
