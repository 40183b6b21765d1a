//! Views of the FHIR versions whose columns are not those of R4.

use fhir_definitions::{Definitions, FhirVersion};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::suite::{Storage, compile_for, rows_for};

/// The values of expressions on a resource of a version, from columns and from `__rest`.
async fn check(version: FhirVersion, resource: &Value, cases: &[(&str, Value)]) {
    let definitions = Definitions::of(version);
    let text = [RawValue::from_string(resource.to_string()).unwrap()];
    for (path, expected) in cases {
        let column = json!([{"column": [{"name": "c", "path": path, "collection": true}]}]);
        let view = json!({"resource": resource["resourceType"], "select": column});
        for storage in [Storage::Columns, Storage::Rest] {
            let view = compile_for(definitions, &view, storage).unwrap();
            let found = rows_for(definitions, view, &text, storage).await.unwrap();
            assert_eq!(found[0]["c"], *expected, "{path} {storage:?}");
        }
    }
}

fn refused(version: FhirVersion, resource: &str, path: &str) -> String {
    let view = json!({"resource": resource, "select": [{"column": [{"name": "c", "path": path}]}]});
    compile_for(Definitions::of(version), &view, Storage::Columns).unwrap_err()
}

#[tokio::test]
async fn a_codeable_reference_has_a_concept_and_a_reference() {
    let request = json!({"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p"}, "medication": {"concept": {"coding": [{"code": "1"}]},
        "reference": {"reference": "Medication/7"}}, "reason": [{"reference": {"reference": "Condition/c"}}, {"concept": {"text": "pain"}}]});
    let cases = [
        ("medication.concept.coding.code", json!(["1"])),
        ("medication.reference.getReferenceKey(Medication)", json!(["7"])),
        ("reason.concept.text", json!(["pain"])),
        ("reason.reference.getReferenceKey()", json!(["c"])),
    ];
    check(FhirVersion::R5, &request, &cases).await;
    let error = refused(FhirVersion::R4, "MedicationRequest", "medication.concept.text");
    assert!(error.contains("none of CodeableConcept, Reference has an element concept"), "{error}");
}

#[tokio::test]
async fn elements_have_the_names_and_numbers_of_their_version() {
    let encounter = json!({"resourceType": "Encounter", "id": "e", "status": "completed",
        "class": [{"coding": [{"code": "AMB"}]}, {"coding": [{"code": "VR"}]}], "actualPeriod": {"start": "2024-01-02"}});
    let cases = [
        ("class.coding.code", json!(["AMB", "VR"])),
        ("actualPeriod.start", json!(["2024-01-02"])),
        ("actualPeriod.lowBoundary()", json!(["2024-01-02T00:00:00.000+14:00"])),
    ];
    check(FhirVersion::R5, &encounter, &cases).await;
    let error = refused(FhirVersion::R5, "Encounter", "period.start");
    assert!(error.contains("Encounter has no element period; it has"), "{error}");

    let encounter = json!({"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
        "period": {"start": "2024-01-02"}});
    for version in [FhirVersion::R4, FhirVersion::R4B] {
        check(
            version,
            &encounter,
            &[("class.code", json!(["AMB"])), ("period.start", json!(["2024-01-02"]))],
        )
        .await;
    }
}

#[tokio::test]
async fn whole_numbers_of_64_bits_are_texts_in_json_and_numbers_here() {
    let document = json!({"resourceType": "DocumentReference", "id": "d", "status": "current",
        "content": [{"attachment": {"url": "a", "size": "9007199254740993", "pages": 3}}]});
    let cases = [
        ("content.attachment.size", json!([9_007_199_254_740_993_i64])),
        ("content.attachment.where(size > 9007199254740992).url", json!(["a"])),
        ("content.attachment.pages + 1", json!([4])),
    ];
    check(FhirVersion::R5, &document, &cases).await;
}

#[tokio::test]
async fn choices_have_the_types_of_their_version() {
    let observation = json!({"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"},
        "valueAttachment": {"url": "http://example.org/scan"}, "instantiatesCanonical": "http://example.org/o",
        "extension": [{"url": "range", "valueRatioRange": {"lowNumerator": {"value": 2}}}, {"url": "big", "valueInteger64": "5"}]});
    let cases = [
        ("value.ofType(Attachment).url", json!(["http://example.org/scan"])),
        ("value is Attachment", json!([true])),
        ("instantiates.ofType(canonical)", json!(["http://example.org/o"])),
        ("extension('range').value.ofType(RatioRange).lowNumerator.value", json!([2.0])),
        ("extension('big').value.ofType(integer64)", json!([5])),
    ];
    check(FhirVersion::R5, &observation, &cases).await;
    let error = refused(FhirVersion::R4, "Observation", "value.ofType(integer64)");
    assert!(error.contains("integer64 is no type of FHIR R4"), "{error}");
}

#[tokio::test]
async fn r4b_has_what_came_between_the_two() {
    let ingredient = json!({"resourceType": "Ingredient", "id": "i", "status": "active", "role": {"text": "active"},
        "substance": {"code": {"concept": {"coding": [{"code": "387517004"}]}}, "strength": [{"presentationRatioRange":
        {"lowNumerator": {"value": 250, "system": "http://unitsofmeasure.org", "code": "mg"}}}]}});
    let cases = [
        ("substance.code.concept.coding.code", json!(["387517004"])),
        ("substance.strength.presentation.ofType(RatioRange).lowNumerator.value", json!([250.0])),
        (
            "substance.strength.where(presentation.ofType(RatioRange).lowNumerator < 1 'g').exists()",
            json!([true]),
        ),
    ];
    check(FhirVersion::R4B, &ingredient, &cases).await;
}

#[test]
fn a_view_of_another_version_is_refused() {
    let view = json!({"resource": "Patient", "fhirVersion": ["4.0.1", "4.3.0"], "select": [{"column": [{"name": "id", "path": "id"}]}]});
    let of = |version| compile_for(Definitions::of(version), &view, Storage::Columns);
    assert!(of(FhirVersion::R4).is_ok() && of(FhirVersion::R4B).is_ok());
    let error = of(FhirVersion::R5).unwrap_err();
    assert!(
        error.contains("fhirVersion: the view is for FHIR 4.0.1, 4.3.0, and the resources are of 5.0.0"),
        "{error}"
    );
}
