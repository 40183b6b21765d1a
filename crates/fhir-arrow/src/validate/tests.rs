use fhir_definitions::FhirVersion;

use super::*;
use crate::{IssueCode, Reader};

/// What is found in a line of R4: kind, path, and the text of the line where it is.
fn found_at(level: ValidationLevel, line: &str) -> Vec<(Severity, FindingKind, String, String)> {
    let validator = Validator::new(Definitions::r4(), level);
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    validator.validate(&reader.read(line.as_bytes()).unwrap(), &mut findings);
    assert_eq!(findings.omitted(), 0);
    let place = |finding: &Finding| line[finding.offset..].chars().take(8).collect();
    findings.iter().map(|f| (f.severity, f.kind, f.element_path.clone(), place(f))).collect()
}

/// A patient with these members.
fn patient(members: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"p",{members}}}"#)
}

#[track_caller]
fn assert_legal(members: &str) {
    assert_eq!(found_at(ValidationLevel::Structure, &patient(members)), [], "{members}");
}

/// The members of a patient have one finding of this kind, path and place: an error, but for an unknown element.
#[track_caller]
fn assert_found(members: &str, kind: FindingKind, path: &str, place: &str) {
    let found = found_at(ValidationLevel::Structure, &patient(members));
    let [(severity, found_kind, found_path, found_place)] = &found[..] else {
        panic!("{members}: {found:?}")
    };
    let expected = if kind == FindingKind::UnknownElement { Severity::Warning } else { Severity::Error };
    assert_eq!((*severity, *found_kind, &**found_path), (expected, kind, path), "{members}");
    assert!(found_place.starts_with(place), "{members}: {found_place}");
}

