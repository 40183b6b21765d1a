//! The walk over a resource beside the rules of its type.

use std::borrow::Cow;

use super::Validator;
use super::finding::{FindingKind, Severity};
use super::format::{Fault, Primitive};
use super::report::Report;
use super::rules::{ElementSet, Form, Member, Object, Rule};
use crate::json::{Key, Kind, Value};

/// The walk over a resource and all that is in it.
pub(super) struct Walk<'w, 'r> {
    pub(super) validator: &'w Validator,
    pub(super) report: &'r mut Report<'w>,
    /// For strings with escapes.
    scratch: String,
}

impl<'w, 'r> Walk<'w, 'r> {
    pub(super) fn new(validator: &'w Validator, report: &'r mut Report<'w>) -> Self {
        Self { validator, report, scratch: String::new() }
    }

    /// A resource, the whole one or one within it.
    pub(super) fn resource(&mut self, value: Value<'w>) {
        if value.kind() != Kind::Object {
            return self.wrong_type(value, "an object");
        }
        match resource_rules(self.validator, value) {
            Ok(rules) => self.object(rules, value),
            Err((place, reason)) => self.report(FindingKind::UnknownType, place, reason),
        }
    }

    /// An object of these rules.
    pub(super) fn object(&mut self, rules: &'w Object, object: Value<'w>) {
        let mut seen: ElementSet = 0;
        for (key, value) in object.members() {
            let Some(position) = rules.find(key) else {
                let reason = "FHIR has no such element here";
                self.report.add(FindingKind::UnknownElement, Severity::Warning, key.start(), reason);
                continue;
            };
            let member = rules.members[position];
            if let Rule::ResourceType = member.rule {
                continue;
            }
            let bit = member.bit();
            if seen & bit != 0 && rules.element_of(member).choice {
                self.chosen_again(rules, object, key, member);
            }
            seen |= bit;
            match (member.rule, member.many, value.kind()) {
                (Rule::Sibling(id), ..) => {
                    self.sibling(self.validator.object(id), member, object, key, value)
                }
                (rule, false, _) => self.value(rule, value),
                (Rule::Primitive(primitive), true, Kind::Array) => {
                    self.primitives(primitive, object, key, value)
                }
                (rule, true, Kind::Array) => {
                    self.not_empty(value);
                    for value in value.elements() {
                        self.value(rule, value);
                    }
                }
                (_, true, _) => self.wrong_type(value, "an array"),
            }
        }
        let missing = rules.required & !seen;
        if missing != 0 {
            self.missing(rules, object, missing);
        }
        self.form(rules, object, seen);
    }

    /// One value of an element.
    #[inline]
    fn value(&mut self, rule: Rule, value: Value<'w>) {
        match rule {
            Rule::Primitive(primitive) => self.primitive(primitive, value),
            Rule::Object(id) if value.kind() == Kind::Object => self.object(self.validator.object(id), value),
            Rule::Object(_) => self.wrong_type(value, "an object"),
            Rule::Resource => self.resource(value),
            Rule::ResourceType | Rule::Sibling(_) | Rule::Anything => {}
        }
    }

    #[inline]
    fn primitive(&mut self, primitive: Primitive, value: Value<'w>) {
        if !primitive.holds(value)
            && let Some(fault) = primitive.fault(value, &mut self.scratch)
        {
            self.fault(fault, value);
        }
    }

    /// The values of a primitive that there may be many of: `null` stands for those that have an object beside them.
    fn primitives(&mut self, primitive: Primitive, object: Value<'w>, key: Key<'w>, array: Value<'w>) {
        self.not_empty(array);
        let mut has_null = false;
        for value in array.elements() {
            if value.kind() == Kind::Null {
                has_null = true;
            } else {
                self.primitive(primitive, value);
            }
        }
        if has_null {
            self.nulls(object, &key.name(), array);
        }
    }

    #[inline]
    pub(super) fn not_empty(&mut self, array: Value<'w>) {
        if array.elements().next().is_none() {
            self.report(FindingKind::Empty, array.start(), "an array has at least one value");
        }
    }

