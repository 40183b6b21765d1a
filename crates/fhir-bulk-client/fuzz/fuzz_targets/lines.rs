//! Any line is judged by any type filter, or passed over.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, &[u8])| fhir_bulk_client::fuzzing::lines(input.0, input.1));
