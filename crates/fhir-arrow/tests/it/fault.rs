//! One fault in a resource that is legal otherwise.

use fhir_arrow::FindingKind;
use fhir_definitions::{Element, Max};

/// A class of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A member that the type does not have.
    Unknown,
    /// A required element is left out.
    Missing,
    /// A value of another JSON type.
    JsonType,
    /// A value where there are many, or many where there is one.
    Many,
    /// A primitive that is not of its form.
    Format,
    Null,
    EmptyArray,
    EmptyText,
    /// A choice has two types.
    Choices,
    /// A code that is not in the value set of a required binding.
    Code,
    /// A reference to a type that the element does not point to.
    Target,
}

/// The classes that are found with the structure.
pub const CLASSES: [Class; 9] = [
    Class::Unknown,
    Class::Missing,
    Class::JsonType,
    Class::Many,
    Class::Format,
    Class::Null,
    Class::EmptyArray,
    Class::EmptyText,
    Class::Choices,
];

/// The classes that are found in full.
pub const FULL_CLASSES: [Class; 2] = [Class::Code, Class::Target];

/// A fault of a class, at the place with a number among all that could have it.
#[derive(Debug)]
pub struct Fault {
    pub class: Class,
    /// How many places to pass by. Places that were not passed by remain here when there were too few.
    pub skip: usize,
    /// Where it was made.
    pub made: Option<String>,
}

impl Fault {
    /// Whether the fault is to be made here, at a place that could have it.
    fn is_here(&mut self, path: &[String], suffix: &str) -> bool {
        if self.made.is_some() {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.made = Some(format!("{}{suffix}", path.join(".")));
        true
    }

    pub fn kind(&self) -> FindingKind {
        match self.class {
            Class::Unknown => FindingKind::UnknownElement,
            Class::Missing => FindingKind::Cardinality,
            Class::JsonType | Class::Many => FindingKind::JsonType,
            Class::Format => FindingKind::PrimitiveFormat,
            Class::Null => FindingKind::Null,
            Class::EmptyArray | Class::EmptyText => FindingKind::Empty,
            Class::Choices => FindingKind::SeveralChoices,
            Class::Code => FindingKind::RequiredBinding,
            Class::Target => FindingKind::ReferenceTarget,
        }
    }

    /// A member more of the object at this path.
    pub fn member(&mut self, path: &[String]) -> Option<String> {
        (self.class == Class::Unknown && self.is_here(path, ".nick")).then(|| r#""nick":[{}]"#.to_owned())
    }

    /// Whether the element at this path is left out.
    pub fn leaves_out(&mut self, path: &[String], element: &Element) -> bool {
        self.class == Class::Missing && element.min > 0 && self.is_here(path, "")
    }

    /// Whether the code of the element at this path is another one.
    pub fn miscodes(&mut self, path: &[String]) -> bool {
        self.class == Class::Code && self.is_here(path, "")
    }

    /// Whether the reference at this path, with this behind it, is to another type.
    pub fn misdirects(&mut self, path: &[String], suffix: &str) -> bool {
        self.class == Class::Target && self.is_here(path, suffix)
    }

    /// Whether the choice at this path gets the next type too.
    pub fn chooses_again(&mut self, path: &[String], types: usize) -> bool {
        self.class == Class::Choices && types > 1 && self.is_here(path, "")
    }

    /// The wrong value of the element at this path; `code` is empty for what is defined in place.
    pub fn value(&mut self, path: &[String], max: Max, code: &str) -> Option<&'static str> {
        let many = max == Max::Many;
        let is_primitive = code.starts_with(|first: char| first.is_ascii_lowercase());
        let wrong = match self.class {
            Class::JsonType if many => "[[1]]",
            Class::JsonType => "[1]",
            Class::Many if many => "{}",
            Class::Many if is_primitive => r#"["x"]"#,
            Class::Many => "[{}]",
            Class::Null => "null",
            Class::EmptyArray if many => "[]",
            Class::EmptyText if is_primitive && !is_number(code) => {
                return self.text(path, many, r#""""#, r#"[""]"#);
            }
            Class::Format if is_primitive => return self.ill_formed(path, many, code),
            _ => return None,
        };
        self.is_here(path, "").then_some(wrong)
    }

    fn text(
        &mut self,
        path: &[String],
        many: bool,
        one: &'static str,
        all: &'static str,
    ) -> Option<&'static str> {
        self.is_here(path, "").then_some(if many { all } else { one })
    }

    fn ill_formed(&mut self, path: &[String], many: bool, code: &str) -> Option<&'static str> {
        let (one, all) = match code {
            // Any text will do, and there is no form of the others but their JSON type.
            "string" | "markdown" | "decimal" | "boolean" => return None,
            "integer" | "unsignedInt" | "positiveInt" => ("1.5", "[1.5]"),
            _ => (r#"" x  y ""#, r#"[" x  y "]"#),
        };
        self.text(path, many, one, all)
    }
}

fn is_number(code: &str) -> bool {
    matches!(code, "integer" | "unsignedInt" | "positiveInt" | "decimal" | "boolean")
}
