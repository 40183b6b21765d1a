//! A manifest of any bytes is read or refused, and what is read keeps its promises.
#![no_main]

use fhir_bulk_client::Manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(bytes) {
        let outcomes = manifest.error.len() + manifest.outcome.len();
        assert_eq!(manifest.outcomes().count(), outcomes);
        let _ = (manifest.next(), manifest.transaction_instant());
    }
});
