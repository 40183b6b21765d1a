//! Compartments: which resources belong to a patient, and by which elements
//! (<https://hl7.org/fhir/R4/compartmentdefinition.html>).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A published CompartmentDefinition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compartment {
    /// The type of the resource that the compartment is about: `Patient`.
    pub code: String,
    /// The resource types that can be in the compartment, each with the search parameters that put a resource into
    /// it. One matching reference is enough.
    pub members: BTreeMap<String, Vec<CompartmentParameter>>,
}

impl Compartment {
    /// The names of the resource types that can be in the compartment, sorted.
    pub fn types(&self) -> impl ExactSizeIterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Whether resources of this type can be in the compartment.
    #[must_use]
    pub fn contains(&self, resource_type: &str) -> bool {
        self.members.contains_key(resource_type)
    }

    /// The search parameters that put a resource of this type into the compartment, in the published order; empty
    /// for a type outside of it.
    #[must_use]
    pub fn parameters(&self, resource_type: &str) -> &[CompartmentParameter] {
        self.members.get(resource_type).map_or(&[], Vec::as_slice)
    }

    /// The elements whose references put a resource of this type into the compartment: paths below the resource,
    /// each once (`subject`, `participant.actor`). Empty for a type outside of it.
    ///
    /// A patient is in its own compartment whatever its elements say. The paths of the type `Patient` are those by
    /// which one patient belongs to another's compartment.
    pub fn paths<'a>(&'a self, resource_type: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let parameters = self.members.get(resource_type).map_or(&[][..], Vec::as_slice);
        let mut seen: Vec<&str> = Vec::new();
        for path in parameters.iter().flat_map(|parameter| &parameter.paths) {
            if !seen.contains(&path.as_str()) {
                seen.push(path);
            }
        }
        seen.into_iter()
    }
}

/// A search parameter by which a resource belongs to a compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompartmentParameter {
    /// The parameter's code: `subject`, `performer`, `patient`.
    pub name: String,
    /// The elements of type Reference that the parameter reads, as paths below the resource in the names of JSON:
    /// `reportedReference` for the choice `reported[x]`. Out of its FHIRPath expression, without the filter
    /// `where(resolve() is …)`: a reference that names another type of resource is none into this compartment anyway.
    pub paths: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, paths: &[&str]) -> CompartmentParameter {
        CompartmentParameter {
            name: name.to_owned(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }
    }

    #[test]
    fn a_path_that_two_parameters_share_is_given_once() {
        let both = vec![parameter("patient", &["subject"]), parameter("subject", &["subject", "focus"])];
        let compartment = Compartment {
            code: "Patient".to_owned(),
            members: BTreeMap::from([("Observation".to_owned(), both)]),
        };
        assert_eq!(compartment.paths("Observation").collect::<Vec<_>>(), ["subject", "focus"]);
        assert_eq!(compartment.paths("Organization").count(), 0);
        assert!(!compartment.contains("Organization"));
    }
}
