//! Where a Reference points (<https://hl7.org/fhir/R4/references.html#literal>).

use fhir_definitions::Definitions;

use crate::json::Names;
use crate::scan::is_legal_id;

/// The base URL of the server whose resources are flattened: absolute references below it are its own.
///
/// Of two URLs that differ only in `http` or `https`, in the case of the host or in a `/` at the end, FHIR says
/// that they name the same server.
///
/// ```
/// use fhir_arrow::ServerBase;
///
/// assert_eq!(ServerBase::new("https://FHIR.example.org/R4/"), ServerBase::new("http://fhir.example.org/R4"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ServerBase {
    host: String,
    /// From the first `/` on, without one at the end.
    path: String,
}

impl std::fmt::Debug for ServerBase {
    /// Without the user information that a URL may have.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.host.rsplit('@').next().unwrap_or_default();
        write!(f, "ServerBase({host}{})", self.path)
    }
}

impl ServerBase {
    /// The server with this base URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let url = url.trim();
        let url = without_scheme(url).unwrap_or(url);
        let (host, path) = url.split_at(url.find('/').unwrap_or(url.len()));
        Self { host: host.to_ascii_lowercase(), path: path.trim_end_matches('/').to_owned() }
    }

    /// What of an absolute URL without scheme comes after the base and its `/`.
    fn strip<'a>(&self, url: &'a str) -> Option<&'a str> {
        let (host, path) = url.split_at_checked(self.host.len())?;
        let below = host.eq_ignore_ascii_case(&self.host).then_some(path)?;
        below.strip_prefix(self.path.as_str())?.strip_prefix('/')
    }
}

fn without_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_at_checked(4)?;
    if !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    rest.strip_prefix("://")
        .or_else(|| rest.get(1..).filter(|_| rest.starts_with(['s', 'S']))?.strip_prefix("://"))
}

/// The resource that a reference names, as far as its text says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Target<'a> {
    pub(crate) resource_type: Option<&'a str>,
    /// The id on the server that is flattened: never without a type.
    pub(crate) id: Option<&'a str>,
}

/// Reads references.
#[derive(Debug)]
pub(crate) struct Resolver<'s> {
    pub(crate) base: Option<&'s ServerBase>,
    pub(crate) resource_types: &'s Names,
}

impl Resolver<'_> {
    /// The type and id of `Patient/1`, also with `/_history/2` behind it or the server's base before it; the type
    /// alone of a conditional reference (`Patient?identifier=…`) and of one to another server; nothing of `#p1`,
    /// `urn:uuid:…` and what is no reference.
    pub(crate) fn resolve<'a>(&self, reference: &'a str) -> Target<'a> {
        let relative = match without_scheme(reference) {
            None => reference,
            Some(absolute) => match self.base.and_then(|base| base.strip(absolute)) {
                Some(relative) => relative,
                None => return self.foreign(absolute),
            },
        };
        let Some(end) = relative.bytes().position(|byte| byte == b'/' || byte == b'?') else {
            return Target::default();
        };
        let (resource_type, rest) = relative.split_at(end);
        if self.resource_types.get(resource_type).is_none() {
            return Target::default();
        }
        let id = match rest.strip_prefix('/') {
            Some(path) => {
                let (id, version) = path.split_once('/').map_or((path, None), |(id, rest)| (id, Some(rest)));
                let is_version = version.is_none_or(|version| {
                    version.strip_prefix("_history/").is_some_and(|version| !version.is_empty())
                });
                if !is_legal_id(id) || !is_version {
                    return Target::default();
                }
                Some(id)
            }
            None => None,
        };
        Target { resource_type: Some(resource_type), id }
    }

    /// The type of `other.example.org/fhir/Patient/1`.
    fn foreign<'a>(&self, absolute: &'a str) -> Target<'a> {
        let unversioned = absolute.split("/_history/").next().unwrap_or(absolute);
        let mut segments = unversioned.rsplit('/');
        let (id, resource_type) = (segments.next(), segments.next());
        let is_named = |name: &&str| {
            id.is_some_and(is_legal_id)
                && segments.next().is_some()
                && self.resource_types.get(name).is_some()
        };
        Target { resource_type: resource_type.filter(is_named), id: None }
    }
}

