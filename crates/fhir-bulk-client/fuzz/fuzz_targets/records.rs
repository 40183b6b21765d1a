//! The records of an export in its folder are read or passed over, wherever a crash has cut them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fhir_bulk_client::fuzzing::records(bytes));
