//! A ViewDefinition in a file.

use std::path::Path;

use fhir_sql::ViewDefinition;

use crate::error::{Error, Result};

/// Reads a ViewDefinition.
///
/// # Errors
/// [`Error::Query`] for what is none, with what is wrong with it.
pub fn read(path: &Path) -> Result<ViewDefinition> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    ViewDefinition::parse(&text).map_err(|error| Error::Query(format!("{}: {error}", path.display())))
}