#[test]
fn the_type_of_a_resource_is_known() {
    for (line, path, place) in [
        (r#"{"id":"p"}"#, "Resource", "{"),
        (r#"{"resourceType":"Planet","x":1}"#, "Resource.resourceType", "\"Planet"),
        (r#"{"resourceType":"Resource"}"#, "Resource.resourceType", "\"Res"),
        (r#"{"resourceType":"HumanName"}"#, "Resource.resourceType", "\"Hum"),
        (r#"{"resourceType":5}"#, "Resource.resourceType", "5"),
        (r#"{"resourceType":null}"#, "Resource.resourceType", "null"),
    ] {
        let found = found_at(ValidationLevel::Structure, line);
        let [(Severity::Error, FindingKind::UnknownType, found_path, found_place)] = &found[..] else {
            panic!("{line}: {found:?}")
        };
        assert!(found_path == path && found_place.starts_with(place), "{line}: {found:?}");
    }
    assert_eq!(
        found_at(ValidationLevel::Structure, r#" {"x":{"resourceType":1},"resourceType":"Basic"}"#).len(),
        2
    );
}

#[test]
fn elements_are_known() {
    let unknown = FindingKind::UnknownElement;
    assert_found(r#""nick":1"#, unknown, "Patient.nick", "\"nick");
    assert_found(
        r#""name":[{"family":"A"},{"nick":{"x":1},"family":"B"}]"#,
        unknown,
        "Patient.name[1].nick",
        "\"nick",
    );
    assert_found(r#""n\u0061me":[{"family":"A"}],"nam\u0065s":1"#, unknown, "Patient.names", "\"nam");
    assert_found(r#""John Doe":1"#, unknown, "Patient.?", "\"John");
    assert_found(r#""deceased":true"#, unknown, "Patient.deceased", "\"dec");
    assert_found(r#""deceasedString":"x""#, unknown, "Patient.deceasedString", "\"dec");
    assert_found(r#""_name":[{"id":"x"}]"#, unknown, "Patient._name", "\"_name");
    assert_found(r#""_resourceType":{"id":"x"}"#, unknown, "Patient._resourceType", "\"_res");
    assert_found(
        r#""name":[{"resourceType":"x","family":"A"}]"#,
        unknown,
        "Patient.name[0].resourceType",
        "\"res",
    );
    // Only backbone elements and resources have these.
    assert_found(
        r#""name":[{"family":"A","modifierExtension":[{"url":"u","valueString":"x"}]}]"#,
        unknown,
        "Patient.name[0].modifierExtension",
        "\"mod",
    );
}

#[test]
fn values_are_of_their_json_type() {
    let wrong = FindingKind::JsonType;
    for value in ["1", "true", "{}", "[]"] {
        assert_found(&format!(r#""gender":{value}"#), wrong, "Patient.gender", value);
    }
    for value in ["1", "\"true\"", "{}", "[true]"] {
        assert_found(&format!(r#""active":{value}"#), wrong, "Patient.active", value);
    }
    for value in ["\"1\"", "false"] {
        assert_found(
            &format!(r#""multipleBirthInteger":{value}"#),
            wrong,
            "Patient.multipleBirth.ofType(integer)",
            value,
        );
    }
    for value in ["\"M\"", "1", "[{}]"] {
        assert_found(&format!(r#""maritalStatus":{value}"#), wrong, "Patient.maritalStatus", value);
    }
    for value in ["{}", "\"x\"", "1"] {
        assert_found(&format!(r#""name":{value}"#), wrong, "Patient.name", value);
        assert_found(&format!(r#""name":[{{"given":{value}}}]"#), wrong, "Patient.name[0].given", value);
    }
    for value in ["\"x\"", "1", "[]"] {
        assert_found(&format!(r#""name":[{{"family":"A"}},{value}]"#), wrong, "Patient.name[1]", value);
        assert_found(&format!(r#""contained":[{value}]"#), wrong, "Patient.contained[0]", value);
    }
    for value in ["[\"x\"]", "1", "{}"] {
        assert_found(
            &format!(r#""name":[{{"given":["A",{value}]}}]"#),
            wrong,
            "Patient.name[0].given[1]",
            value,
        );
    }
}

#[test]
fn nothing_is_empty_or_null() {
    let empty = FindingKind::Empty;
    assert_found(r#""name":[]"#, empty, "Patient.name", "[]");
    assert_found(r#""name":[{"given":[]}]"#, empty, "Patient.name[0].given", "[]");
    assert_found(r#""name":[{}]"#, empty, "Patient.name[0]", "{}");
    assert_found(r#""maritalStatus":{ }"#, empty, "Patient.maritalStatus", "{ }");
    assert_found(r#""gender":"""#, empty, "Patient.gender", "\"\"");
    assert_found(r#""name":[{"given":[""]}]"#, empty, "Patient.name[0].given[0]", "\"\"");
    let null = FindingKind::Null;
    assert_found(r#""gender":null"#, null, "Patient.gender", "null");
    assert_found(r#""maritalStatus":null"#, null, "Patient.maritalStatus", "null");
    assert_found(r#""name":null"#, null, "Patient.name", "null");
    assert_found(r#""name":[{"family":"A"},null]"#, null, "Patient.name[1]", "null");
    assert_found(r#""contained":[null]"#, null, "Patient.contained[0]", "null");
}

#[test]
fn required_elements_are_there() {
    let missing = FindingKind::Cardinality;
    assert_found(r#""link":[{"type":"refer"}]"#, missing, "Patient.link[0].other", "{\"type");
    assert_found(
        r#""link":[{"other":{"reference":"x"},"_type":{"id":"x","extension":[{"valueString":"x"}]}}]"#,
        missing,
        "Patient.link[0].type.extension[0].url",
        "{\"value",
    );
    let found = found_at(ValidationLevel::Structure, r#"{"resourceType":"Observation"}"#);
    let paths: Vec<&str> = found.iter().map(|(_, _, path, _)| path.as_str()).collect();
    assert_eq!(paths, ["Observation.status", "Observation.code"]);
    let choice = found_at(
        ValidationLevel::Structure,
        r#"{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"x"}}"#,
    );
    assert_eq!(choice.len(), 1);
    assert_eq!((choice[0].1, choice[0].2.as_str()), (missing, "MedicationRequest.medication"));
}

#[test]
fn a_choice_has_one_type() {
    let several = FindingKind::SeveralChoices;
    assert_legal(r#""deceasedBoolean":true,"_deceasedBoolean":{"id":"x"}"#);
    assert_legal(r#""_deceasedBoolean":{"id":"x"},"deceasedBoolean":true"#);
    let path = "Patient.deceased.ofType(dateTime)";
    assert_found(r#""deceasedBoolean":true,"deceasedDateTime":"2024""#, several, path, "\"dec");
    assert_found(
        r#""deceasedBoolean":true,"_deceasedDateTime":{"extension":[{"url":"u","valueString":"x"}]}"#,
        several,
        path,
        "\"_dec",
    );
}

#[test]
fn what_stands_beside_a_primitive_has_its_shape() {
    let ext = r#""extension":[{"url":"u","valueString":"x"}]"#;
    for members in [
        r#""birthDate":"1980","_birthDate":{"id":"x"}"#.to_owned(),
        format!(r#""_birthDate":{{{ext}}}"#),
        format!(r#""name":[{{"given":["A",null],"_given":[null,{{{ext}}}]}}]"#),
        format!(r#""name":[{{"_given":[{{{ext}}}]}}]"#),
        format!(r#""_id":{{"id":"x",{ext}}}"#),
    ] {
        assert_legal(&members);
    }
    let invariant = FindingKind::Invariant("ele-1");
    assert_found(r#""_birthDate":{"id":"x"}"#, invariant, "Patient.birthDate", "{\"id");
    assert_found(
        r#""name":[{"given":["A"],"_given":[{}]}]"#,
        FindingKind::Empty,
        "Patient.name[0].given[0]",
        "{}",
    );
    assert_found(r#""birthDate":"1980","_birthDate":"x""#, FindingKind::JsonType, "Patient.birthDate", "\"x");
    assert_found(
        r#""birthDate":"1980","_birthDate":[{"id":"x"}]"#,
        FindingKind::JsonType,
        "Patient.birthDate",
        "[",
    );
    assert_found(r#""birthDate":"1980","_birthDate":null"#, FindingKind::Null, "Patient.birthDate", "null");
    assert_found(
        r#""birthDate":"1980","_birthDate":{"id":"x","nick":1}"#,
        FindingKind::UnknownElement,
        "Patient.birthDate.nick",
        "\"nick",
    );
    assert_found(
        r#""name":[{"given":["A"],"_given":{"id":"x"}}]"#,
        FindingKind::JsonType,
        "Patient.name[0].given",
        "{",
    );
    assert_found(
        r#""name":[{"given":["A"],"_given":["x"]}]"#,
        FindingKind::JsonType,
        "Patient.name[0].given[0]",
        "\"x",
    );
    assert_found(r#""name":[{"given":["A",null]}]"#, FindingKind::Null, "Patient.name[0].given[1]", "null");
    assert_found(
        r#""name":[{"given":["A",null],"_given":[{"id":"x"},null]}]"#,
        FindingKind::Null,
        "Patient.name[0].given[1]",
        "null",
    );
    assert_found(r#""name":[{"_given":[null]}]"#, FindingKind::Null, "Patient.name[0].given[0]", "null");
    assert_found(r#""name":[{"family":"A","_given":[]}]"#, FindingKind::Empty, "Patient.name[0].given", "[]");
    let narrative = r#""text":{"status":"generated","div":"<div xmlns='http://www.w3.org/1999/xhtml'/>","_div":{"id":"x"}}"#;
    assert_legal(narrative);
}

#[test]
fn arrays_side_by_side_should_be_as_long() {
    for given in [
        r#""given":["A","B"],"_given":[{"id":"x"}]"#,
        r#""given":["A"],"_given":[{"id":"x"},{"id":"y","extension":[{"url":"u","valueString":"x"}]}]"#,
    ] {
        let found = found_at(ValidationLevel::Structure, &patient(&format!(r#""name":[{{{given}}}]"#)));
        let [(Severity::Warning, FindingKind::Alignment, path, _)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(path, "Patient.name[0].given");
    }
}

#[test]
fn an_extension_has_a_url_and_a_value_or_extensions() {
    assert_legal(r#""extension":[{"url":"u","extension":[{"url":"v","valueBoolean":false}]}]"#);
    let either = FindingKind::Invariant("ext-1");
    assert_found(r#""extension":[{"url":"u"}]"#, either, "Patient.extension[0]", "{\"url");
    let both =
        r#""name":[{"extension":[{"url":"u","valueCode":"x","extension":[{"url":"v","valueCode":"y"}]}]}]"#;
    assert_found(both, either, "Patient.name[0].extension[0]", "{\"url");
    assert_found(
        r#""extension":[{"valueCode":"x"}]"#,
        FindingKind::Cardinality,
        "Patient.extension[0].url",
        "{\"val",
    );
    assert_found(
        r#""modifierExtension":[{"url":"u","valueCode":" x"}]"#,
        FindingKind::PrimitiveFormat,
        "Patient.modifierExtension[0].value.ofType(code)",
        "\" x",
    );
}

#[test]
fn an_element_has_more_than_an_id() {
    let invariant = FindingKind::Invariant("ele-1");
    assert_found(r#""name":[{"id":"x"}]"#, invariant, "Patient.name[0]", "{\"id");
    assert_found(r#""contact":[{"id":"x"}]"#, invariant, "Patient.contact[0]", "{\"id");
    assert_found(r#""name":[{"nick":"x"}]"#, FindingKind::UnknownElement, "Patient.name[0].nick", "\"nick");
}

#[test]
fn resources_within_are_judged_as_their_types() {
    let contained = r#""contained":[{"resourceType":"Basic","code":{"text":"x"}},{"resourceType":"Organization","name":5}]"#;
    assert_found(contained, FindingKind::JsonType, "Patient.contained[1].name", "5");
    assert_found(r#""contained":[{"id":"x"}]"#, FindingKind::UnknownType, "Patient.contained[0]", "{\"id");
    assert_found(
        r#""contained":[{"resourceType":"Planet"}]"#,
        FindingKind::UnknownType,
        "Patient.contained[0].resourceType",
        "\"Pla",
    );
    for (line, path) in [
        (
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","x":1}}]}"#,
            "Bundle.entry[0].resource.x",
        ),
        (
            r#"{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","resource":{"resourceType":"Patient","x":1}}]}]}"#,
            "Parameters.parameter[0].part[0].resource.x",
        ),
    ] {
        let found = found_at(ValidationLevel::Structure, line);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].1, found[0].2.as_str()), (FindingKind::UnknownElement, path));
    }
}

#[test]
fn recursion_is_followed_to_any_depth() {
    let depth = 55;
    let items = format!(
        "{}{}{}",
        r#"{"linkId":"1","type":"group","item":["#.repeat(depth),
        r#"{"linkId":"2"}"#,
        "]}".repeat(depth)
    );
    let found = found_at(
        ValidationLevel::Structure,
        &format!(r#"{{"resourceType":"Questionnaire","status":"draft","item":[{items}]}}"#),
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].2, format!("Questionnaire{}.type", ".item[0]".repeat(depth + 1)));
}

#[test]
fn a_level_of_none_finds_nothing() {
    assert_eq!(found_at(ValidationLevel::None, r#"{"x":1}"#), []);
}

#[test]
fn findings_are_counted_beyond_their_limit() {
    let unknown: Vec<String> = (0..MAX_FINDINGS + 4).map(|number| format!("\"x{number}\":1")).collect();
    // What is only counted counts all the same: the last one is an error.
    let line = patient(&format!("{},\"gender\":5", unknown.join(",")));
    let validator = Validator::new(Definitions::r4(), ValidationLevel::Structure);
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    validator.validate(&reader.read(line.as_bytes()).unwrap(), &mut findings);
    assert_eq!((findings.iter().count(), findings.omitted()), (MAX_FINDINGS, 5));
    assert_eq!((findings.worst(), findings.is_valid()), (Some(Severity::Error), false));
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning));
    assert!(findings.to_operation_outcome("a", 1).contains("5 findings more"));
    assert_eq!(findings.refusal().map(|error| (error.code, error.offset)), Some((IssueCode::Invalid, 0)));
    validator.validate(&reader.read(br#"{"resourceType":"Patient"}"#).unwrap(), &mut findings);
    assert_eq!((findings.is_empty(), findings.omitted(), findings.worst()), (true, 0, None));
    assert_eq!(findings.refusal(), None);
}

#[test]
fn a_finding_is_an_issue_of_an_operation_outcome() {
    let line = patient(r#""name":[{"given":["A",5]}]"#);
    let validator = Validator::new(Definitions::r4(), ValidationLevel::Structure);
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    validator.validate(&reader.read(line.as_bytes()).unwrap(), &mut findings);
    let finding = findings.iter().next().unwrap();
    assert_eq!(finding.code(), IssueCode::Structure);
    assert_eq!(
        finding.to_issue("raw/1/Patient.0.ndjson", 7),
        r#"{"severity":"error","code":"structure","details":{"text":"a string is expected, not a number"},"diagnostics":"raw/1/Patient.0.ndjson, line 7, byte 57","expression":["Patient.name[0].given[1]"]}"#
    );
    assert_eq!(finding.path_without_positions(), "Patient.name.given");
}

#[test]
fn what_is_tolerated_is_told_and_counts_as_information() {
    let allowances: Allowances =
        [("json-type", "Patient.name.given"), ("empty", "Patient.name")].into_iter().collect();
    let validator = Validator::new(Definitions::r4(), ValidationLevel::Structure).with_allowances(allowances);
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    let mut severities = |members: &str| {
        validator.validate(&reader.read(patient(members).as_bytes()).unwrap(), &mut findings);
        findings.iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    let (information, error) = (Severity::Information, Severity::Error);
    assert_eq!(severities(r#""name":[{"given":[1]},{"given":["A",2]}]"#), [information, information]);
    assert_eq!(severities(r#""name":[{"family":1},{}]"#), [error, information]);
    assert_eq!(severities(r#""name":[{"given":[null]}],"contact":[{"name":{"given":[1]}}]"#), [error, error]);
}

#[test]
fn a_refused_line_keeps_the_code_that_it_was_refused_with() {
    let error = Reader::default().read(b"{}").unwrap().header().map(drop).unwrap_err();
    let finding = Finding::from(error);
    assert_eq!(
        (finding.code(), finding.kind.as_str(), finding.severity),
        (IssueCode::Required, "line", Severity::Fatal)
    );
}

#[test]
fn an_operation_outcome_without_findings_has_an_issue() {
    let outcome = Findings::default().to_operation_outcome("a", 1);
    let found = found_at(ValidationLevel::Full, &outcome);
    assert_eq!(found.iter().filter(|found| found.0 >= Severity::Error).count(), 0);
}

#[test]
fn an_issue_is_legal_itself() {
    let mut reader = Reader::default();
    let error = reader.read(br#"{"resourceType":"Patient","name":[}"#).map(drop).unwrap_err();
    let issue = Finding::from(error).to_issue("a \"file\"", 1);
    let outcome = format!(r#"{{"resourceType":"OperationOutcome","issue":[{issue}]}}"#);
    assert_eq!(
        found_at(ValidationLevel::Full, &outcome).iter().filter(|found| found.0 >= Severity::Error).count(),
        0
    );
}

#[test]
fn the_elements_of_every_object_fit_into_a_set() {
    for version in FhirVersion::ALL {
        let validator = Validator::new(Definitions::of(*version), ValidationLevel::Full);
        for definition in (0..).take(validator.types.len()) {
            let _ = validator.object(ObjectId { definition, object: 0 });
            let rules = validator.types[usize::from(definition)].get().unwrap();
            for object in &rules.objects {
                assert!(
                    object.elements.len() < rules::ElementSet::BITS as usize,
                    "{version} {}",
                    object.type_name
                );
                assert!(!object.members.iter().any(|member| matches!(member.rule, rules::Rule::Anything)));
            }
        }
    }
}
