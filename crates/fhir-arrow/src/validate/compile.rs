//! From the definitions of a type to its rules.

use std::collections::HashMap;

use fhir_definitions::{Constraint, Definitions, Element, Max, TypeDefinition, TypeKind, TypeRef};

use super::ValidationLevel;
use super::format::Primitive;
use super::invariant::Invariant;
use super::rules::{Check, ElementRules, ElementSet, Form, Member, Object, ObjectId, Rule, TypeRules};
use crate::json::Names;

/// How many elements an object may have: the bits of a set of them.
const MAX_ELEMENTS: usize = ElementSet::BITS as usize;

/// The constraints that are judged without their expression: `ele-1` and `ext-1` with the structure, `dom-3` and
/// `ref-1` by [`local`](super::local).
pub(super) const BY_HAND: [&str; 4] = ["ele-1", "ext-1", "dom-3", "ref-1"];

/// The constraint that is advice: that a resource has a narrative. Resources for machines, of which exports are full,
/// have none, and it would be said of each line.
pub(super) const ADVICE: &str = "dom-6";

/// The rules of the type at this position among those of the definitions.
pub(super) fn compile(definitions: &'static Definitions, level: ValidationLevel, position: u16) -> TypeRules {
    let mut compiler = Compiler { definitions, level, position, objects: Vec::new(), made: HashMap::new() };
    if let Some(definition) = definitions.types().get(usize::from(position)) {
        compiler.object(&definition.name, &definition.name, &definition.elements, definition.kind);
    }
    TypeRules { objects: compiler.objects.into_iter().flatten().collect() }
}

/// The position of a type among those of the definitions.
fn position_of(definitions: &Definitions, name: &str) -> Option<u16> {
    let types = definitions.types();
    let position = types.binary_search_by(|definition| definition.name.as_str().cmp(name)).ok()?;
    u16::try_from(position).ok()
}

struct Compiler {
    definitions: &'static Definitions,
    level: ValidationLevel,
    position: u16,
    /// `None` for those that are being made: elements refer to what they are in.
    objects: Vec<Option<Object>>,
    /// From the path of an element to its object, as content references write it.
    made: HashMap<String, u16>,
}

/// What is collected of the elements of an object.
#[derive(Default)]
struct Parts {
    names: Vec<String>,
    members: Vec<Member>,
    type_names: Vec<&'static str>,
    elements: Vec<ElementRules>,
    required: ElementSet,
    checks: Vec<Option<Box<Check>>>,
}

impl Compiler {
    /// Makes an object, unless it is made; returns its position.
    fn object(
        &mut self,
        path: &str,
        type_name: &'static str,
        elements: &'static [Element],
        kind: TypeKind,
    ) -> u16 {
        if let Some(made) = self.made.get(path) {
            return *made;
        }
        let position = self.objects.len() as u16;
        self.objects.push(None);
        self.made.insert(path.to_owned(), position);
        let mut parts = Parts::default();
        if kind == TypeKind::Resource {
            let member = Member { rule: Rule::ResourceType, many: false, element: u8::MAX };
            parts.add("resourceType".to_owned(), member, "code", None);
        }
        // The value of a primitive stands beside the object that its other elements are in.
        let is_in_object = |element: &&Element| kind != TypeKind::Primitive || element.name != "value";
        for (element, at) in elements.iter().filter(is_in_object).take(MAX_ELEMENTS).zip(0..) {
            self.element(path, element, at, kind, &mut parts);
        }
        let form = form(type_name, kind, &parts.elements);
        let names = parts.names.iter().map(String::as_str).zip(0..);
        let element_names = parts.elements.iter().map(|element| element.name).zip(0..);
        self.objects[usize::from(position)] = Some(Object {
            type_name,
            names: Names::new(names),
            element_names: Names::new(element_names),
            members: parts.members,
            type_names: parts.type_names,
            elements: parts.elements,
            required: parts.required,
            form,
            checks: parts.checks,
            invariants: self.type_invariants(path, type_name),
        });
        position
    }

    /// Adds an element and the members that it may be in JSON.
    fn element(&mut self, path: &str, element: &'static Element, at: u8, kind: TypeKind, parts: &mut Parts) {
        let many = element.max == Max::Many;
        parts.elements.push(ElementRules { name: &element.name, choice: element.choice });
        if element.min > 0 {
            parts.required |= 1 << at;
        }
        if let Some((rule, type_name)) = self.defined_in_place(path, element) {
            let check = self.check(path, element, None);
            parts.add(element.name.clone(), Member { rule, many, element: at }, type_name, check);
            return;
        }
        for (name, type_ref) in element.json_names() {
            let check = self.check(path, element, Some(type_ref));
            let type_name = type_ref.code.as_str();
            let rule = self.rule(element, type_ref, kind);
            if let (Rule::Primitive(_), Some(object)) = (rule, self.type_id(type_name)) {
                let rule = Rule::Sibling(object);
                parts.add(format!("_{name}"), Member { rule, many, element: at }, type_name, None);
            }
            parts.add(name, Member { rule, many, element: at }, type_name, check);
        }
    }

