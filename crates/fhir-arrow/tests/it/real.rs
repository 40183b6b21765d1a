//! Resources of a generated population ([Synthea](https://github.com/synthetichealth/synthea)): two of each type,
//! those with the most elements.

use std::path::Path;

use arrow_array::Array as _;

use crate::{assert_round_trip, schema};

#[test]
fn real_resources_come_back_value_for_value() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data");
    let mut types = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let schema = schema(path.file_stem().unwrap().to_str().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let batch = assert_round_trip(&schema, &lines);
        assert_eq!(batch.num_rows(), lines.len());
        // Only extensions inside of data types have no column in these resources.
        let rest = batch.column_by_name("__rest").unwrap();
        if !["Patient", "Practitioner", "PractitionerRole"].contains(&schema.resource_type()) {
            assert_eq!(rest.null_count(), lines.len(), "{}", schema.resource_type());
        }
        types += 1;
    }
    assert_eq!(types, 24);
}
