//! What was published, per FHIR version: a row each. A document that differs is not written.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use fhir_definitions::document::Document;
use fhir_definitions::{Definitions, FhirVersion, TypeKind};

use super::{canonical, code_set, links};

/// The files to read and the numbers that they must give.
///
/// The numbers of types are also those of the code systems that are published with each version, `resource-types` and
/// `data-types` (which counts primitives and two profiles in), in R5 `fhir-types`; that of the compartment is counted
/// in its table, <https://hl7.org/fhir/R4/compartmentdefinition-patient.html>, `…/R4B/…` and `…/R5/…`.
pub struct Published {
    /// The version.
    pub version: FhirVersion,
    /// The names of the published files, or patterns of names.
    pub files: &'static [&'static str],
    /// Resource types, with the abstract ones (Resource, DomainResource, …).
    resources: usize,
    /// Data types, with the abstract ones, without profiles on them.
    data_types: usize,
    primitives: usize,
    /// Elements of Meta, `id` and `extension` included. Sources that add elements of their own show here first.
    meta_elements: usize,
    /// Types of the Patient compartment, Patient included.
    patient_compartment: usize,
    /// Value sets that `required` bindings name and whose codes are published too.
    code_sets: usize,
    /// The other value sets that `required` bindings name, sorted: their codes are not published with FHIR.
    without_codes: &'static [&'static str],
}

const PUBLISHED: &[Published] = &[
    Published {
        version: FhirVersion::R4,
        files: &[
            "profiles-resources.xml",
            "profiles-types.xml",
            "search-parameters.json",
            "v3-codesystems.xml",
            "valuesets.xml",
        ],
        resources: 148,
        data_types: 41,
        primitives: 20,
        meta_elements: 8,
        patient_compartment: 66,
        code_sets: 220,
        without_codes: &[
            "http://hl7.org/fhir/ValueSet/currencies",
            "http://hl7.org/fhir/ValueSet/mimetypes",
            "http://hl7.org/fhir/ValueSet/ucum-units",
            "http://loinc.org/vs/LL379-9",
        ],
    },
    Published {
        version: FhirVersion::R4B,
        files: &["profiles-resources.xml", "profiles-types.xml", "search-parameters.xml", "valuesets.xml"],
        resources: 143,
        data_types: 42,
        primitives: 20,
        meta_elements: 8,
        patient_compartment: 66,
        code_sets: 227,
        without_codes: &[
            "http://hl7.org/fhir/ValueSet/country",
            "http://hl7.org/fhir/ValueSet/currencies",
            "http://hl7.org/fhir/ValueSet/insuranceplan-applicability",
            "http://hl7.org/fhir/ValueSet/mimetypes",
            "http://hl7.org/fhir/ValueSet/ucum-units",
            "http://loinc.org/vs/LL379-9",
            "http://terminology.hl7.org/ValueSet/v3-Confidentiality",
        ],
    },
    Published {
        version: FhirVersion::R5,
        files: &[
            "CodeSystem-*.json",
            "CompartmentDefinition-patient.json",
            "SearchParameter-*.json",
            "StructureDefinition-*.json",
            "ValueSet-*.json",
        ],
        resources: 162,
        data_types: 48,
        primitives: 21,
        meta_elements: 8,
        patient_compartment: 73,
        code_sets: 245,
        without_codes: &[
            "http://hl7.org/fhir/ValueSet/all-languages",
            "http://hl7.org/fhir/ValueSet/allergyintolerance-clinical",
            "http://hl7.org/fhir/ValueSet/allergyintolerance-verification",
            "http://hl7.org/fhir/ValueSet/color-codes",
            "http://hl7.org/fhir/ValueSet/condition-clinical",
            "http://hl7.org/fhir/ValueSet/condition-ver-status",
            "http://hl7.org/fhir/ValueSet/country",
            "http://hl7.org/fhir/ValueSet/currencies",
            "http://hl7.org/fhir/ValueSet/insuranceplan-applicability",
            "http://hl7.org/fhir/ValueSet/measure-improvement-notation",
            "http://hl7.org/fhir/ValueSet/mimetypes",
            "http://hl7.org/fhir/ValueSet/research-subject-state",
            "http://hl7.org/fhir/ValueSet/timezones",
            "http://hl7.org/fhir/ValueSet/ucum-units",
            "http://loinc.org/LL2938-0/",
        ],
    },
];

