//! A ViewDefinition in a file.

use std::path::Path;

use fhir_sql::ViewDefinition;

use crate::error::{Error, Result};

/// Reads a ViewDefinition.
///
/// # Errors
/// [`Error::Query`] for what is none, with what is wrong with it.
pub fn read(path: &Path) -> Result<ViewDefinition> {
    parse(path, &std::fs::read_to_string(path).map_err(Error::io("read", path))?)
}

/// Reads the text of a ViewDefinition.
pub(super) fn parse(path: &Path, text: &str) -> Result<ViewDefinition> {
    ViewDefinition::parse(text).map_err(|error| Error::Query(format!("{}: {error}", path.display())))
}
