//! The files of the view library.
//!
//! One invariant: a view stands after all views that it selects from, so there is no cycle.

/// The files of a folder with these names.
macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => { &[$(include_str!(concat!("../../", $folder, "/", $name, ".sql"))),*] };
}

/// In the order in which `views list` shows them: the patient, what is known of the patient, what was done and paid, who
/// did it and where.
pub(super) const FILES: &[&str] = files!["sql/views":
    "patients",
    "conditional_references",
    "encounters",
    "encounter_stays",
    "conditions",
    "problem_list",
    "observations",
    "labs",
    "vitals",
    "latest_values",
    "procedures",
    "immunizations",
    "allergies",
    "medications",
    "medication_requests",
    "medication_dispenses",
    "medication_administrations",
    "medication_statements",
    "medication_exposures",
    "diagnostic_reports",
    "documents",
    "care_plans",
    "devices",
    "coverages",
    "claims",
    "claim_items",
    "explanation_of_benefits",
    "explanation_of_benefit_items",
    "providers",
    "organizations",
    "locations",
    "cohort_members",
];

/// What FHIR R5 has otherwise: of views among those above, the same columns from other elements.
pub(super) const R5_FILES: &[&str] = files!["sql/views/r5":
    "encounters",
    "procedures",
    "immunizations",
    "allergies",
    "medication_requests",
    "medication_dispenses",
    "medication_administrations",
    "medication_statements",
    "documents",
    "care_plans",
    "devices",
    "coverages",
    "providers",
    "organizations",
    "locations",
];