impl Published {
    /// The row of a version.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(version: FhirVersion) -> Result<&'static Self> {
        PUBLISHED
            .iter()
            .find(|row| row.version == version)
            .with_context(|| format!("it is not known here what was published for {version}: add a row"))
    }

    /// Fails where the document is not what was published, or refers to what it does not have.
    pub fn verify(&self, document: Document) -> Result<()> {
        let definitions = Definitions::from_document(document)?;
        self.verify_counts(&definitions)?;
        self.verify_code_sets(&definitions)?;
        links::verify(&definitions)
    }

    fn verify_counts(&self, definitions: &Definitions) -> Result<()> {
        let of_kind = |kind| definitions.types().iter().filter(|definition| definition.kind == kind).count();
        let meta = definitions.definition("Meta").map_or(0, |meta| meta.elements.len());
        for (what, expected, found) in [
            ("resource types", self.resources, of_kind(TypeKind::Resource)),
            ("data types", self.data_types, of_kind(TypeKind::DataType)),
            ("primitive types", self.primitives, of_kind(TypeKind::Primitive)),
            ("elements of Meta", self.meta_elements, meta),
            (
                "types of the Patient compartment",
                self.patient_compartment,
                definitions.patient_compartment().types().len(),
            ),
            ("code sets", self.code_sets, definitions.code_sets().len()),
        ] {
            ensure!(expected == found, "{} has {expected} {what}, the source {found}", self.version);
        }
        Ok(())
    }

    /// Exactly those value sets have no codes of which it is known.
    fn verify_code_sets(&self, definitions: &Definitions) -> Result<()> {
        let mut required = BTreeSet::new();
        for definition in definitions.types() {
            code_set::add_required(&definition.elements, &mut required);
        }
        let without: BTreeSet<&str> = required
            .into_iter()
            .filter(|value_set| definitions.code_set(value_set).is_none())
            .map(canonical::url)
            .collect();
        let known = self.without_codes.iter().copied().collect();
        let differing: Vec<_> = without.symmetric_difference(&known).collect();
        ensure!(
            differing.is_empty(),
            "{}: it was known otherwise whether the codes are published of {differing:?}",
            self.version
        );
        let empty = definitions.code_sets().iter().find(|set| set.systems.is_empty());
        ensure!(empty.is_none(), "a value set has no codes: {empty:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fhir_definitions::Element;

    use super::*;

    /// The verdict on the committed document of a version after a change to it.
    fn verdict_on(version: FhirVersion, change: impl FnOnce(&mut Document)) -> Result<(), String> {
        let committed = std::fs::read(super::super::target_of(version)).unwrap();
        let mut document = Document::from_zstd(&committed).unwrap();
        change(&mut document);
        Published::of(version).unwrap().verify(document).map_err(|error| format!("{error:#}"))
    }

    fn verdict(change: impl FnOnce(&mut Document)) -> Result<(), String> {
        verdict_on(FhirVersion::R4, change)
    }

    fn elements<'a>(document: &'a mut Document, name: &str) -> &'a mut Vec<Element> {
        &mut document.types.iter_mut().find(|definition| definition.name == name).unwrap().elements
    }

    #[test]
    fn the_committed_documents_are_what_was_published() {
        for version in FhirVersion::ALL {
            assert_eq!(verdict_on(*version, |_| {}), Ok(()), "{version}");
        }
    }

    #[test]
    fn an_element_that_a_source_adds_to_meta_is_refused() {
        let error = verdict(|document| {
            let meta = elements(document, "Meta");
            let added = Element { name: "project".to_owned(), ..meta[3].clone() };
            meta.push(added);
        });
        assert_eq!(error, Err("R4 has 8 elements of Meta, the source 9".to_owned()));
    }

    #[test]
    fn a_type_too_many_in_the_patient_compartment_is_refused() {
        let error = verdict(|document| {
            document.compartments[0].members.insert("Task".to_owned(), Vec::new());
        });
        assert_eq!(error, Err("R4 has 66 types of the Patient compartment, the source 67".to_owned()));
    }

    #[test]
    fn a_value_set_that_gets_or_loses_codes_is_refused() {
        let error = verdict(|document| {
            let gender =
                document.code_sets.iter_mut().find(|set| set.value_set.ends_with("-gender")).unwrap();
            gender.value_set.push('s');
        });
        let found = r#"["http://hl7.org/fhir/ValueSet/administrative-gender"]"#;
        let expected = format!("R4: it was known otherwise whether the codes are published of {found}");
        assert_eq!(error, Err(expected));

        let error = verdict(|document| document.code_sets[0].systems.clear());
        assert!(error.is_err_and(|error| error.starts_with("a value set has no codes")));
    }

    #[test]
    fn a_missing_resource_type_is_refused() {
        let error = verdict(|document| document.types.retain(|definition| definition.name != "Basic"));
        assert_eq!(error, Err("R4 has 148 resource types, the source 147".to_owned()));
    }
}
