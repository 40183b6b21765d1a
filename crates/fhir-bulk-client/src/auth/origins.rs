//! The origins that may see the token: that of the FHIR base, and those that the user names, for example where a
//! server keeps attachments behind the same token.

use url::{Origin, Url};

/// Scheme, host and port of who may see the token.
#[derive(Clone, Debug)]
pub(crate) struct Origins(Vec<Origin>);

impl Origins {
    /// The origin of `base`, and those of `more`.
    pub(crate) fn new<'a>(base: &'a Url, more: impl IntoIterator<Item = &'a Url>) -> Self {
        Self(std::iter::once(base).chain(more).map(Url::origin).collect())
    }

    pub(crate) fn may_see(&self, url: &Url) -> bool {
        // An opaque origin (of `data:` and the like) equals none, not even itself.
        self.0.contains(&url.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_base_origin_may_see_it_and_no_other() {
        let origins = Origins::new(&url("https://ehr.example/fhir"), []);
        assert!(origins.may_see(&url("https://ehr.example/files/1")));
        assert!(origins.may_see(&url("https://ehr.example:443/files/1")));
        for elsewhere in [
            "http://ehr.example/1",
            "https://ehr.example:8443/1",
            "https://files.ehr.example/1",
            "https://ehr.example.evil.example/1",
            "data:text/plain,x",
        ] {
            assert!(!origins.may_see(&url(elsewhere)), "{elsewhere}");
        }
    }

    #[test]
    fn the_user_may_name_others() {
        let files = url("https://files.ehr.example/a/path");
        let origins = Origins::new(&url("https://ehr.example/fhir"), [&files]);
        assert!(origins.may_see(&url("https://files.ehr.example/other")));
        assert!(!origins.may_see(&url("http://files.ehr.example/other")));
    }
}
