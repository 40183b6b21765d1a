//! Where in the resources of a type items of a kind can be: by the definitions, as far as the table has columns.
//!
//! One invariant: the places follow from the FHIR version and the table's columns, never from the data.

use datafusion::arrow::datatypes::{DataType, Fields, SchemaRef};
use fhir_definitions::{Definitions, Element};

use super::kind::ItemTable;

/// A step from a struct to one of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The field.
    pub(super) name: String,
    /// Whether it is a list.
    pub(super) many: bool,
}

/// Where items are.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The path of the element by the names of columns: `Observation.component.code`. Of the codings of a concept it is the
    /// concept's.
    pub(super) element_path: String,
    /// From the resource to the item.
    pub(super) steps: Vec<Step>,
    /// How many of the steps lead to what `element_path` names.
    pub(super) element_steps: usize,
    /// The fields of the item.
    pub(super) fields: Fields,
    /// The FHIR type that the item lies in directly: `CodeableConcept`, `Extension`; of no interest otherwise.
    pub(super) owner: Option<String>,
}

impl Place {
    /// The names of the fields on the way to what the item lies in.
    pub(super) fn owner_path(&self) -> Vec<&str> {
        let steps = self.steps.split_last().map_or(&[][..], |(_, before)| before);
        steps.iter().map(|step| step.name.as_str()).collect()
    }

    /// The names of the fields on the way to the item.
    pub(super) fn path(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.name.as_str()).collect()
    }
}

/// All places of a table's items in the resources of a type that has these columns.
pub(super) fn places(
    table: &ItemTable,
    definitions: &Definitions,
    resource_type: &str,
    columns: &SchemaRef,
) -> Vec<Place> {
    let mut search = Search { table, definitions, resource_type, steps: Vec::new(), found: Vec::new() };
    if let Some(definition) = definitions.definition(resource_type) {
        search.elements(&definition.elements, columns.fields(), None);
    }
    search.found
}

struct Search<'d> {
    table: &'d ItemTable,
    definitions: &'d Definitions,
    resource_type: &'d str,
    steps: Vec<Step>,
    found: Vec<Place>,
}

impl<'d> Search<'d> {
    /// Looks through elements that have these fields, and lie in a value of a type.
    fn elements(&mut self, elements: &'d [Element], fields: &Fields, within: Option<&str>) {
        for element in elements {
            if element.content_reference.is_some() || !element.children.is_empty() {
                let inside = self.definitions.elements_inside(element);
                self.enter(&element.name, fields, |search, fields| search.elements(inside, fields, None));
            } else {
                for (name, type_ref) in element.json_names() {
                    self.enter(&name, fields, |search, fields| search.value(&type_ref.code, fields, within));
                }
            }
        }
    }

    /// Takes a step to a field that is a struct or a list of structs; columns end where recursion does.
    fn enter(&mut self, name: &str, fields: &Fields, inside: impl FnOnce(&mut Self, &Fields)) {
        let Some((_, field)) = fields.find(name) else { return };
        let (many, item) = match field.data_type() {
            DataType::List(item) => (true, item.data_type()),
            item => (false, item),
        };
        let DataType::Struct(fields) = item else { return };
        self.steps.push(Step { name: name.to_owned(), many });
        inside(self, fields);
        self.steps.pop();
    }

    /// Looks at a value of a type.
    fn value(&mut self, code: &'d str, fields: &Fields, within: Option<&str>) {
        if code == self.table.item_type {
            let is_in_concept = code == "Coding" && within == Some("CodeableConcept");
            let element_steps = self.steps.len() - usize::from(is_in_concept);
            let names = self.steps[..element_steps].iter().map(|step| step.name.as_str());
            let names: Vec<&str> = std::iter::once(self.resource_type).chain(names).collect();
            self.found.push(Place {
                element_path: names.join("."),
                steps: self.steps.clone(),
                element_steps,
                fields: fields.clone(),
                owner: within.map(str::to_owned),
            });
        }
        if let Some(definition) = self.definitions.definition(code) {
            self.elements(&definition.elements, fields, Some(code));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fhir_arrow::TableSchema;
    use fhir_definitions::FhirVersion;

    use super::super::kind;
    use super::*;

    fn paths(table: &str, version: FhirVersion, resource_type: &str, configured: &[&str]) -> Vec<String> {
        let definitions = Definitions::of(version);
        let configured: Vec<String> = configured.iter().map(|path| (*path).to_owned()).collect();
        let columns = TableSchema::with_columns(definitions, resource_type, &configured).unwrap().arrow();
        let places = places(kind::find(table).unwrap(), definitions, resource_type, &columns);
        places
            .into_iter()
            .map(|place| place.element_path)
            .filter(|path| !path.contains("extension."))
            .collect()
    }

    #[test]
    fn codings_are_in_concepts_and_by_themselves_at_every_depth() {
        let found = paths("codings", FhirVersion::R4, "Observation", &[]);
        for path in [
            "Observation.meta.tag",
            "Observation.identifier.type",
            "Observation.category",
            "Observation.code",
            "Observation.valueCodeableConcept",
            "Observation.component.valueCodeableConcept",
            "Observation.component.referenceRange.appliesTo",
        ] {
            assert!(found.contains(&path.to_owned()), "{path} is not in {found:?}");
        }
        assert!(paths("codings", FhirVersion::R4, "Encounter", &[]).contains(&"Encounter.class".to_owned()));
        let newer = paths("codings", FhirVersion::R5, "Encounter", &[]);
        assert!(newer.contains(&"Encounter.reason.value.concept".to_owned()), "{newer:?}");
    }

    #[test]
    fn recursion_ends_where_the_columns_end() {
        let found = paths("codings", FhirVersion::R4, "Questionnaire", &[]);
        let codes: Vec<_> = found.iter().filter(|path| path.ends_with("item.code")).collect();
        assert_eq!(codes, ["Questionnaire.item.code", "Questionnaire.item.item.code"]);
    }

    #[test]
    fn extensions_are_where_columns_of_them_are() {
        assert_eq!(
            paths("extensions", FhirVersion::R4, "Patient", &[]),
            ["Patient.extension", "Patient.extension.extension"]
                .map(str::to_owned)
                .into_iter()
                .filter(|path| !path.contains("extension."))
                .collect::<Vec<_>>()
        );
        let configured = paths("extensions", FhirVersion::R4, "Patient", &["address.extension"]);
        assert!(configured.contains(&"Patient.address.extension".to_owned()), "{configured:?}");
    }

    #[test]
    fn every_resource_type_of_every_version_has_places_of_every_kind() {
        for version in FhirVersion::ALL {
            let definitions = Definitions::of(*version);
            for resource_type in definitions.resource_types() {
                let columns = TableSchema::new(definitions, resource_type).unwrap().arrow();
                let of = |name: &str| {
                    places(kind::find(name).unwrap(), definitions, resource_type, &Arc::clone(&columns)).len()
                };
                // Security labels and tags are codings, and every resource has them.
                assert!(of("codings") >= 2, "{version} {resource_type}");
            }
        }
    }
}
