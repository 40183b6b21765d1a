//! Resources that are written out of the definitions are legal, and with one fault they are not.

use std::sync::LazyLock;

use fhir_arrow::{Finding, FindingKind, Findings, Reader, Severity, ValidationLevel, Validator};
use fhir_definitions::{Definitions, FhirVersion};
use proptest::prelude::*;
use proptest::sample::select;

use crate::every_resource_type;
use crate::fault::{CLASSES, Class, FULL_CLASSES, Fault};
use crate::writer::{Choices, Writer};

static STRUCTURE: LazyLock<Vec<Validator>> = LazyLock::new(|| validators(ValidationLevel::Structure));
static FULL: LazyLock<Vec<Validator>> = LazyLock::new(|| validators(ValidationLevel::Full));

fn validators(level: ValidationLevel) -> Vec<Validator> {
    FhirVersion::ALL.iter().map(|version| Validator::new(Definitions::of(*version), level)).collect()
}

fn of(validators: &[Validator], version: FhirVersion) -> &Validator {
    let position = FhirVersion::ALL.iter().position(|known| *known == version).unwrap();
    &validators[position]
}

/// The findings that count: errors and unknown elements, but not mere advice.
fn faults(validator: &Validator, line: &str) -> Vec<Finding> {
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    validator.validate(&reader.read(line.as_bytes()).unwrap(), &mut findings);
    let counts = |finding: &&Finding| {
        finding.severity >= Severity::Error || finding.kind == FindingKind::UnknownElement
    };
    findings.iter().filter(counts).cloned().collect()
}

/// The findings that generated resources are judged by in full: they keep to bindings and targets, and to no constraint.
fn faults_in_full(version: FhirVersion, line: &str) -> Vec<Finding> {
    let mut found = faults(of(&FULL, version), line);
    found.retain(|finding| {
        matches!(finding.kind, FindingKind::RequiredBinding | FindingKind::ReferenceTarget)
    });
    found
}

/// So many turns that most choices have had each of their types, and those of 50 have had most of them.
fn turns() -> impl Iterator<Item = (usize, bool)> {
    [(0, true), (1, true)].into_iter().chain((2..40).map(|choice| (choice, false)))
}

fn legal_resources_have_no_error(version: FhirVersion) {
    for name in Definitions::of(version).resource_types() {
        for (choice, all) in turns() {
            let line = Writer::new(version, all, Choices::One(choice)).resource(name);
            assert_eq!(faults(of(&STRUCTURE, version), &line), [], "{version} {name} {choice}\n{line:.2000}");
        }
    }
}

#[test]
fn legal_resources_of_r4_have_no_error() {
    legal_resources_have_no_error(FhirVersion::R4);
}

#[test]
fn legal_resources_of_r4b_have_no_error() {
    legal_resources_have_no_error(FhirVersion::R4B);
}

#[test]
fn legal_resources_of_r5_have_no_error() {
    legal_resources_have_no_error(FhirVersion::R5);
}

#[test]
fn codes_of_required_bindings_and_references_to_targets_are_legal() {
    for (version, name) in every_resource_type() {
        for (choice, all) in turns().step_by(4) {
            let mut writer = Writer::new(version, all, Choices::One(choice));
            writer.full = true;
            let line = writer.resource(name);
            assert_eq!(faults_in_full(version, &line), [], "{version} {name} {choice}\n{line:.2000}");
        }
    }
}

/// A resource with a fault of a class, at the place with this number; the number counts from the first again at the end.
fn with_fault(version: FhirVersion, name: &str, class: Class, choice: usize, skip: usize) -> (String, Fault) {
    let mut writer = Writer::new(version, false, Choices::One(choice));
    writer.full = FULL_CLASSES.contains(&class);
    writer.fault = Some(Fault { class, skip, made: None });
    let mut line = writer.resource(name);
    let left = writer.fault.as_ref().map_or(0, |fault| fault.skip);
    if writer.fault.as_ref().is_some_and(|fault| fault.made.is_none()) && left < skip {
        writer.fault = Some(Fault { class, skip: skip % (skip - left), made: None });
        line = writer.resource(name);
    }
    (line, writer.fault.unwrap())
}

#[test]
fn there_are_codes_and_targets_to_get_wrong() {
    for class in FULL_CLASSES {
        let types: Vec<_> = every_resource_type().collect();
        let is_made =
            |(version, name): &&(FhirVersion, &str)| with_fault(*version, name, class, 0, 7).1.made.is_some();
        let made = types.iter().filter(is_made).count();
        assert!(made * 10 > types.len() * 9, "{class:?}: {made} of {}", types.len());
    }
}

/// Fails unless the fault is found, and nothing else.
fn assert_found(what: &str, found: &[Finding], fault: &Fault) -> Result<(), TestCaseError> {
    let Some(made) = &fault.made else {
        prop_assert_eq!(found, []);
        return Ok(());
    };
    prop_assert!(!found.is_empty(), "{}: {:?} is not found", what, fault);
    for finding in found {
        let path = finding.path_without_positions();
        let same = path == *made || (path.starts_with(made) && path[made.len()..].starts_with(".ofType("));
        // What has lost all that it had is empty too.
        let emptied = finding.kind == FindingKind::Empty && made.starts_with(&path);
        let told = (finding.kind == fault.kind() && same) || emptied;
        prop_assert!(told, "{}: {:?} is {:?}", what, fault, finding);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_fault_is_found_where_it_is(
        (version, name) in select(every_resource_type().collect::<Vec<_>>()),
        class in select(CLASSES.to_vec()),
        choice in 0..40_usize,
        skip in 0..2000_usize,
    ) {
        let (line, fault) = with_fault(version, name, class, choice, skip);
        assert_found(&format!("{version} {name}"), &faults(of(&STRUCTURE, version), &line), &fault)?;
    }

    #[test]
    fn wrong_codes_and_targets_are_found_where_they_are(
        (version, name) in select(every_resource_type().collect::<Vec<_>>()),
        class in select(FULL_CLASSES.to_vec()),
        choice in 0..40_usize,
        skip in 0..2000_usize,
    ) {
        let (line, fault) = with_fault(version, name, class, choice, skip);
        assert_found(&format!("{version} {name}"), &faults_in_full(version, &line), &fault)?;
    }
}
