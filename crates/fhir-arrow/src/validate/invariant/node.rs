//! The elements of a resource as FHIRPath sees them: a value, what stands beside it, and its type.

use crate::json::{Kind, Name, Value};

use super::super::Validator;
use super::super::format::Primitive;
use super::super::rules::{Member, Object, Rule};
use super::super::walk::resource_rules;

/// One value of an element, or a resource.
#[derive(Debug, Clone, Copy)]
pub(in crate::validate) struct Node<'a> {
    /// `None` for a primitive that has only what stands beside it.
    pub(in crate::validate) value: Option<Value<'a>>,
    /// The object with the id and the extensions of a primitive.
    beside: Option<(&'a Object, Value<'a>)>,
    pub(in crate::validate) kind: NodeKind<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::validate) enum NodeKind<'a> {
    Object(&'a Object),
    Primitive(Primitive, &'a str),
}

impl<'a> Node<'a> {
    /// An object of these rules.
    pub(in crate::validate) fn object(rules: &'a Object, value: Value<'a>) -> Self {
        Self { value: Some(value), beside: None, kind: NodeKind::Object(rules) }
    }

    /// The value of a primitive of this type, without what stands beside it.
    pub(in crate::validate) fn primitive(primitive: Primitive, type_name: &'a str, value: Value<'a>) -> Self {
        Self { value: Some(value), beside: None, kind: NodeKind::Primitive(primitive, type_name) }
    }

    pub(super) fn type_name(self) -> &'a str {
        match self.kind {
            NodeKind::Object(rules) => rules.type_name,
            NodeKind::Primitive(_, type_name) => type_name,
        }
    }

    /// The object that the children of this element are members of.
    fn members_of(self) -> Option<(&'a Object, Value<'a>)> {
        match (self.kind, self.value) {
            (NodeKind::Object(rules), Some(value)) => Some((rules, value)),
            _ => self.beside,
        }
    }

    /// Visits the children of this name.
    pub(super) fn children_named(
        self,
        validator: &'a Validator,
        name: &Name,
        visit: &mut dyn FnMut(Node<'a>),
    ) {
        let Some((rules, object)) = self.members_of() else { return };
        let Some(element) = name.find_in(&rules.element_names) else { return };
        if rules.elements[element].choice {
            return self.children_of(validator, &|member| usize::from(member.element) == element, visit);
        }
        let Some(position) = name.find_in(&rules.names) else { return };
        let beside = match rules.members[position].rule {
            Rule::Primitive(_) => name.beside_of(object),
            _ => None,
        };
        pair(validator, rules, position, name.member_of(object), beside, visit);
    }

    /// Visits all children.
    pub(super) fn children(self, validator: &'a Validator, visit: &mut dyn FnMut(Node<'a>)) {
        self.children_of(validator, &|member| !matches!(member.rule, Rule::ResourceType), visit);
    }

    /// Visits the children that are values of these members.
    fn children_of(
        self,
        validator: &'a Validator,
        is_wanted: &dyn Fn(Member) -> bool,
        visit: &mut dyn FnMut(Node<'a>),
    ) {
        let Some((rules, object)) = self.members_of() else { return };
        let positions = || object.members().filter_map(|(key, value)| Some((rules.find(key)?, value)));
        let value_of =
            |position: usize| positions().find(|(other, _)| *other == position).map(|(_, value)| value);
        let is_beside = |position: usize| matches!(rules.members[position].rule, Rule::Sibling(_));
        let any_beside = positions().any(|(position, _)| is_beside(position));
        for (position, value) in positions().filter(|(position, _)| is_wanted(rules.members[*position])) {
            if is_beside(position) {
                // It is visited with its value, where it has one.
                if value_of(position + 1).is_none() {
                    pair(validator, rules, position + 1, None, Some(value), visit);
                }
            } else {
                let beside = position.checked_sub(1).filter(|beside| any_beside && is_beside(*beside));
                pair(validator, rules, position, Some(value), beside.and_then(value_of), visit);
            }
        }
    }
}

/// Visits the values of a member, each with what stands beside it.
fn pair<'a>(
    validator: &'a Validator,
    rules: &'a Object,
    position: usize,
    value: Option<Value<'a>>,
    beside: Option<Value<'a>>,
    visit: &mut dyn FnMut(Node<'a>),
) {
    let member = rules.members[position];
    if !member.many {
        return visit_one(validator, rules, position, value, beside, visit);
    }
    let mut values = value.into_iter().flat_map(Value::elements);
    let mut others = beside.into_iter().flat_map(Value::elements);
    loop {
        let (value, beside) = (values.next(), others.next());
        if value.is_none() && beside.is_none() {
            return;
        }
        visit_one(validator, rules, position, value, beside, visit);
    }
}

fn visit_one<'a>(
    validator: &'a Validator,
    rules: &'a Object,
    position: usize,
    value: Option<Value<'a>>,
    beside: Option<Value<'a>>,
    visit: &mut dyn FnMut(Node<'a>),
) {
    let value = value.filter(|value| value.kind() != Kind::Null);
    match rules.members[position].rule {
        Rule::Primitive(primitive) => {
            let is_scalar = |value: &Value<'_>| !matches!(value.kind(), Kind::Object | Kind::Array);
            let value = value.filter(is_scalar);
            let beside = beside.filter(|beside| beside.kind() == Kind::Object);
            if value.is_some() || beside.is_some() {
                let beside =
                    beside.and_then(|beside| Some((rules_beside(validator, rules, position)?, beside)));
                let kind = NodeKind::Primitive(primitive, rules.type_names[position]);
                visit(Node { value, beside, kind });
            }
        }
        Rule::Object(id) => {
            if let Some(value) = value.filter(|value| value.kind() == Kind::Object) {
                visit(Node::object(validator.object(id), value));
            }
        }
        Rule::Resource => {
            if let Some((value, Ok(rules))) = value.map(|value| (value, resource_rules(validator, value))) {
                visit(Node::object(rules, value));
            }
        }
        Rule::ResourceType | Rule::Sibling(_) | Rule::Anything => {}
    }
}

/// The rules of what stands beside the values of a member.
fn rules_beside<'a>(validator: &'a Validator, rules: &'a Object, position: usize) -> Option<&'a Object> {
    match rules.members.get(position.checked_sub(1)?)?.rule {
        Rule::Sibling(id) => Some(validator.object(id)),
        _ => None,
    }
}