/// Reads the text of references as the columns `__reference_type` and `__reference_id` have it.
///
/// ```
/// use fhir_arrow::{References, ServerBase};
/// use fhir_definitions::Definitions;
///
/// let base = ServerBase::new("https://fhir.example.org/r4");
/// let references = References::new(Definitions::r4(), Some(base));
/// assert_eq!(references.target("Patient/1/_history/2"), (Some("Patient"), Some("1")));
/// assert_eq!(references.target("https://fhir.example.org/r4/Patient/1"), (Some("Patient"), Some("1")));
/// assert_eq!(references.target("https://elsewhere.example.org/Patient/1"), (Some("Patient"), None));
/// assert_eq!(references.target("#p1"), (None, None));
/// ```
#[derive(Debug)]
pub struct References {
    base: Option<ServerBase>,
    resource_types: Names,
}

impl References {
    /// References between the resources of a FHIR version, on the server with this base URL, if it is known.
    #[must_use]
    pub fn new(definitions: &Definitions, base: Option<ServerBase>) -> Self {
        let types = definitions.resource_types();
        Self { base, resource_types: Names::new(types.iter().map(String::as_str).zip(0..)) }
    }

    /// The type that a reference names, and the id of its target, if it is a resource of the server.
    #[must_use]
    pub fn target<'a>(&self, reference: &'a str) -> (Option<&'a str>, Option<&'a str>) {
        let resolver = Resolver { base: self.base.as_ref(), resource_types: &self.resource_types };
        let target = resolver.resolve(reference);
        (target.resource_type, target.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve<'a>(base: &str, reference: &'a str) -> (Option<&'a str>, Option<&'a str>) {
        let base = ServerBase::new(base);
        let resource_types = Names::new(["Patient", "Practitioner", "Group"].into_iter().zip(0..));
        let resolver = Resolver { base: Some(&base), resource_types: &resource_types };
        let target = resolver.resolve(reference);
        (target.resource_type, target.id)
    }

    const BASE: &str = "https://fhir.example.org:8443/r4/";

    #[test]
    fn references_to_the_server_have_type_and_id() {
        for reference in [
            "Patient/p-1",
            "Patient/p-1/_history/2",
            "https://fhir.example.org:8443/r4/Patient/p-1",
            "http://FHIR.example.org:8443/r4/Patient/p-1/_history/2",
        ] {
            assert_eq!(resolve(BASE, reference), (Some("Patient"), Some("p-1")), "{reference}");
        }
        assert_eq!(resolve("http://h", "http://h/Group/1"), (Some("Group"), Some("1")));
        assert_eq!(resolve("http://h/a", "http://h/ab/Group/1"), (Some("Group"), None));
    }

    #[test]
    fn references_to_elsewhere_have_at_most_a_type() {
        for reference in [
            "Patient?identifier=http://s|v/x",
            "https://other.example.org/r4/Patient/1",
            "https://fhir.example.org/r4/Patient/1",
            "https://fhir.example.org:8443/r4x/Patient/1/_history/1",
            "https://fhir.example.org:8443/r4/Patient?identifier=1",
        ] {
            assert_eq!(resolve(BASE, reference), (Some("Patient"), None), "{reference}");
        }
        for reference in [
            "",
            "#",
            "#p1",
            "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            "urn:oid:1.2.3",
            "Patient",
            "Patient/",
            "Patient/1/",
            "Patient/1/_history",
            "Patient/1/_history/",
            "Patient/1#x",
            "Patient/a b",
            "/Patient/1",
            "patient/1",
            "Planet/1",
            "Planet?name=x",
            "https://other.example.org/Patient",
            "https://Patient/1",
            "https://",
            "ftp://fhir.example.org/Patient/1",
        ] {
            assert_eq!(resolve(BASE, reference), (None, None), "{reference}");
        }
    }

    #[test]
    fn without_a_base_all_absolute_references_are_foreign() {
        let resource_types = Names::new([("Patient", 0)]);
        let resolver = Resolver { base: None, resource_types: &resource_types };
        let target = resolver.resolve("https://fhir.example.org/r4/Patient/1");
        assert_eq!(target, Target { resource_type: Some("Patient"), id: None });
        assert_eq!(resolver.resolve("Patient/1").id, Some("1"));
    }

    #[test]
    fn a_base_is_displayed_without_its_user() {
        let base = ServerBase::new("https://user:secret@fhir.example.org/r4");
        assert_eq!(format!("{base:?}"), "ServerBase(fhir.example.org/r4)");
    }
}
