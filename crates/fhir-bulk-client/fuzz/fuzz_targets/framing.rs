//! Lines and gzip come out the same wherever their bytes are cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| fhir_bulk_client::fuzzing::framing(input.0, input.1));
