//! The form of a generated file, `data/<version>.json.zst`: one JSON document, compressed with zstd.
//!
//! `cargo xtask definitions` writes it out of the published definitions; [`Definitions`](crate::Definitions) reads
//! it. Values that are the default are left out, types are sorted by name, so equal sources give equal bytes.
//!
//! What is published and not in it, on purpose:
//! * profiles on types (`SimpleQuantity`, `MoneyQuantity`), on resources (`vitalsigns`) and logical models (in R4
//!   `MetadataResource`, in R5 the patterns, such as `Event`): an element is never of such a type in JSON;
//! * resources that are published as examples;
//! * elements that may not occur (maximum 0), such as `xhtml.extension`;
//! * constraints on the elements that inherit them: they are kept once, where they are defined;
//! * value sets that no element is bound to by `required`, those that are not enumerated by what is published with the
//!   FHIR version, and all that a code system says of its codes;
//! * texts, mappings and examples.

use serde::{Deserialize, Serialize};

use crate::{CodeSet, Compartment, DefinitionsError, TypeDefinition};

/// The definitions of one FHIR version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The version's number as the sources state it: `4.0.1`.
    pub fhir_version: String,
    /// The published files that it was generated from, sorted by name.
    pub sources: Vec<Source>,
    /// All types, sorted by name (by bytes).
    pub types: Vec<TypeDefinition>,
    /// The compartments that are kept.
    pub compartments: Vec<Compartment>,
    /// The codes of the value sets that `required` bindings name, sorted by URL (by bytes).
    pub code_sets: Vec<CodeSet>,
}

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file's name, without a folder; with a `*`, all files of such names.
    pub file: String,
    /// The SHA-256 of its bytes, in lower-case hexadecimal; of several files, that of the lines which `sha256sum`
    /// prints of them, in the order of their names (by bytes).
    pub sha256: String,
}

impl Document {
    /// Reads a generated file.
    ///
    /// # Errors
    /// [`DefinitionsError::Decompress`] and [`DefinitionsError::Form`] where the bytes are no such file.
    pub fn from_zstd(bytes: &[u8]) -> Result<Self, DefinitionsError> {
        let json = zstd::decode_all(bytes).map_err(DefinitionsError::Decompress)?;
        serde_json::from_slice(&json).map_err(DefinitionsError::Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_zstd_are_refused() {
        let error = Document::from_zstd(b"{}").unwrap_err();
        assert!(matches!(error, DefinitionsError::Decompress(_)), "{error}");
    }

    #[test]
    fn another_document_is_refused() {
        let bytes = zstd::encode_all(&b"{\"types\": 3}"[..], 1).unwrap();
        let error = Document::from_zstd(&bytes).unwrap_err();
        assert!(matches!(error, DefinitionsError::Form(_)), "{error}");
    }
}
