//! References to contained resources (<https://hl7.org/fhir/R4/references.html#contained>): `#id` refers to one that is
//! there (`ref-1`), and each contained resource is referred to or refers to the resource that it is in (`dom-3`).
//!
//! As FHIRPath, these constraints look through the whole resource again for each reference. Here the walk notes what
//! begins with `#`, and compares at the end.

use std::borrow::Cow;
use std::collections::HashSet;

use super::checks::Checks;
use super::finding::{FindingKind, Severity};
use crate::json::Value;

/// What begins with `#` in a resource and those that it contains.
#[derive(Debug, Default)]
pub(super) struct LocalReferences<'c> {
    found: Vec<LocalReference<'c>>,
}

#[derive(Debug)]
struct LocalReference<'c> {
    /// The id behind the `#`; nothing where the resource itself is meant.
    id: Cow<'c, str>,
    place: usize,
    /// Whether it is that of a Reference, and no URI.
    is_reference: bool,
}

impl<'c> LocalReferences<'c> {
    /// Notes a string, if it begins with `#`.
    #[inline]
    pub(super) fn note(&mut self, value: Value<'c>, is_reference: bool) {
        if value.string_content().is_some_and(|(content, _)| content.starts_with('#')) {
            self.add(value, is_reference);
        }
    }

    #[cold]
    fn add(&mut self, value: Value<'c>, is_reference: bool) {
        let Some(text) = value.string() else { return };
        let id = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[1..]),
            Cow::Owned(text) => Cow::Owned(text[1..].to_owned()),
        };
        self.found.push(LocalReference { id, place: value.start(), is_reference });
    }
}

impl<'c> Checks<'c, '_> {
    /// Compares what a resource refers to with what it contains.
    pub(super) fn local_references(&mut self, resource: Value<'c>) {
        let contained = resource.member("contained");
        if contained.is_none() && self.local.found.is_empty() {
            return;
        }
        let found = std::mem::take(&mut self.local.found);
        let resources: Vec<Value<'_>> = contained.into_iter().flat_map(Value::elements).collect();
        let id_of = |resource: &Value<'c>| resource.member("id").and_then(Value::string);
        let ids: HashSet<Cow<'_, str>> = resources.iter().filter_map(id_of).collect();
        let referred: HashSet<&str> = found.iter().map(|reference| &*reference.id).collect();
        let is_in = |place: usize, resource: &Value<'_>| {
            (resource.start()..resource.start() + resource.raw().len()).contains(&place)
        };
        for reference in found.iter().filter(|reference| reference.is_reference) {
            let to_around =
                reference.id.is_empty() && resources.iter().any(|around| is_in(reference.place, around));
            if !to_around && !ids.contains(&reference.id) {
                self.violated(
                    "ref-1",
                    reference.place,
                    "a reference with # is to a resource that is contained",
                );
            }
        }
        for resource in &resources {
            let is_referred = id_of(resource).is_some_and(|id| referred.contains(&*id));
            let refers =
                found.iter().any(|reference| reference.id.is_empty() && is_in(reference.place, resource));
            if !is_referred && !refers {
                let reason = "a contained resource is referred to, or refers to the resource that it is in";
                self.violated("dom-3", resource.start(), reason);
            }
        }
    }

    fn violated(&mut self, key: &'static str, place: usize, reason: &'static str) {
        self.report.add(FindingKind::Invariant(key), Severity::Error, place, Cow::Borrowed(reason));
    }
}
