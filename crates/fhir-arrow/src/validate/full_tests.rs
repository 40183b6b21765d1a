use super::*;
use crate::Reader;

/// What is found in a line of R4 in full: severity, kind, path.
fn found(line: &str) -> Vec<(Severity, &'static str, String)> {
    let validator = Validator::new(Definitions::r4(), ValidationLevel::Full);
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    validator.validate(&reader.read(line.as_bytes()).unwrap(), &mut findings);
    findings.iter().map(|f| (f.severity, f.kind.as_str(), f.element_path.clone())).collect()
}

/// A resource of this type with these members has these errors (kind and path), and nothing else is found.
#[track_caller]
fn assert_errors(resource_type: &str, members: &str, errors: &[(&'static str, &str)]) {
    let line = format!(r#"{{"resourceType":"{resource_type}","id":"x",{members}}}"#);
    let errors: Vec<_> =
        errors.iter().map(|(kind, path)| (Severity::Error, *kind, (*path).to_owned())).collect();
    assert_eq!(found(&line), errors, "{line}");
}

#[test]
fn codes_are_those_of_required_bindings() {
    assert_errors("Patient", r#""gender":"male""#, &[]);
    assert_errors("Patient", r#""gender":"Male""#, &[("required-binding", "Patient.gender")]);
    assert_errors("Patient", r#""gender":"\u006dale""#, &[]);
    // What has no value has no wrong one.
    assert_errors("Patient", r#""_gender":{"extension":[{"url":"u","valueString":"x"}]}"#, &[]);
    // A preferred binding is no required one.
    assert_errors("Patient", r#""maritalStatus":{"coding":[{"code":"?"}]}"#, &[]);
    let telecom = r#""telecom":[{"system":"phone","value":"1"},{"system":"post","value":"1"}]"#;
    assert_errors("Patient", telecom, &[("required-binding", "Patient.telecom[1].system")]);
}

#[test]
fn one_coding_of_a_required_binding_is_enough() {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    let condition =
        |status: &str| format!(r#""subject":{{"reference":"Patient/1"}},"clinicalStatus":{status}"#);
    let wrong = [("required-binding", "Condition.clinicalStatus")];
    let legal =
        format!(r#"{{"coding":[{{"system":"s","code":"x"}},{{"system":"{SYSTEM}","code":"active"}}]}}"#);
    assert_errors("Condition", &condition(&legal), &[]);
    let of_other_system = r#"{"coding":[{"system":"s","code":"active"}]}"#;
    assert_errors("Condition", &condition(of_other_system), &wrong);
    assert_errors("Condition", &condition(r#"{"text":"active"}"#), &wrong);
}

#[test]
fn references_are_to_the_types_that_an_element_points_to() {
    let target = [("reference-target", "Condition.subject")];
    for (reference, errors) in [
        (r#""reference":"Patient/1""#, &[][..]),
        (r#""reference":"Group/1/_history/2""#, &[]),
        (r#""reference":"http://other.example.org/fhir/Patient/1""#, &[]),
        (r#""reference":"Patient?identifier=s|1""#, &[]),
        (r#""reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#, &[]),
        (r#""display":"x""#, &[]),
        (r#""identifier":{"value":"1"},"type":"Patient""#, &[]),
        (r#""reference":"Practitioner/1""#, &target),
        (r#""reference":"http://other.example.org/fhir/Practitioner/1""#, &target),
        (r#""identifier":{"value":"1"},"type":"Practitioner""#, &target),
        (r#""reference":"Patient/1","type":"Group""#, &target),
    ] {
        assert_errors("Condition", &format!(r#""subject":{{{reference}}}"#), errors);
    }
}

#[test]
fn contained_resources_and_what_refers_to_them_belong_together() {
    let contained =
        |id: &str| format!(r#""contained":[{{"resourceType":"Organization","id":"{id}","name":"x"}}]"#);
    let manager = |id: &str| format!(r##""managingOrganization":{{"reference":"#{id}"}}"##);
    assert_errors("Patient", &format!("{},{}", contained("o"), manager("o")), &[]);
    assert_errors("Patient", &manager("o"), &[("ref-1", "Patient.managingOrganization.reference")]);
    assert_errors("Patient", &contained("o"), &[("dom-3", "Patient.contained[0]")]);
    // The one that is contained may refer to the resource around it instead.
    let inside = r##""contained":[{"resourceType":"Condition","id":"c","subject":{"reference":"#"}}]"##;
    assert_errors("Patient", inside, &[]);
    let of_other_type = r##""contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"}}],"managingOrganization":{"reference":"#b"}"##;
    assert_errors("Patient", of_other_type, &[("reference-target", "Patient.managingOrganization")]);
}

#[test]
fn constraints_of_types_and_of_elements_hold() {
    assert_errors(
        "Patient",
        r#""contact":[{"relationship":[{"text":"x"}]}],"name":[{"text":"x","period":{"start":"2021","end":"2020"}}]"#,
        &[("pat-1", "Patient.contact[0]"), ("per-1", "Patient.name[0].period")],
    );
    let both = r#""status":"final","code":{"text":"x"},"valueInteger":1,"dataAbsentReason":{"text":"x"}"#;
    assert_errors("Observation", both, &[("obs-6", "Observation")]);
    // In a Bundle each resource is the one that `%resource` means.
    assert_errors(
        "Bundle",
        &format!(r#""type":"collection","entry":[{{"resource":{{"resourceType":"Observation",{both}}}}}]"#),
        &[("obs-6", "Bundle.entry[0].resource")],
    );
}

#[test]
fn a_constraint_that_is_a_warning_makes_no_resource_invalid() {
    // con-3: a problem should have a clinical status.
    let line = r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"category":[{"coding":[
        {"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item"}]}]}"#;
    assert_eq!(found(line), [(Severity::Warning, "con-3", "Condition".to_owned())]);
}

#[test]
fn what_is_absent_violates_no_constraint() {
    let prediction =
        r#""status":"final","subject":{"reference":"Patient/1"},"prediction":[{"outcome":{"text":"x"}}]"#;
    assert_errors("RiskAssessment", prediction, &[]);
    let probable = prediction.replace("}]", r#"},{"probabilityDecimal":101}]"#);
    assert_errors("RiskAssessment", &probable, &[("ras-2", "RiskAssessment.prediction[1]")]);
}

#[test]
fn what_is_of_the_wrong_form_is_told_once() {
    assert_errors("Patient", r#""gender":5"#, &[("json-type", "Patient.gender")]);
    assert_errors("Condition", r#""subject":"x""#, &[("json-type", "Condition.subject")]);
    assert_errors("Patient", r#""contact":{"name":{"text":"x"}}"#, &[("json-type", "Patient.contact")]);
}
