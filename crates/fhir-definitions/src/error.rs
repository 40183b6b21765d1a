//! What can be wrong with a generated file.

/// Why a generated definitions file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionsError {
    /// The bytes are no zstd frame, or end too early.
    #[error("the definitions file cannot be decompressed; regenerate it with `cargo xtask definitions`")]
    Decompress(#[source] std::io::Error),
    /// The content is not the document that this version of the crate reads.
    #[error("the definitions file is not of the expected form; regenerate it with `cargo xtask definitions`")]
    Form(#[source] serde_json::Error),
    /// The file is of a FHIR version that this crate does not know.
    #[error("the definitions file is of FHIR {found}, which is not known here")]
    UnknownVersion {
        /// The FHIR version that the file says it is of.
        found: String,
    },
    /// The file has no compartment of patients.
    #[error("the definitions file has no Patient compartment; regenerate it with `cargo xtask definitions`")]
    NoPatientCompartment,
}
