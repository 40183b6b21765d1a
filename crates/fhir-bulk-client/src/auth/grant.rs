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

    /// What the token does not cover of an export of these types, or of all if there are none.
    pub(crate) fn warning_of_types(&self, types: &[String]) -> Option<String> {
        let readable = self.scopes().readable_types()?;
        let beyond: Vec<&str> =
            types.iter().filter(|name| !readable.contains(name)).map(String::as_str).collect();
        match (types.is_empty(), beyond.is_empty()) {
            (true, _) => {
                Some(format!("the token is for {} alone: the export has no more", readable.join(", ")))
            }
            (false, false) => Some(format!("the token is not for {}", beyond.join(", "))),
            (false, true) => None,
        }
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
        if !self.scopes().may_read() {
            warnings.push(format!(
                "no scope of the token allows to read: the server will refuse, or export nothing; the scopes are {:?}",
                self.scopes().to_string()
            ));
        }
        if self.patient.is_some() || self.scopes().is_of_a_patient() {
            warnings.push("the token is for a single patient: the export has no others".to_owned());
        }
        warnings
    }
}
