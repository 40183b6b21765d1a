//! FHIR JSON to Arrow and back, without loss.
