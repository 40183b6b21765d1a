//! Judging a resource from the tokens that it is flattened from.
//!
//! The walk goes over the tokens once, beside the definitions and not the columns, so that everything is judged that
//! a resource has. It allocates nothing as long as nothing is found; the path of a finding is looked up from its place
//! afterwards.

mod allowance;
mod checks;
mod compile;
mod finding;
mod findings;
mod format;
mod invariant;
mod local;
mod location;
mod report;
mod rules;
mod sibling;
mod walk;
mod xhtml;

use std::sync::OnceLock;

use fhir_definitions::Definitions;

use self::checks::Checks;
use self::report::Report;
use self::rules::{Object, ObjectId, TypeRules};
use self::walk::Walk;
use crate::Resource;
use crate::json::Names;

pub use allowance::Allowances;
pub use finding::{Finding, FindingKind, Severity};
pub use findings::{Findings, MAX_FINDINGS};

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ValidationLevel {
    /// Nothing.
    None,
    /// The types and elements, the JSON types of values, how many there are, and the forms of primitives.
    #[default]
    Structure,
    /// The same, and the codes of required bindings, the types that references are to, and constraints.
    ///
    /// Codes are looked up where the definitions enumerate the value set. The type of a reference is what its text, its
    /// `type` or the contained resource says; nothing is read for it.
    ///
    /// Of the constraints, those are evaluated that a resource decides by itself. What is not, is named in the crate's
    /// snapshot `which_constraints_are_evaluated_is_known`: constraints with `matches`, `replaceMatches`, `resolve`,
    /// `memberOf` or `comparable` in them (35 of 237 in R4, 29 of 239 in R4B, 22 of 312 in R5); `eld-11` of R5, which is
    /// published in what is no FHIRPath; and `dom-6`, which is advice.
    Full,
}

/// Judges resources of one FHIR version.
///
/// The rules of a type are made when the first resource has it, and are shared by all threads that have the validator.
#[derive(Debug)]
pub struct Validator {
    definitions: &'static Definitions,
    level: ValidationLevel,
    allowances: Allowances,
    /// The rules of each type, in the order of the definitions.
    types: Box<[OnceLock<TypeRules>]>,
    /// From the name of a resource type to its position among the types.
    resource_types: Names,
}

impl Validator {
    /// A validator by these definitions.
    #[must_use]
    pub fn new(definitions: &'static Definitions, level: ValidationLevel) -> Self {
        let types = definitions.types();
        let names = types.iter().map(|definition| definition.name.as_str()).zip(0..);
        Self {
            definitions,
            level,
            allowances: Allowances::default(),
            types: types.iter().map(|_| OnceLock::new()).collect(),
            resource_types: Names::new(names.filter(|(name, _)| definitions.is_resource(name))),
        }
    }

    /// The same, with what is tolerated.
    #[must_use]
    pub fn with_allowances(mut self, allowances: Allowances) -> Self {
        self.allowances = allowances;
        self
    }

    /// How much is looked at.
    #[must_use]
    pub const fn level(&self) -> ValidationLevel {
        self.level
    }

    /// Judges a resource. What is found replaces what was in `findings`.
    ///
    /// Whether it has an id is not looked at: that is asked of resources of an export, by
    /// [`Resource::header`](crate::Resource::header).
    ///
    /// ```
    /// use fhir_arrow::{FindingKind, Findings, Reader, ValidationLevel, Validator};
    /// use fhir_definitions::Definitions;
    ///
    /// let validator = Validator::new(Definitions::r4(), ValidationLevel::Structure);
    /// let (mut reader, mut findings) = (Reader::default(), Findings::default());
    ///
    /// let line = br#"{"resourceType":"Patient","id":"p1","birthDate":"1980-02-30"}"#;
    /// validator.validate(&reader.read(line)?, &mut findings);
    /// let finding = findings.iter().next().ok_or("no finding")?;
    /// assert_eq!(finding.kind, FindingKind::PrimitiveFormat);
    /// assert_eq!((&*finding.element_path, finding.offset), ("Patient.birthDate", 48));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn validate(&self, resource: &Resource<'_>, findings: &mut Findings) {
        findings.clear();
        if self.level > ValidationLevel::None {
            let mut report = Report::new(self, resource.root(), findings);
            Walk::new(self, &mut report).resource(resource.root());
            if self.level == ValidationLevel::Full {
                Checks::run(self, resource.root(), &mut report);
            }
        }
    }

    /// The rules of an object.
    #[inline]
    fn object(&self, id: ObjectId) -> &Object {
        let rules = self.types[usize::from(id.definition)]
            .get_or_init(|| compile::compile(self.definitions, self.level, id.definition));
        &rules.objects[usize::from(id.object)]
    }

    /// The rules of a resource type; `None` for what is no concrete resource type.
    fn resource_type(&self, name: &str) -> Option<&Object> {
        let definition = self.resource_types.get(name)?;
        Some(self.object(ObjectId { definition, object: 0 }))
    }
}

#[cfg(test)]
mod full_tests;
#[cfg(test)]
mod tests;
