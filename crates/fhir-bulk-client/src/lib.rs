//! A FHIR Bulk Data client: kick-off, status, manifest, download.
