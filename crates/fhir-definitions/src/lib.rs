//! The FHIR versions as data: elements, types, codes, constraints, compartments.
//!
//! What the FHIR specification publishes as StructureDefinitions, ValueSets and CompartmentDefinitions is generated
//! into one small file per version (`data/<version>.json.zst`, by `cargo xtask definitions`) and read here once per
//! process. There are no Rust types per FHIR type: a resource's shape is a tree of [`Element`]s that callers
//! walk, so that a schema is a function of the FHIR version alone.
//!
//! The one invariant: what [`Definitions`] says is what is published. Nothing is added, renamed or left out,
//! except what the [`document`] module names.
//!
//! ```
//! use fhir_definitions::{Definitions, Max};
//!
//! let r4 = Definitions::r4();
//! let observation = r4.definition("Observation").ok_or("no Observation")?;
//! let value = observation.element("value").ok_or("no Observation.value[x]")?;
//! assert!(value.choice);
//! assert_eq!(value.max, Max::One);
//!
//! // One JSON name per type of the choice: valueQuantity, valueCodeableConcept, valueString, …
//! let names = value.json_names();
//! assert_eq!(names.len(), 11);
//! assert_eq!(names[0].0, "valueQuantity");
//! assert_eq!(names[0].1.code, "Quantity");
//!
//! // Which elements put an Observation into a Patient's compartment.
//! let paths: Vec<&str> = r4.patient_compartment().paths("Observation").collect();
//! assert_eq!(paths, ["subject", "performer"]);
//! # Ok::<(), &'static str>(())
//! ```

mod code_set;
mod compartment;
mod constraint;
mod definitions;
pub mod document;
mod element;
mod error;
mod version;

pub use code_set::CodeSet;
pub use compartment::{Compartment, CompartmentParameter};
pub use constraint::{Constraint, Severity};
pub use definitions::Definitions;
pub use element::{Binding, Element, Max, TypeDefinition, TypeKind, TypeRef};
pub use error::DefinitionsError;
pub use version::FhirVersion;
