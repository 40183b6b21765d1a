//! Resources that are written out of the definitions are legal, and with one fault they are not.

use std::sync::LazyLock;

use fhir_arrow::{Finding, FindingKind, Findings, Reader, Severity, ValidationLevel, Validator};
use fhir_definitions::{Definitions, FhirVersion};
use proptest::prelude::*;
use proptest::sample::select;

use crate::every_resource_type;
use crate::fault::{CLASSES, Fault};
use crate::writer::{Choices, Writer};

static VALIDATORS: LazyLock<Vec<Validator>> = LazyLock::new(|| {
    let versions = FhirVersion::ALL.iter();
    versions.map(|version| Validator::new(Definitions::of(*version), ValidationLevel::Structure)).collect()
});

fn validator(version: FhirVersion) -> &'static Validator {
    let position = FhirVersion::ALL.iter().position(|known| *known == version).unwrap();
    &VALIDATORS[position]
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

fn legal_resources_have_no_error(version: FhirVersion) {
    for name in Definitions::of(version).resource_types() {
        // So many turns that most choices have had each of their types, and those of 50 have had most of them.
        for (choice, all) in [(0, true), (1, true)].into_iter().chain((2..40).map(|choice| (choice, false))) {
            let line = Writer::new(version, all, Choices::One(choice)).resource(name);
            assert_eq!(faults(validator(version), &line), [], "{version} {name} {choice}\n{line:.2000}");
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_fault_is_found_where_it_is(
        (version, name) in select(every_resource_type().collect::<Vec<_>>()),
        class in select(CLASSES.to_vec()),
        choice in 0..40_usize,
        skip in 0..2000_usize,
    ) {
        let mut writer = Writer::new(version, false, Choices::One(choice));
        writer.fault = Some(Fault { class, skip, made: None });
        let mut line = writer.resource(name);
        let left = writer.fault.as_ref().map_or(0, |fault| fault.skip);
        if writer.fault.as_ref().is_some_and(|fault| fault.made.is_none()) && left < skip {
            // There were fewer places: then it is one of those.
            writer.fault = Some(Fault { class, skip: skip % (skip - left), made: None });
            line = writer.resource(name);
        }
        let fault = writer.fault.unwrap();
        let found = faults(validator(version), &line);
        let Some(made) = &fault.made else {
            prop_assert_eq!(found, []);
            return Ok(());
        };
        prop_assert!(!found.is_empty(), "{} {}: {:?} is not found", version, name, fault);
        for finding in &found {
            let path = finding.path_without_positions();
            let same = path == *made || (path.starts_with(made) && path[made.len()..].starts_with(".ofType("));
            // What has lost all that it had is empty too.
            let emptied = finding.kind == FindingKind::Empty && made.starts_with(&path);
            let told = (finding.kind == fault.kind() && same) || emptied;
            prop_assert!(told, "{} {}: {:?} is {:?}", version, name, fault, finding);
        }
    }
}
