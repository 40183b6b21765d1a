//! A bearer token ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) bound to one origin.
//!
//! Invariant: the header leaves this module only for a URL of the FHIR base's own origin (scheme, host and port).
//! A status URL, a file or a redirect elsewhere, for example a pre-signed URL of an object store, gets none.

use reqwest::header::HeaderValue;
use url::{Host, Origin, Url};

use super::Secret;
use crate::error::{Error, ErrorKind};
use crate::http::redact;

/// The `Authorization` header and the origin it is for.
pub(crate) struct Bearer {
    secret: Secret,
    header: HeaderValue,
    origin: Origin,
}

impl Bearer {
    /// Binds `token` to the origin of `base`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the token would travel unencrypted (`http://` to a host other than this one), or if
    /// it is empty or has characters that a header cannot carry.
    pub(crate) fn new(token: Secret, base: &Url) -> Result<Self, Error> {
        if base.scheme() != "https" && !is_loopback(base) {
            let what = format!(
                "a bearer token would be sent unencrypted to {}: with a token, http:// is allowed to this machine only",
                redact(base)
            );
            return Err(Error::new(ErrorKind::Config, what).with_hint("use an https:// base URL"));
        }
        let unusable = |why: &str| Error::new(ErrorKind::Config, format!("the bearer token {why}"));
        if token.expose().is_empty() {
            return Err(unusable("is empty"));
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
            unusable("has characters that a header cannot carry")
                .with_hint("a line end at the end of the token's file?")
        })?;
        header.set_sensitive(true);
        Ok(Self { secret: token, header, origin: base.origin() })
    }

    /// The header for a request to `url`, or none if `url` is not of the token's origin.
    pub(crate) fn header_for(&self, url: &Url) -> Option<HeaderValue> {
        (url.origin() == self.origin).then(|| self.header.clone())
    }

    /// `text` of a server without the token, which some servers repeat when they refuse it.
    pub(crate) fn scrub(&self, text: String) -> String {
        if text.contains(self.secret.expose()) {
            text.replace(self.secret.expose(), "[redacted]")
        } else {
            text
        }
    }
}

/// Whether `url` points to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(base: &str) -> Result<Bearer, Error> {
        Bearer::new(Secret::new("t0ken"), &Url::parse(base).unwrap())
    }

    #[test]
    fn the_header_is_for_the_base_origin_only() {
        let bearer = bearer("https://ehr.example/fhir").unwrap();
        let header = |url: &str| bearer.header_for(&Url::parse(url).unwrap());
        assert_eq!(header("https://ehr.example/files/1").unwrap(), "Bearer t0ken");
        assert_eq!(header("https://ehr.example:443/files/1").unwrap(), "Bearer t0ken");
        for elsewhere in ["http://ehr.example/1", "https://ehr.example:8443/1", "https://files.ehr.example/1"]
        {
            assert!(header(elsewhere).is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn http_with_a_token_is_for_this_machine_only() {
        for here in
            ["http://127.0.0.1:1/fhir", "http://localhost/fhir", "http://[::1]:8080/", "https://ehr.example"]
        {
            assert!(bearer(here).is_ok(), "{here}");
        }
        let error = bearer("http://ehr.example/fhir").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        insta::assert_snapshot!(error, @"a bearer token would be sent unencrypted to http://ehr.example/fhir: with a token, http:// is allowed to this machine only. Hint: use an https:// base URL");
    }

    #[test]
    fn a_token_with_a_line_end_is_refused() {
        let base = Url::parse("https://ehr.example").unwrap();
        let error = Bearer::new(Secret::new("abc\n"), &base).err().unwrap();
        assert!(!error.to_string().contains("abc"));
        insta::assert_snapshot!(error, @"the bearer token has characters that a header cannot carry. Hint: a line end at the end of the token's file?");
    }

    #[test]
    fn a_token_that_the_server_repeats_is_taken_out() {
        let bearer = bearer("https://ehr.example").unwrap();
        assert_eq!(bearer.scrub("Token t0ken is expired".into()), "Token [redacted] is expired");
    }
}
