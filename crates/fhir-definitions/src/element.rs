//! A FHIR type and the tree of its elements, out of the snapshot of its StructureDefinition
//! (<https://hl7.org/fhir/R4/elementdefinition.html>).

use serde::{Deserialize, Serialize};

use crate::Constraint;

/// A primitive type, a data type or a resource type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDefinition {
    /// The type's name, `Patient`, `HumanName`, `dateTime`.
    pub name: String,
    /// What kind of type it is.
    pub kind: TypeKind,
    /// Whether the type has no instances of its own: `Resource`, `DomainResource`, `Element`, …. No element is of
    /// such a type but `Resource`, whose value names its own, and `BackboneElement` and `Element`, which are defined
    /// in place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_abstract: bool,
    /// The name of the type that this one specialises: `DomainResource` for `Patient`, `string` for `code`. `None`
    /// where the types end: at `Element` and `Resource`, since R5 at `Base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The type's elements in the order of the snapshot, those of its base types included (`id`, `meta`,
    /// `extension`, …). A primitive type has the elements of its JSON object form, and `value`.
    pub elements: Vec<Element>,
    /// The regular expression that the text of a primitive's value matches as a whole, as published; `None` for
    /// primitives that have none and for all other kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// What has to hold of every value of the type, as far as it is defined here. Those of the types that it
    /// specialises hold too: [`Definitions::constraints_of`](crate::Definitions::constraints_of) has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
}

impl TypeDefinition {
    /// The direct element of this name, without `[x]`.
    #[must_use]
    pub fn element(&self, name: &str) -> Option<&Element> {
        find(&self.elements, name)
    }
}

/// The kinds of FHIR types (<https://hl7.org/fhir/R4/valueset-structure-definition-kind.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TypeKind {
    /// A type whose JSON form is one string, number or boolean: `string`, `decimal`, `date`.
    Primitive,
    /// A type with elements that is no resource: `HumanName`, `Quantity`, `Element`.
    DataType,
    /// A resource type: `Patient`; with the abstract `Resource` and `DomainResource`.
    Resource,
}

/// One element of a type, with the elements inside it where they are defined in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// The element's name, without `[x]`: `birthDate`, `deceased`.
    pub name: String,
    /// How many there are at least.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min: u32,
    /// How many there are at most; decides whether JSON has an array.
    #[serde(default, skip_serializing_if = "Max::is_one")]
    pub max: Max,
    /// The types that the element may have. Empty only where [`content_reference`](Self::content_reference) is
    /// given; more than one only where [`choice`](Self::choice) is true. An open choice lists all its types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeRef>,
    /// Whether the element is a choice of types, `value[x]`: its JSON name ends with the type's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub choice: bool,
    /// The path of the element whose content this one has too (recursion), such as `Questionnaire.item`. To be
    /// resolved with [`Definitions::element`](crate::Definitions::element).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_reference: Option<String>,
    /// The elements that are defined in place, for the types `BackboneElement` and `Element`; with those that the
    /// type itself gives (`id`, `extension`, `modifierExtension`), in the order of the snapshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Element>,
    /// The value set that the element's codes are from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// Whether the element can change the meaning of others: an application that does not know it must not use
    /// the resource.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_modifier: bool,
    /// What has to hold of every value of the element, as far as it is defined here. Those of its type hold too, and
    /// those of the element that its content reference names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
}

impl Element {
    /// The names that the element can have in JSON, each with its type: `value[x]` gives `valueQuantity`,
    /// `valueString`, …, every other element its own name. Empty for an element with a content reference, which
    /// has its own [`name`](Self::name) and no type.
    ///
    /// See <https://hl7.org/fhir/R4/json.html#choice>; primitives have a sibling with `_` before that name.
    #[must_use]
    pub fn json_names(&self) -> Vec<(String, &TypeRef)> {
        self.types.iter().map(|type_ref| (self.json_name(type_ref), type_ref)).collect()
    }

    fn json_name(&self, type_ref: &TypeRef) -> String {
        if !self.choice {
            return self.name.clone();
        }
        let mut name = self.name.clone();
        let mut letters = type_ref.code.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    }

    /// The direct child of this name, without `[x]`.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Element> {
        find(&self.children, name)
    }
}

/// The number of values an element has at most, as far as it matters to its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Max {
    /// At most one: a single JSON value.
    #[default]
    One,
    /// Any number: a JSON array.
    Many,
}

impl Max {
    // serde's `skip_serializing_if` passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_one(&self) -> bool {
        *self == Max::One
    }
}

/// A type that an element may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeRef {
    /// The name of the type, which has a definition: `Quantity`, `code`, `BackboneElement`, `Resource`.
    pub code: String,
    /// What a `Reference`, `canonical` or `CodeableReference` may point to, names of resource types. `Resource` is
    /// any; empty for other types, and where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// The value set of an element (<https://hl7.org/fhir/R4/terminologies.html#binding>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// How strictly: `required`, `extensible`, `preferred` or `example`.
    pub strength: String,
    /// The canonical URL of the value set, with its version where published so; `None` where the definition names
    /// no value set. Its codes are at [`Definitions::code_set`](crate::Definitions::code_set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_set: Option<String>,
}

pub(crate) fn find<'a>(elements: &'a [Element], name: &str) -> Option<&'a Element> {
    elements.iter().find(|element| element.name == name)
}

// serde's `skip_serializing_if` passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(name: &str, choice: bool, codes: &[&str]) -> Element {
        Element {
            name: name.to_owned(),
            min: 0,
            max: Max::One,
            types: codes
                .iter()
                .map(|code| TypeRef { code: (*code).to_owned(), targets: Vec::new() })
                .collect(),
            choice,
            content_reference: None,
            children: Vec::new(),
            binding: None,
            is_modifier: false,
            constraints: Vec::new(),
        }
    }

    fn names(element: &Element) -> Vec<String> {
        element.json_names().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_choice_has_a_name_for_each_type() {
        let deceased = element("deceased", true, &["boolean", "dateTime"]);
        assert_eq!(names(&deceased), ["deceasedBoolean", "deceasedDateTime"]);
    }

    #[test]
    fn a_choice_of_one_type_still_has_the_type_in_its_name() {
        assert_eq!(names(&element("value", true, &["string"])), ["valueString"]);
    }

    #[test]
    fn an_ordinary_element_has_its_own_name() {
        assert_eq!(names(&element("birthDate", false, &["date"])), ["birthDate"]);
    }
}
