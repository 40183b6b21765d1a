//! What may stand where, as the walk over a resource needs it: the definitions, compiled.

use fhir_definitions::CodeSet;

use super::format::Primitive;
use super::invariant::Invariant;
use crate::json::{Key, Names};

/// The rules of one type: its own object, and those of the elements that are defined in it.
#[derive(Debug)]
pub(super) struct TypeRules {
    pub(super) objects: Vec<Object>,
}

/// Which object of which type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectId {
    /// The position of the type among those of the definitions.
    pub(super) definition: u16,
    /// The position of the object in the type's rules; 0 is the type itself.
    pub(super) object: u16,
}

/// What an object may have.
#[derive(Debug)]
pub(super) struct Object {
    /// The name of the type that it is the object of, `HumanName`; of elements that are defined in place, what their
    /// type is, `BackboneElement`.
    pub(super) type_name: &'static str,
    /// From the name of a member in JSON to its position in `members`.
    pub(super) names: Names,
    /// In the order of the definition; what stands beside a primitive comes just before it.
    pub(super) members: Vec<Member>,
    /// The name of each member's type, `string`; of what stands beside a primitive, the primitive's.
    pub(super) type_names: Vec<&'static str>,
    /// In the order of the definition. A set of them is a number with a bit for each.
    pub(super) elements: Vec<ElementRules>,
    /// From the name of an element, without `[x]`, to its position in `elements`.
    pub(super) element_names: Names,
    /// The elements that must be there.
    pub(super) required: ElementSet,
    pub(super) form: Form,
    /// What is looked at beyond the structure, for each member that has such; empty where only structure is judged.
    pub(super) checks: Vec<Option<Box<Check>>>,
    /// The constraints of the type.
    pub(super) invariants: Vec<Invariant>,
}

/// What is looked at in the values of a member beyond their structure.
#[derive(Debug)]
pub(super) struct Check {
    /// The codes of a required binding, where they are known.
    pub(super) code_set: Option<&'static CodeSet>,
    /// The types that a reference may be to; empty where nothing is said.
    pub(super) targets: &'static [String],
    /// The constraints of the element.
    pub(super) invariants: Vec<Invariant>,
    /// Whether it is the text of a reference.
    pub(super) is_reference: bool,
}

/// A set of an object's elements. No type of any version has so many that they would not fit.
pub(super) type ElementSet = u64;

/// What holds of objects beyond their elements.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// A resource, which says its type.
    Resource,
    /// An extension: it has a value or extensions, not both. The two elements.
    Extension { value: ElementSet, extension: ElementSet },
    /// Any other element: it has more than an id. The element `id`.
    Element { id: ElementSet },
    /// The object beside a primitive's value.
    Sibling,
}

/// An element of an object.
#[derive(Debug)]
pub(super) struct ElementRules {
    /// Its name, without `[x]`.
    pub(super) name: &'static str,
    /// Whether its name in JSON ends with the type.
    pub(super) choice: bool,
}

/// A member that an object may have: eight bytes, as one is looked at for each member of a resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) rule: Rule,
    /// Whether JSON has an array of values.
    pub(super) many: bool,
    /// The position of its element.
    pub(super) element: u8,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    Primitive(Primitive),
    Object(ObjectId),
    /// A resource of any type.
    Resource,
    /// `resourceType`, which has been looked at when the rules were chosen.
    ResourceType,
    /// What stands beside a primitive's value, under its name with `_` before it: its id and extensions.
    Sibling(ObjectId),
    /// The definitions do not say what the type is.
    Anything,
}

impl Object {
    /// The position of the member with this name.
    #[inline]
    pub(super) fn find(&self, key: Key<'_>) -> Option<usize> {
        self.names.find(key.hash(), &key.name()).map(usize::from)
    }

    /// The element of a member.
    pub(super) fn element_of(&self, member: Member) -> &ElementRules {
        &self.elements[usize::from(member.element)]
    }
}

impl Member {
    /// The set of this member's element.
    #[inline]
    pub(super) fn bit(self) -> ElementSet {
        1 << self.element
    }
}
