//! What the authorization server granted, beside the token itself.

use std::time::Duration;

use super::Scopes;

/// A token's scopes and lifetime. The token is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// What was asked for.
    pub asked: Scopes,
    /// What was granted, where the server says so; otherwise it is what was asked for.
    pub granted: Option<Scopes>,
    /// For how long, where the server says so.
    pub expires_in: Option<Duration>,
    /// The one patient whom the token is for (`patient` of the token response), if it is for one.
    pub patient: Option<String>,
}

impl Grant {
    /// The scopes that were asked for and not granted in full.
    pub fn missing(&self) -> Vec<String> {
        self.granted.as_ref().map_or_else(Vec::new, |granted| self.asked.not_in(granted))
    }

    /// The scopes that the token has, as far as is known.
    pub fn scopes(&self) -> &Scopes {
        self.granted.as_ref().unwrap_or(&self.asked)
    }

    /// What may not be as the caller means, for a person to read.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let missing = self.missing();
        if !missing.is_empty() {
            warnings.push(format!(
                "the server granted less than was asked: {} is missing; granted is {:?}",
                missing.join(" "),
                self.scopes().to_string()
            ));
        }
        if self.patient.is_some() || self.scopes().is_of_a_patient() {
            warnings.push("the token is for a single patient: the export has no others".to_owned());
        }
        warnings
    }
}
