//! A FHIR Bulk Data server over a folder of NDJSON.
