//! Headers of any bytes are read without a panic, and no pause is longer than its limit.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fhir_bulk_client::fuzzing::headers(bytes));
