//! The tables of the OMOP Common Data Model 5.4, as views: embedded files of `sql/omop`.
//!
//! One invariant: a table of the CDM has the columns of its specification, in their order, and what the CDM says to be
//! required is never NULL.

use std::sync::LazyLock;

use fhir_definitions::FhirVersion;

use super::{Column, column, header};

/// The schema that the views are in.
pub const SCHEMA: &str = "omop";

/// The view that a session answers once, because all others ask it for every code.
pub const CODE_MAP: &str = "fhir_code_map";

/// The files, the CDM's tables first.
const FILES: [&str; 19] = [
    include_str!("../../sql/omop/person.sql"),
    include_str!("../../sql/omop/observation_period.sql"),
    include_str!("../../sql/omop/visit_occurrence.sql"),
    include_str!("../../sql/omop/condition_occurrence.sql"),
    include_str!("../../sql/omop/drug_exposure.sql"),
    include_str!("../../sql/omop/procedure_occurrence.sql"),
    include_str!("../../sql/omop/device_exposure.sql"),
    include_str!("../../sql/omop/measurement.sql"),
    include_str!("../../sql/omop/observation.sql"),
    include_str!("../../sql/omop/death.sql"),
    include_str!("../../sql/omop/location.sql"),
    include_str!("../../sql/omop/care_site.sql"),
    include_str!("../../sql/omop/provider.sql"),
    include_str!("../../sql/omop/fhir_code_system.sql"),
    include_str!("../../sql/omop/fhir_code_map.sql"),
    include_str!("../../sql/omop/fhir_statement.sql"),
    include_str!("../../sql/omop/fhir_event.sql"),
    include_str!("../../sql/omop/fhir_mapped_event.sql"),
    include_str!("../../sql/omop/fhir_reference.sql"),
];

/// A view of the schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OmopView {
    /// Its name, without the schema.
    pub name: String,
    /// What a row of it is.
    pub description: String,
    /// The labels of the FHIR versions whose tables it reads.
    pub fhir: Vec<String>,
    /// What of the lake has no row in it.
    pub leaves_out: String,
    /// What identifies a row: an expression over its columns.
    pub key: String,
    /// Its columns; the type of one that is never NULL ends with `NOT NULL`.
    pub columns: Vec<Column>,
    /// The whole file.
    pub sql: String,
}

impl OmopView {
    /// Whether it reads the tables of a FHIR version.
    pub fn is_of(&self, version: FhirVersion) -> bool {
        self.fhir.iter().any(|label| label == version.label())
    }

    /// Whether it is a table of the CDM, not one of those that they are made of.
    pub fn is_cdm(&self) -> bool {
        !self.name.starts_with("fhir_")
    }
}

/// All views.
pub fn all() -> &'static [OmopView] {
    static VIEWS: LazyLock<Vec<OmopView>> =
        LazyLock::new(|| FILES.iter().filter_map(|file| parse(file)).collect());
    &VIEWS
}

/// A view by its name, without the schema.
pub fn find(name: &str) -> Option<&'static OmopView> {
    all().iter().find(|view| view.name == name)
}

fn parse(sql: &str) -> Option<OmopView> {
    Some(OmopView {
        name: header::value(sql, "name")?,
        description: header::value(sql, "description")?,
        fhir: header::list(sql, "fhir")?,
        leaves_out: header::value(sql, "leaves out")?,
        key: header::value(sql, "key")?,
        columns: header::columns(sql).map(column).collect::<Option<Vec<_>>>()?,
        sql: sql.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_view_with_a_header_that_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/omop");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(files, all().iter().map(|view| view.name.clone()).collect());
        assert!(find(CODE_MAP).is_some());
    }

    #[test]
    fn the_tables_of_the_cdm_are_as_its_specification_has_them() {
        let specified = include_str!("../../tests/omop/cdm-5.4-fields.csv");
        let cdm = all().iter().filter(|view| view.is_cdm());
        let found: Vec<String> = cdm
            .flat_map(|view| {
                view.columns.iter().map(|column| {
                    let (data_type, required) =
                        column.data_type.split_once(' ').unwrap_or((&column.data_type, ""));
                    format!("{},{},{},{data_type}", view.name, column.name, !required.is_empty())
                })
            })
            .collect();
        let specified: Vec<String> = specified.lines().skip(1).map(as_our_type).collect();
        assert_eq!(found, specified);
    }

    /// `table,column,required,type of the CDM` with the type that we have for it.
    fn as_our_type(line: &str) -> String {
        let (column, data_type) = line.rsplit_once(',').unwrap();
        let name = column.split(',').nth(1).unwrap();
        let counted =
            ["year_of_birth", "month_of_birth", "day_of_birth", "refills", "days_supply", "quantity"];
        let ours = match data_type {
            "integer" if name.ends_with("concept_id") || counted.contains(&name) => "INT",
            // Ids are hashes, which need 64 bits.
            "integer" => "BIGINT",
            "float" => "DOUBLE",
            "date" => "DATE",
            "datetime" => "TIMESTAMP",
            text if text.starts_with("varchar") => "STRING",
            other => panic!("{other}"),
        };
        format!("{column},{ours}")
    }

    #[test]
    fn the_code_systems_that_a_coding_is_chosen_by_are_those_that_have_a_vocabulary() {
        let systems = |sql: &str| -> BTreeSet<String> {
            sql.split('\'').filter(|text| text.starts_with("http://")).map(str::to_owned).collect()
        };
        let statement = &find("fhir_statement").unwrap().sql;
        let list = &statement[statement.find("array_filter(the_codings").unwrap()..];
        assert_eq!(systems(list), systems(&find("fhir_code_system").unwrap().sql));
    }
}
