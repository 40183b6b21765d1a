//! What is looked at beyond the structure: bindings, targets of references, constraints.
//!
//! It is a walk of its own over a resource whose structure may be at fault: what is of the wrong form is passed by.

use std::borrow::Cow;

use fhir_definitions::Severity as ConstraintSeverity;

use super::Validator;
use super::finding::{FindingKind, Severity};
use super::format::Primitive;
use super::invariant::{Environment, Invariant, Node};
use super::local::LocalReferences;
use super::report::Report;
use super::rules::{Check, Object, Rule};
use super::walk::resource_rules;
use crate::json::{Kind, Value};
use crate::reference::Resolver;

/// The walk over a resource and the resources within it.
pub(super) struct Checks<'c, 'r> {
    validator: &'c Validator,
    pub(super) report: &'r mut Report<'c>,
    /// The resource that the walk is in.
    resource: Node<'c>,
    /// The resource that this one is contained in, or itself.
    root: Node<'c>,
    pub(super) local: LocalReferences<'c>,
}

impl<'c, 'r> Checks<'c, 'r> {
    /// Looks at a resource as a whole.
    pub(super) fn run(validator: &'c Validator, root: Value<'c>, report: &'r mut Report<'c>) {
        let Ok(rules) = resource_rules(validator, root) else { return };
        let node = Node::object(rules, root);
        let local = LocalReferences::default();
        let mut checks = Checks { validator, report, resource: node, root: node, local };
        checks.whole_resource(rules, root);
    }

    /// A resource that is not contained in another one.
    fn whole_resource(&mut self, rules: &'c Object, value: Value<'c>) {
        let node = Node::object(rules, value);
        let around = (self.resource, self.root, std::mem::take(&mut self.local));
        (self.resource, self.root) = (node, node);
        self.object(rules, value);
        self.local_references(value);
        (self.resource, self.root, self.local) = around;
    }

    fn resource(&mut self, value: Value<'c>, is_contained: bool) {
        let Ok(rules) = resource_rules(self.validator, value) else { return };
        if is_contained {
            let around = std::mem::replace(&mut self.resource, Node::object(rules, value));
            self.object(rules, value);
            self.resource = around;
        } else {
            self.whole_resource(rules, value);
        }
    }

    fn object(&mut self, rules: &'c Object, object: Value<'c>) {
        for (key, value) in object.members() {
            let Some(position) = rules.find(key) else { continue };
            match value.kind() {
                Kind::Array => value.elements().for_each(|value| self.value(rules, position, value)),
                _ => self.value(rules, position, value),
            }
        }
        self.invariants(&rules.invariants, || Node::object(rules, object), object);
    }

    /// A value of the member at this position.
    #[inline]
    fn value(&mut self, rules: &'c Object, position: usize, value: Value<'c>) {
        let check = rules.checks.get(position).and_then(Option::as_deref);
        match (rules.members[position].rule, value.kind()) {
            (_, Kind::Null) => return,
            (Rule::Primitive(primitive), _) => {
                let is_reference = check.is_some_and(|check| check.is_reference);
                if is_reference || primitive == Primitive::Uri {
                    self.local.note(value, is_reference);
                }
                let Some(check) = check else { return };
                let type_name = rules.type_names[position];
                self.invariants(&check.invariants, || Node::primitive(primitive, type_name, value), value);
            }
            (Rule::Object(id), Kind::Object) => {
                let inside = self.validator.object(id);
                self.object(inside, value);
                let Some(check) = check else { return };
                self.invariants(&check.invariants, || Node::object(inside, value), value);
                self.reference(inside, check, value);
            }
            (Rule::Sibling(id), Kind::Object) => return self.object(self.validator.object(id), value),
            (Rule::Resource, Kind::Object) => {
                return self.resource(value, rules.element_of(rules.members[position]).name == "contained");
            }
            _ => return,
        }
        if let Some(check) = check {
            self.binding(check, value);
        }
    }

    fn invariants(&mut self, invariants: &'c [Invariant], node: impl Fn() -> Node<'c>, value: Value<'c>) {
        for invariant in invariants {
            let environment = Environment {
                validator: self.validator,
                context: node(),
                resource: self.resource,
                root_resource: self.root,
            };
            if invariant.is_violated(&environment) {
                let constraint = invariant.constraint;
                let severity = match constraint.severity {
                    ConstraintSeverity::Error => Severity::Error,
                    ConstraintSeverity::Warning => Severity::Warning,
                };
                let kind = FindingKind::Invariant(&constraint.key);
                self.report.add(kind, severity, value.start(), Cow::Borrowed(constraint.human.as_str()));
            }
        }
    }

    /// Whether the codes of a required binding are in its value set: one of the codings of a CodeableConcept is enough.
    fn binding(&mut self, check: &Check, value: Value<'c>) {
        let Some(codes) = check.code_set else { return };
        let coding = |coding: Value<'_>| {
            let text = |name: &str| coding.member(name).and_then(Value::string);
            matches!((text("system"), text("code")), (Some(system), Some(code)) if codes.contains_coded(&system, &code))
        };
        let is_bound = match value.kind() {
            Kind::Object => match value.member("coding") {
                Some(codings) => codings.elements().any(coding),
                None => coding(value),
            },
            _ => value.string().is_none_or(|code| codes.contains(&code)),
        };
        if !is_bound {
            let reason = format!("a code of the value set {} is required", codes.value_set);
            self.report.add(FindingKind::RequiredBinding, Severity::Error, value.start(), Cow::Owned(reason));
        }
    }

    /// What a Reference points to, as far as its text and its `type` say so.
    fn reference(&mut self, rules: &Object, check: &Check, value: Value<'c>) {
        let reference = match rules.type_name {
            "CodeableReference" => match value.member("reference") {
                Some(reference) => reference,
                None => return,
            },
            _ => value,
        };
        if check.targets.is_empty() || check.targets.iter().any(|target| target == "Resource") {
            return;
        }
        let text = reference.member("reference").and_then(Value::string);
        let named = reference.member("type").and_then(Value::string);
        let named = named.as_deref().map(|name| name.rsplit('/').next().unwrap_or(name));
        let target = text.as_deref().and_then(|text| self.type_of(text));
        let is_target = |name: &str| check.targets.iter().any(|target| target == name);
        let reason = match (target.as_deref(), named) {
            (Some(target), Some(named)) if target != named => "a reference is to what its type says",
            (Some(target), _) if !is_target(target) => {
                "the reference is to a type that the element does not point to"
            }
            (None, Some(named)) if !is_target(named) => "the type is one that the element does not point to",
            _ => return,
        };
        let reason = format!("{reason}: {}", check.targets.join(", "));
        self.report.add(FindingKind::ReferenceTarget, Severity::Error, reference.start(), Cow::Owned(reason));
    }

    /// The type that a reference is to.
    fn type_of(&self, reference: &str) -> Option<String> {
        if let Some(id) = reference.strip_prefix('#') {
            let contained = self.root.value?.member("contained")?;
            let has_id =
                |resource: &Value<'_>| resource.member("id").and_then(Value::string).as_deref() == Some(id);
            let resource = contained.elements().find(has_id)?;
            return resource.member("resourceType").and_then(Value::string).map(Cow::into_owned);
        }
        let resolver = Resolver { base: None, resource_types: &self.validator.resource_types };
        resolver.resolve(reference).resource_type.map(str::to_owned)
    }
}
