//! Canonical URLs: how definitions name each other (<https://hl7.org/fhir/R4/references.html#canonical>).

use anyhow::{Context, Result};

/// The name of the type at the end of `http://hl7.org/fhir/StructureDefinition/Patient`.
///
/// # Errors
/// Where the URL names something else.
pub fn type_name(canonical: &str) -> Result<String> {
    let name = url(canonical)
        .strip_prefix("http://hl7.org/fhir/StructureDefinition/")
        .with_context(|| format!("{canonical} is no type of the specification"))?;
    Ok(name.to_owned())
}

/// The URL without the version that may stand behind it: `http://hl7.org/fhir/ValueSet/languages|4.0.1`.
pub fn url(canonical: &str) -> &str {
    canonical.split('|').next().unwrap_or(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_with_or_without_its_version() {
        for canonical in [
            "http://hl7.org/fhir/StructureDefinition/Patient",
            "http://hl7.org/fhir/StructureDefinition/Patient|5.0.0",
        ] {
            assert_eq!(type_name(canonical).unwrap(), "Patient");
        }
        assert!(type_name("http://elsewhere/Patient").is_err());
    }
}
