//! Constraints that are written in FHIRPath, evaluated on the elements of a resource.
//!
//! Only what is `true` holds: an expression that gives nothing does not. What cannot be told (units that would have to
//! be converted, several values where one is wanted) is not held against the resource.

mod call;
mod collection;
mod compare;
mod eval;
mod function;
mod node;
mod program;

use fhir_definitions::Constraint;

use self::collection::Item;
use self::eval::truth;
use self::program::Op;

pub(super) use eval::Environment;
pub(super) use node::Node;
pub(super) use program::Unsupported;

/// Constraints of R4 that do not hold where an optional element is absent, as they are published; with the expressions of
/// the version that has them corrected.
const CORRECTED: [(&str, &str); 2] = [
    ("bdl-8", "fullUrl.exists() implies fullUrl.contains('/_history/').not()"),
    ("ras-2", "probability.empty() or ((probability is decimal) implies ((probability as decimal) <= 100))"),
];

/// A constraint that can be evaluated.
#[derive(Debug)]
pub(super) struct Invariant {
    pub(super) constraint: &'static Constraint,
    program: Op,
}

/// That an expression cannot be evaluated on these values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undetermined;

impl Invariant {
    /// Reads the expression of a constraint.
    pub(super) fn new(constraint: &'static Constraint) -> Result<Self, Unsupported> {
        let corrected = CORRECTED.iter().find(|(key, _)| *key == constraint.key);
        let expression = corrected.map_or(constraint.expression.as_str(), |(_, expression)| expression);
        Ok(Self { constraint, program: program::compile(expression)? })
    }

    /// Whether the constraint is known not to hold of what the environment is about.
    pub(super) fn is_violated<'a>(&'a self, environment: &Environment<'a>) -> bool {
        let result = environment.eval(&self.program, &Item::Node(environment.context));
        matches!(result.and_then(|items| truth(&items)), Ok(None | Some(false)))
    }
}

#[cfg(test)]
mod tests;
