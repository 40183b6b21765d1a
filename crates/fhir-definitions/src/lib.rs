//! The FHIR versions as data: elements, types, bindings, search parameters, compartments.
