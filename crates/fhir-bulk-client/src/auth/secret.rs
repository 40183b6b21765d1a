//! A value that must not be printed.

use std::fmt;

/// A credential, for example a bearer token.
///
/// It has no `Display`, and its `Debug` prints `[redacted]`, so that it cannot get into a log or an error by being
/// part of something that is printed. [`Secret::expose`] is the one way to its content, easy to find in a review.
///
/// ```compile_fail,E0277
/// let token = fhir_bulk_client::Secret::new("t0ken");
/// println!("{token}");
/// ```
/// Nor can it get into a file by being part of something that is stored:
/// ```compile_fail,E0277
/// let token = fhir_bulk_client::Secret::new("t0ken");
/// serde_json::to_string(&token);
/// ```
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the value as it is: nothing is trimmed.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The content, for the request it belongs to and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_content() {
        let secret = Secret::new("abc123");
        assert_eq!(format!("{:?}", Some(&secret)), "Some([redacted])");
        assert_eq!(secret.expose(), "abc123");
    }
}
