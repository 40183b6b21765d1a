//! URLs are shown without what may be secret, and the token goes along no redirect to another origin.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fhir_bulk_client::fuzzing::urls(text));
