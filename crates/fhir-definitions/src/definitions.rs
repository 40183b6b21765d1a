//! The definitions of one FHIR version, read once.

use crate::document::{Document, Source};
use crate::element::find;
use crate::{
    CodeSet, Compartment, Constraint, DefinitionsError, Element, FhirVersion, TypeDefinition, TypeKind,
};

/// The types, elements, codes and compartments of one FHIR version.
#[derive(Debug)]
pub struct Definitions {
    version: FhirVersion,
    sources: Vec<Source>,
    /// Sorted by name, so that a lookup is a binary search.
    types: Vec<TypeDefinition>,
    resource_types: Vec<String>,
    patient_compartment: Compartment,
    /// Sorted by the URL of the value set, so that a lookup is a binary search.
    code_sets: Vec<CodeSet>,
}

impl Definitions {
    /// The definitions of FHIR R4 (4.0.1).
    #[must_use]
    pub fn r4() -> &'static Self {
        Self::of(FhirVersion::R4)
    }

    /// The definitions of a version. The first call of each version reads the embedded file, which takes some
    /// milliseconds.
    #[must_use]
    pub fn of(version: FhirVersion) -> &'static Self {
        version.read().get_or_init(|| Self::embedded(version))
    }

    fn embedded(version: FhirVersion) -> Self {
        Document::from_zstd(version.data())
            .and_then(Self::from_document)
            .expect("the file is part of this crate, and the crate's tests read the file of every version")
    }

    /// The definitions of a document that was read elsewhere, such as one just generated.
    ///
    /// # Errors
    /// [`DefinitionsError::UnknownVersion`] and [`DefinitionsError::NoPatientCompartment`].
    pub fn from_document(document: Document) -> Result<Self, DefinitionsError> {
        let version = FhirVersion::from_fhir_version(&document.fhir_version)
            .ok_or(DefinitionsError::UnknownVersion { found: document.fhir_version })?;
        let patient_compartment = document
            .compartments
            .into_iter()
            .find(|compartment| compartment.code == "Patient")
            .ok_or(DefinitionsError::NoPatientCompartment)?;
        let mut types = document.types;
        types.sort_by(|a, b| a.name.cmp(&b.name));
        let resource_types = types
            .iter()
            .filter(|definition| definition.kind == TypeKind::Resource && !definition.is_abstract)
            .map(|definition| definition.name.clone())
            .collect();
        let mut code_sets = document.code_sets;
        code_sets.sort_by(|a, b| a.value_set.cmp(&b.value_set));
        Ok(Self { version, sources: document.sources, types, resource_types, patient_compartment, code_sets })
    }

    /// The FHIR version that these are the definitions of.
    #[must_use]
    pub const fn version(&self) -> FhirVersion {
        self.version
    }

    /// The published files that the definitions were generated from, with their hashes.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The names of all concrete resource types, sorted: without `Resource` and `DomainResource`.
    #[must_use]
    pub fn resource_types(&self) -> &[String] {
        &self.resource_types
    }

    /// Whether the name is that of a concrete resource type. Names are case-sensitive.
    #[must_use]
    pub fn is_resource(&self, name: &str) -> bool {
        self.resource_types.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    /// All types: primitives, data types and resource types, the abstract ones included, sorted by name.
    #[must_use]
    pub fn types(&self) -> &[TypeDefinition] {
        &self.types
    }

    /// The definition of a primitive, a data type or a resource type.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&TypeDefinition> {
        let at = self.types.binary_search_by(|definition| definition.name.as_str().cmp(name)).ok()?;
        self.types.get(at)
    }

    /// A type and the types that it specialises, the closest first: `Patient`, `DomainResource`, `Resource`. Empty for
    /// a name that is no type's.
    pub fn with_base_types<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a TypeDefinition> + use<'a> {
        std::iter::successors(self.definition(name), |definition| {
            self.definition(definition.base.as_deref()?)
        })
    }

    /// What has to hold of every value of a type: the constraints that are defined on it, then those of the types
    /// that it specialises.
    ///
    /// ```
    /// use fhir_definitions::Definitions;
    ///
    /// let r4 = Definitions::r4();
    /// let keys: Vec<&str> = r4.constraints_of("Age").map(|constraint| constraint.key.as_str()).collect();
    /// assert_eq!(keys, ["age-1", "qty-3", "ele-1"]);
    /// ```
    pub fn constraints_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Constraint> + use<'a> {
        self.with_base_types(name).flat_map(|definition| &definition.constraints)
    }

    /// The element at a path that starts with a type's name: `Questionnaire.item`, `Patient.name.family`.
    ///
    /// Element names are without `[x]`. The path goes on inside a data type and behind a content reference; not
    /// inside a choice of several types, where it would not be unique.
    ///
    /// ```
    /// use fhir_definitions::Definitions;
    ///
    /// let r4 = Definitions::r4();
    /// let family = r4.element("Patient.name.family").ok_or("no such element")?;
    /// assert_eq!(family.types[0].code, "string");
    /// # Ok::<(), &'static str>(())
    /// ```
    #[must_use]
    pub fn element(&self, path: &str) -> Option<&Element> {
        let mut names = path.split('.');
        let mut elements = self.definition(names.next()?)?.elements.as_slice();
        let mut element = None;
        for name in names {
            let found = find(elements, name)?;
            elements = self.elements_inside(found);
            element = Some(found);
        }
        element
    }

    /// The elements inside an element: those defined in place, else those of the element that its content
    /// reference names, else those of its only type. Empty for a choice of several types.
    #[must_use]
    pub fn elements_inside<'a>(&'a self, element: &'a Element) -> &'a [Element] {
        if !element.children.is_empty() {
            return &element.children;
        }
        if let Some(path) = &element.content_reference {
            return self.element(path).map_or(&[], |target| &target.children);
        }
        match element.types.as_slice() {
            [only] => self.definition(&only.code).map_or(&[], |definition| &definition.elements),
            _ => &[],
        }
    }

    /// The codes of a value set that some element is bound to by a `required` binding. `None` for other value sets,
    /// and for those whose codes are not published with the FHIR version: there anything may be a code.
    ///
    /// The URL is that of [`Binding::value_set`](crate::Binding::value_set); a version behind it is not looked at.
    ///
    /// ```
    /// use fhir_definitions::Definitions;
    ///
    /// let r4 = Definitions::r4();
    /// let gender = r4.element("Patient.gender").and_then(|gender| gender.binding.as_ref()).ok_or("no binding")?;
    /// let codes = gender.value_set.as_deref().and_then(|url| r4.code_set(url)).ok_or("no codes")?;
    /// assert!(codes.contains("female"));
    /// assert!(codes.contains_coded("http://hl7.org/fhir/administrative-gender", "female"));
    /// assert!(!codes.contains("f"));
    /// # Ok::<(), &'static str>(())
    /// ```
    #[must_use]
    pub fn code_set(&self, value_set: &str) -> Option<&CodeSet> {
        let url = value_set.split('|').next()?;
        let at = self.code_sets.binary_search_by(|known| known.value_set.as_str().cmp(url)).ok()?;
        self.code_sets.get(at)
    }

    /// All code sets, sorted by the URL of their value set.
    #[must_use]
    pub fn code_sets(&self) -> &[CodeSet] {
        &self.code_sets
    }

    /// Which resources belong to a patient, and by which elements.
    #[must_use]
    pub const fn patient_compartment(&self) -> &Compartment {
        &self.patient_compartment
    }
}