    /// The rule of an element whose own elements are defined where it is, or at the element that it refers to.
    fn defined_in_place(&mut self, path: &str, element: &'static Element) -> Option<(Rule, &'static str)> {
        let (path, element) = match &element.content_reference {
            Some(target) => (target.clone(), self.definitions.element(target)?),
            None => (format!("{path}.{}", element.name), element),
        };
        let type_name = element.types.first().map_or("BackboneElement", |type_ref| type_ref.code.as_str());
        if element.children.is_empty() {
            return None;
        }
        let object = self.object(&path, type_name, &element.children, TypeKind::DataType);
        Some((Rule::Object(ObjectId { definition: self.position, object }), type_name))
    }

    fn rule(&self, element: &Element, type_ref: &TypeRef, kind: TypeKind) -> Rule {
        let (Some(definition), Some(object)) = (self.definition(type_ref), self.type_id(&type_ref.code))
        else {
            return Rule::Anything;
        };
        match (definition.kind, element.name.as_str(), kind) {
            // FHIR's own types say `string` of the one and `id` of the other, or the other way round.
            (TypeKind::Primitive, "id", TypeKind::Resource) => Rule::Primitive(Primitive::Id),
            (TypeKind::Primitive, "id", _) => Rule::Primitive(Primitive::ElementId),
            (TypeKind::Primitive, _, _) => Rule::Primitive(Primitive::of(self.definitions, &type_ref.code)),
            (TypeKind::DataType, _, _) => Rule::Object(object),
            (TypeKind::Resource, _, _) => Rule::Resource,
        }
    }

    /// What is looked at in the values of an element of this type; of one that is defined in place without a type.
    fn check(
        &self,
        path: &str,
        element: &'static Element,
        type_ref: Option<&'static TypeRef>,
    ) -> Option<Box<Check>> {
        if self.level < ValidationLevel::Full {
            return None;
        }
        let binding = element.binding.as_ref().filter(|binding| binding.strength == "required");
        let value_set = binding.and_then(|binding| binding.value_set.as_deref());
        let referenced =
            element.content_reference.as_ref().and_then(|target| self.definitions.element(target));
        let own = [Some(element), referenced].into_iter().flatten().flat_map(|element| &element.constraints);
        let check = Check {
            code_set: value_set.and_then(|value_set| self.definitions.code_set(value_set)),
            targets: type_ref.map_or(&[], |type_ref| &type_ref.targets),
            invariants: invariants(own),
            is_reference: path == "Reference" && element.name == "reference",
        };
        let is_anything = check.code_set.is_some()
            || !check.targets.is_empty()
            || !check.invariants.is_empty()
            || check.is_reference;
        is_anything.then(|| Box::new(check))
    }

    /// The constraints of a type, those that it inherits included; none for what is defined in place.
    fn type_invariants(&self, path: &str, type_name: &str) -> Vec<Invariant> {
        if self.level < ValidationLevel::Full || path != type_name {
            return Vec::new();
        }
        invariants(self.definitions.constraints_of(type_name))
    }

    fn definition(&self, type_ref: &TypeRef) -> Option<&'static TypeDefinition> {
        self.definitions.definition(&type_ref.code)
    }

    fn type_id(&self, name: &str) -> Option<ObjectId> {
        Some(ObjectId { definition: position_of(self.definitions, name)?, object: 0 })
    }
}

impl Parts {
    fn add(&mut self, name: String, member: Member, type_name: &'static str, check: Option<Box<Check>>) {
        self.names.push(name);
        self.members.push(member);
        self.type_names.push(type_name);
        self.checks.push(check);
    }
}

/// Those of the constraints that can be evaluated, and are not judged otherwise.
fn invariants(constraints: impl Iterator<Item = &'static Constraint>) -> Vec<Invariant> {
    let by_expression = constraints
        .filter(|constraint| constraint.key != ADVICE && !BY_HAND.contains(&constraint.key.as_str()));
    by_expression.filter_map(|constraint| Invariant::new(constraint).ok()).collect()
}

fn form(type_name: &str, kind: TypeKind, elements: &[ElementRules]) -> Form {
    let set = |name: &str| {
        let position = elements.iter().position(|element| element.name == name);
        position.map_or(0, |position| 1 << position)
    };
    match (kind, type_name) {
        (TypeKind::Resource, _) => Form::Resource,
        (TypeKind::Primitive, _) => Form::Sibling,
        (TypeKind::DataType, "Extension") => {
            Form::Extension { value: set("value"), extension: set("extension") }
        }
        (TypeKind::DataType, _) => Form::Element { id: set("id") },
    }
}
