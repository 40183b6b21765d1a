//! What a server says about itself, about tokens and about errors is read or refused, and no secret is shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fhir_bulk_client::fuzzing::answers(bytes));
