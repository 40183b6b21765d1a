//! What may travel unencrypted: nothing but what stays on this machine.
//!
//! Specification: all exchanges are secured by TLS
//! ([privacy and security](https://hl7.org/fhir/uv/bulkdata/export.html#privacy-and-security-considerations)). The
//! rule holds for every request of the client: the base, the authorization server, each address that a server names,
//! and each hop of a redirect.

use url::{Host, Url};

use super::redact;
use crate::error::{Error, ErrorKind};

/// Which addresses a client may speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// `https` only.
    Required,
    /// Also `http` to this machine: the base is there.
    ExceptLoopback,
    /// Anything: the user said so.
    Optional,
}

impl Encryption {
    /// The rule for a client of `base`; `optional` if the user allows `http` to anybody.
    pub(crate) fn for_base(base: &Url, optional: bool) -> Self {
        match (optional, is_loopback(base)) {
            (true, _) => Self::Optional,
            (false, true) => Self::ExceptLoopback,
            (false, false) => Self::Required,
        }
    }

    /// Refuses an address to which data would travel unencrypted.
    ///
    /// # Errors
    /// [`ErrorKind::Unencrypted`].
    pub(crate) fn check(self, url: &Url) -> Result<(), Error> {
        let allowed = match (url.scheme(), self) {
            ("https", _) | ("http", Self::Optional) => true,
            ("http", Self::ExceptLoopback) => is_loopback(url),
            _ => false,
        };
        if allowed {
            return Ok(());
        }
        let what = format!("{} is not encrypted: http:// is for this machine only", redact(url));
        Err(Error::new(ErrorKind::Unencrypted, what))
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

    fn check(base: &str, url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        Encryption::for_base(&Url::parse(base).unwrap(), false).check(&url).is_ok()
    }

    #[test]
    fn https_goes_everywhere() {
        assert!(check("https://ehr.example", "https://files.example/1"));
        assert!(check("http://127.0.0.1:1", "https://files.example/1"));
    }

    #[test]
    fn http_stays_on_this_machine() {
        for here in ["http://127.0.0.1:1/fhir", "http://localhost/fhir", "http://[::1]:8080/"] {
            assert!(check("http://localhost:8080", here), "{here}");
            assert!(!check("https://ehr.example", here), "a server elsewhere has no business here: {here}");
        }
        assert!(!check("http://localhost", "http://ehr.example/fhir"));
        assert!(!check("http://localhost", "ftp://localhost/fhir"));
    }

    #[test]
    fn what_is_refused_is_named_without_its_secrets() {
        let url = Url::parse("http://files.example/1?sig=abc").unwrap();
        let error = Encryption::Required.check(&url).unwrap_err();
        insta::assert_snapshot!(error, @"http://files.example/1?sig=… is not encrypted: http:// is for this machine only");
        assert!(Encryption::Optional.check(&url).is_ok());
    }
}
