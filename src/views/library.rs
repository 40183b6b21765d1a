//! The files of the view library.
//!
//! One invariant: a view stands after all views that it selects from, so there is no cycle.

/// The files of `sql/views` with these names.
macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(include_str!(concat!("../../sql/views/", $name, ".sql"))),*] };
}

/// In the order in which `views list` shows them: the patient, what is known of the patient, what was done and paid, who
/// did it and where.
pub(super) const FILES: &[&str] = files![
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
