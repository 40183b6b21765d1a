//! A file of keys is read or refused; what is published has no private part, and an error nothing of the file.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fhir_bulk_client::fuzzing::keys(text));