    /// What has to hold of an object with these elements.
    #[inline]
    fn form(&mut self, rules: &Object, object: Value<'w>, seen: ElementSet) {
        match rules.form {
            Form::Resource | Form::Sibling => {}
            Form::Extension { value, extension } => {
                if (seen & value != 0) == (seen & extension != 0) {
                    let reason = "an extension has either a value or extensions";
                    self.report(FindingKind::Invariant("ext-1"), object.start(), reason);
                }
            }
            Form::Element { id } => {
                if seen & !id == 0 {
                    self.nothing(object);
                }
            }
        }
    }

    /// An object has nothing, or nothing but an id or members that are unknown.
    #[cold]
    pub(super) fn nothing(&mut self, object: Value<'w>) {
        let mut members = object.members();
        match (members.next(), members.next()) {
            (None, _) => self.report(FindingKind::Empty, object.start(), "an object has at least one member"),
            (Some((key, _)), None) if key.name() == "id" => {
                let reason = "an element has a value or elements besides its id";
                self.report(FindingKind::Invariant("ele-1"), object.start(), reason);
            }
            _ => {}
        }
    }

    #[cold]
    fn missing(&mut self, rules: &Object, object: Value<'w>, missing: ElementSet) {
        for (position, element) in rules.elements.iter().enumerate() {
            if missing >> position & 1 == 1 {
                self.report.add_missing(object.start(), element.name);
            }
        }
    }

    /// A member whose choice has had a value: that is in order only for the value and what stands beside it.
    #[cold]
    fn chosen_again(&mut self, rules: &Object, object: Value<'w>, key: Key<'w>, member: Member) {
        let base = |name: &str| name.strip_prefix('_').unwrap_or(name).to_owned();
        let name = base(&key.name());
        let before = object.members().take_while(|(other, _)| other.start() < key.start());
        let is_other = |other: Key<'_>| {
            let position = rules.names.find(other.hash(), &other.name());
            let same_element = position
                .is_some_and(|position| rules.members[usize::from(position)].element == member.element);
            same_element && base(&other.name()) != name
        };
        if before.map(|(other, _)| other).any(is_other) {
            self.report(FindingKind::SeveralChoices, key.start(), "a choice has a value of one type only");
        }
    }

    #[cold]
    pub(super) fn fault(&mut self, fault: Fault, value: Value<'w>) {
        let place = value.start();
        match fault {
            Fault::JsonType(expected) => self.wrong_type(value, expected),
            Fault::Null => self.wrong_type(value, "a value"),
            Fault::Empty => self.report(FindingKind::Empty, place, "a string has at least one character"),
            Fault::Form(reason) => self.report(FindingKind::PrimitiveFormat, place, reason),
            Fault::Unwise(reason) => {
                self.report.add(FindingKind::PrimitiveFormat, Severity::Warning, place, reason);
            }
        }
    }

    #[cold]
    pub(super) fn wrong_type(&mut self, value: Value<'w>, expected: &'static str) {
        let found = match value.kind() {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String | Kind::Key => "a string",
            Kind::Number => "a number",
            Kind::True | Kind::False => "true or false",
            Kind::Null => {
                let reason = format!("{expected} is expected, and null has no meaning here");
                return self.report(FindingKind::Null, value.start(), reason);
            }
        };
        self.report(FindingKind::JsonType, value.start(), format!("{expected} is expected, not {found}"));
    }

    #[cold]
    pub(super) fn report(&mut self, kind: FindingKind, offset: usize, reason: impl Into<Cow<'static, str>>) {
        self.report.add(kind, Severity::Error, offset, reason);
    }
}

/// The rules of the type that a resource says it has; otherwise a place and what is wrong there.
pub(super) fn resource_rules<'w>(
    validator: &'w Validator,
    resource: Value<'_>,
) -> Result<&'w Object, (usize, &'static str)> {
    let Some(name) = resource.member("resourceType") else {
        return Err((resource.start(), "a resource says its type in resourceType"));
    };
    let rules = name.string().and_then(|name| validator.resource_type(&name));
    rules.ok_or((name.start(), "the FHIR version has no such resource type"))
}
