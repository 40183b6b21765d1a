//! Lines that are damaged somewhere.

use std::sync::{Arc, LazyLock};

use fhir_arrow::{Findings, Flattener, Reader, TableSchema, ValidationLevel, Validator, scan};
use fhir_definitions::Definitions;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{assert_round_trip, schema};

const LINE: &str = r#"{"resourceType":"Patient","id":"p1","meta":{"lastUpdated":"2024-05-01T12:00:00Z","tag":[{"code":"x"}]},"name":[{"family":"A\u00e9\n","given":["B",null]}],"multipleBirthInteger":-12,"active":true,"photo":[{"data":"AAE="}],"x":{"y":[1.5e3,{}]}}"#;

static PATIENT: LazyLock<Arc<TableSchema>> = LazyLock::new(|| schema("Patient"));

static FULL: LazyLock<Validator> = LazyLock::new(|| Validator::new(Definitions::r4(), ValidationLevel::Full));

/// Judges what can be read of a line, however it is damaged: findings are in the line, and can be told.
fn assert_judged(line: &[u8]) {
    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    let Ok(resource) = reader.read(line) else { return };
    FULL.validate(&resource, &mut findings);
    assert!(findings.iter().all(|finding| finding.offset < line.len()));
    let outcome = findings.to_operation_outcome("a", 1);
    assert!(serde_json::from_str::<serde_json::Value>(&outcome).is_ok(), "{outcome}");
}

/// A byte that means something to JSON, or any other.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![proptest::sample::select(br#"{}[]":,\ u0-9.eE+tn"#.to_vec()), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_line_is_refused_or_is_a_resource(damages in vec((0..LINE.len(), 0..3, byte()), 1..4)) {
        let mut line = LINE.as_bytes().to_vec();
        for (at, kind, byte) in damages {
            let at = at.min(line.len() - 1);
            match kind {
                0 => line[at] = byte,
                1 => line.insert(at, byte),
                _ => drop(line.remove(at)),
            }
        }
        assert_judged(&line);
        let scanned = scan(&line);
        let appended = Flattener::new(Arc::clone(&PATIENT), None).append(&line);
        match scanned {
            Ok(header) if header.resource_type == "Patient" => {
                assert_eq!(appended, Ok(()));
                assert_round_trip(&PATIENT, &[std::str::from_utf8(&line).unwrap()]);
            }
            Ok(_) => assert!(appended.is_err()),
            Err(error) => {
                assert!(error.offset <= line.len());
                assert_eq!(appended, Err(error));
            }
        }
    }
}
