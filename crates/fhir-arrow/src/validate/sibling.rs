//! What stands beside the values of primitives: `_birthDate` has the id and the extensions of `birthDate`
//! (<https://hl7.org/fhir/R4/json.html#primitive>).
//!
//! Of a primitive that there may be many of, both are arrays, and `null` fills the places that one of them has nothing
//! at. Objects of this kind are rare, so they look for what they stand beside.

use super::finding::{FindingKind, Severity};
use super::rules::{Member, Object};
use super::walk::Walk;
use crate::json::{Key, Kind, Value};

impl<'w> Walk<'w, '_> {
    /// What a member with a `_` before its name holds.
    pub(super) fn sibling(
        &mut self,
        rules: &'w Object,
        member: Member,
        object: Value<'w>,
        key: Key<'w>,
        value: Value<'w>,
    ) {
        let name = key.name();
        let beside = object.member(name.strip_prefix('_').unwrap_or(&name));
        match (member.many, value.kind()) {
            (false, Kind::Object) => self.beside(rules, value, beside),
            (false, _) => self.wrong_type(value, "an object"),
            (true, Kind::Array) => self.siblings(rules, value, beside),
            (true, _) => self.wrong_type(value, "an array"),
        }
    }

    fn siblings(&mut self, rules: &'w Object, array: Value<'w>, beside: Option<Value<'w>>) {
        self.not_empty(array);
        let mut values = beside.into_iter().flat_map(Value::elements);
        let mut longer = false;
        for sibling in array.elements() {
            let value = values.next();
            longer |= value.is_none();
            match (sibling.kind(), value.map(Value::kind)) {
                (Kind::Object, _) => self.beside(rules, sibling, value),
                // Where both are null, it is told at the value.
                (Kind::Null, Some(_)) => {}
                _ => self.wrong_type(sibling, "an object"),
            }
        }
        if beside.is_some_and(|beside| beside.kind() == Kind::Array) && (longer || values.next().is_some()) {
            let reason = "the arrays of a primitive and of what stands beside it have as many values, filled up with null";
            self.report.add(FindingKind::Alignment, Severity::Warning, array.start(), reason);
        }
    }

    /// The object beside a value, or without one.
    fn beside(&mut self, rules: &'w Object, sibling: Value<'w>, value: Option<Value<'w>>) {
        self.object(rules, sibling);
        let has_value = value.is_some_and(|value| value.kind() != Kind::Null);
        if !has_value || sibling.members().next().is_none() {
            self.nothing(sibling);
        }
    }

    /// Looks for the object beside each `null` in the array of a primitive.
    #[cold]
    pub(super) fn nulls(&mut self, object: Value<'w>, name: &str, array: Value<'w>) {
        let beside = object.member(&format!("_{name}"));
        let mut siblings = beside.into_iter().flat_map(Value::elements);
        for value in array.elements() {
            let has_object = siblings.next().is_some_and(|sibling| sibling.kind() == Kind::Object);
            if value.kind() == Kind::Null && !has_object {
                let reason = "null stands for a value only where an object stands beside it";
                self.report(FindingKind::Null, value.start(), reason);
            }
        }
    }
}
