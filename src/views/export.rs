//! The views as a script for another engine: its tables as views over the lake's files, then views in the order in which they
//! select from each other.
//!
//! One invariant: a script is whole. What a view selects from stands before it, or is a table that the user has said to be there.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;
use fhir_definitions::FhirVersion;

use super::dialect::{Dialect, Place, Relations, View as Translated};
use super::omop;
use crate::error::{Error, Result};

/// Where a table is that views select from.
#[derive(Debug, Clone)]
pub enum TableAt {
    /// A Delta table at a path or URL.
    Path(String),
    /// A table of the engine's catalog.
    Catalog(Place),
    /// Nowhere: there are no rows. It has these columns.
    Nowhere(SchemaRef),
    /// A table that the user fills: it is made, with these columns, where it is missing.
    Users(SchemaRef),
}

/// What the schemas of the engine are called.
#[derive(Debug, Clone)]
pub struct Schemas {
    /// That of the views, as catalog and schema or as schema; none: the session's own.
    pub views: Option<Place>,
    /// That of the tables of OMOP.
    pub omop: Place,
}

/// A statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it makes.
    pub name: String,
    /// What that is, in a sentence; empty where the name says it.
    pub comment: String,
    /// The statement, without a semicolon.
    pub sql: String,
}

/// Views to be written for an engine.
#[derive(Debug)]
pub struct Export {
    /// By our names, each after those that it selects from.
    views: Vec<Exported>,
}

#[derive(Debug)]
struct Exported {
    name: String,
    description: &'static str,
    view: Translated,
}

impl Export {
    /// Takes views by their names (`conditions`, `omop.person`; `omop` is all of that schema), or those of a FHIR version where
    /// none is named, with all views that they select from.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that is no view, or one of another FHIR version.
    pub fn of(names: &[String], version: FhirVersion) -> Result<Self> {
        let mut wanted: Vec<String> = Vec::new();
        for name in names {
            match name.as_str() {
                omop::SCHEMA => wanted.extend(omop_names(version)),
                name => wanted.push(name.to_owned()),
            }
        }
        if names.is_empty() {
            wanted
                .extend(super::all().iter().filter(|view| view.is_of(version)).map(|view| view.name.clone()));
        }
        let mut export = Self { views: Vec::new() };
        for name in &wanted {
            if !export.add(name, version)? {
                super::get(name, version)?;
            }
        }
        Ok(export)
    }

    /// Adds a view after those that it selects from; `false` where there is none of that name.
    fn add(&mut self, name: &str, version: FhirVersion) -> Result<bool> {
        if self.views.iter().any(|view| view.name == name) {
            return Ok(true);
        }
        let Some(found) = find(name, version) else { return Ok(false) };
        if !found.fhir.iter().any(|label| label == version.label()) {
            return Err(Error::Refused(format!("the view {name} is not for FHIR {version}")));
        }
        let view = Translated::read(name, found.sql)?;
        // Views of the library select from no view that selects from them: a test looks.
        for source in view.sources() {
            self.add(&source, version)?;
        }
        self.views.push(Exported { name: name.to_owned(), description: found.description, view });
        Ok(true)
    }

    /// The tables that the views select from, by our names: `Patient`, `_members`, `omop.concept`.
    pub fn tables(&self) -> BTreeSet<String> {
        let sources = self.views.iter().flat_map(|view| view.view.sources());
        sources.filter(|source| self.views.iter().all(|view| view.name != *source)).collect()
    }

    /// The script.
    ///
    /// # Errors
    /// [`Error::Query`] for what the dialect cannot say, and for two relations whose names differ by their case alone.
    pub fn statements(
        &self,
        dialect: Dialect,
        schemas: &Schemas,
        tables: &BTreeMap<String, TableAt>,
    ) -> Result<Vec<Statement>> {
        let mut script = Script { dialect, schemas, statements: Vec::new(), made: Vec::new() };
        let names = tables.keys().chain(self.views.iter().map(|view| &view.name));
        script.schemas(names);
        let (mut relations, mut seen_from_omop) = (Relations::default(), Relations::default());
        let mut place_both = |name: &str, place: Place| {
            seen_from_omop.place(name, dialect.seen_from_another_schema(&place));
            relations.place(name, place);
        };
        for (name, at) in tables {
            place_both(name, script.table(name, at)?);
        }
        for view in &self.views {
            place_both(&view.name, script.place(&view.name));
        }
        for view in &self.views {
            let relations = if is_of_omop(&view.name) { &seen_from_omop } else { &relations };
            let query = view.view.translate(dialect, relations)?;
            script.view(&view.name, view.description, &script.place(&view.name), &query)?;
        }
        Ok(script.statements)
    }
}

/// What is known of a view of either schema.
struct Found {
    description: &'static str,
    fhir: &'static [String],
    sql: &'static str,
}

fn find(name: &str, version: FhirVersion) -> Option<Found> {
    if let Some(view) =
        name.strip_prefix(omop::SCHEMA).and_then(|rest| rest.strip_prefix('.')).and_then(omop::find)
    {
        return Some(Found { description: &view.description, fhir: &view.fhir, sql: &view.sql });
    }
    let view = super::find(name, version)?;
    Some(Found { description: &view.description, fhir: &view.fhir, sql: &view.sql })
}

fn is_of_omop(name: &str) -> bool {
    name.strip_prefix(omop::SCHEMA).is_some_and(|rest| rest.starts_with('.'))
}

fn omop_names(version: FhirVersion) -> impl Iterator<Item = String> {
    let views = omop::all().iter().filter(move |view| view.is_of(version));
    views.map(|view| format!("{}.{}", omop::SCHEMA, view.name))
}

/// A script that is being written.
struct Script<'a> {
    dialect: Dialect,
    schemas: &'a Schemas,
    statements: Vec<Statement>,
    /// The relations that there are then, in lower case.
    made: Vec<Place>,
}

impl Script<'_> {
    /// The schemas that are not the session's own.
    fn schemas<'n>(&mut self, mut names: impl Iterator<Item = &'n String>) {
        let mut wanted: Vec<&Place> = self.schemas.views.iter().collect();
        if names.any(|name| is_of_omop(name)) && !wanted.contains(&&self.schemas.omop) {
            wanted.push(&self.schemas.omop);
        }
        for place in wanted {
            let name = self.name(place);
            let sql = format!("CREATE SCHEMA IF NOT EXISTS {name}");
            self.statements.push(Statement { name, comment: String::new(), sql });
        }
    }

    /// Where a relation of ours is made.
    fn place(&self, name: &str) -> Place {
        let (schema, last) = match name.split_once('.') {
            Some((_, last)) => (Some(&self.schemas.omop), last),
            None => (self.schemas.views.as_ref(), name),
        };
        schema.into_iter().flatten().cloned().chain([last.to_owned()]).collect()
    }

    fn name(&self, place: &Place) -> String {
        self.dialect.name(&place.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Makes a table known to the engine, and says where.
    fn table(&mut self, name: &str, at: &TableAt) -> Result<Place> {
        let place = self.place(name);
        match at {
            TableAt::Catalog(place) => {
                self.once(place)?;
                return Ok(place.clone());
            }
            TableAt::Path(path) => {
                let query = format!("SELECT * FROM {}", self.dialect.delta_table(path));
                self.view(name, "", &place, &query)?;
            }
            TableAt::Nowhere(columns) => {
                let query = self.dialect.no_rows(columns)?;
                self.view(name, "The lake has no data for it.", &place, &query)?;
            }
            TableAt::Users(columns) => {
                let columns = self.dialect.columns(columns)?;
                let sql = format!("CREATE TABLE IF NOT EXISTS {} (\n{columns}\n)", self.name(&place));
                let comment = "A table of OMOP's vocabulary: what is not in it is mapped to 0.".to_owned();
                self.statements.push(Statement { name: name.to_owned(), comment, sql });
            }
        }
        Ok(place)
    }

    /// Refuses a second relation of a name.
    fn once(&mut self, place: &Place) -> Result<()> {
        let mut whole: Place = place.iter().map(|part| part.to_lowercase()).collect();
        // Without a schema it is in the session's, and without a catalog perhaps in one that another name says.
        if let [_] = whole.as_slice() {
            whole.insert(0, self.dialect.session_schema().to_owned());
        }
        if self.made.iter().any(|other| other.ends_with(&whole) || whole.ends_with(other)) {
            return Err(Error::Query(format!(
                "{} would be made twice, as {} does not tell names by their case: choose another --schema or --omop-schema",
                self.name(place),
                self.dialect
            )));
        }
        self.made.push(whole);
        Ok(())
    }

    fn view(&mut self, name: &str, comment: &str, place: &Place, query: &str) -> Result<()> {
        self.once(place)?;
        let sql = format!("CREATE OR REPLACE VIEW {} AS\n{query}", self.name(place));
        self.statements.push(Statement { name: name.to_owned(), comment: comment.to_owned(), sql });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everywhere(export: &Export) -> BTreeMap<String, TableAt> {
        let tables = export.tables().into_iter();
        tables.map(|name| (name.clone(), TableAt::Catalog(vec!["raw".to_owned(), name]))).collect()
    }

    fn schemas() -> Schemas {
        Schemas { views: None, omop: vec!["omop".to_owned()] }
    }

    #[test]
    fn every_view_can_be_written_in_every_dialect_after_those_that_it_selects_from() {
        for version in FhirVersion::ALL {
            let mut names: Vec<String> = omop_names(*version).collect();
            names.extend(
                super::super::all().iter().filter(|view| view.is_of(*version)).map(|view| view.name.clone()),
            );
            let export = Export::of(&names, *version).unwrap();
            assert_eq!(export.views.len(), names.len(), "{version}");
            for (place, view) in export.views.iter().enumerate() {
                for source in view.view.sources() {
                    let at = export.views.iter().position(|other| other.name == source);
                    assert!(at.is_none_or(|at| at < place), "{} selects from {source}", view.name);
                }
            }
            for dialect in [Dialect::DuckDb, Dialect::Spark, Dialect::Databricks] {
                let statements = export.statements(dialect, &schemas(), &everywhere(&export)).unwrap();
                assert!(statements.len() >= names.len());
            }
        }
    }

    #[test]
    fn a_view_brings_those_that_it_selects_from() {
        let export = Export::of(&["latest_values".to_owned()], FhirVersion::R4).unwrap();
        let names: Vec<&str> = export.views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(names, ["observations", "latest_values"]);
        assert_eq!(export.tables(), BTreeSet::from(["Observation".to_owned()]));
    }

    #[test]
    fn what_is_no_view_of_the_version_is_refused() {
        let refused = |name: &str, version| Export::of(&[name.to_owned()], version).unwrap_err().to_string();
        assert!(refused("omop.person", FhirVersion::R5).contains("the view omop.person is not for FHIR R5"));
        assert!(refused("nothing", FhirVersion::R4).contains("there is no view nothing"));
        assert!(refused("Patient", FhirVersion::R4).contains("there is no view Patient"));
    }

    #[test]
    fn the_sessions_schema_is_told_from_one_of_its_name() {
        let export = Export::of(&[omop::SCHEMA.to_owned()], FhirVersion::R4).unwrap();
        let tables = export.tables().into_iter().map(|name| (name, TableAt::Path("/x".to_owned()))).collect();
        let place = |name: &str| name.split('.').map(str::to_owned).collect::<Place>();
        for (dialect, views, schema) in [
            (Dialect::DuckDb, None, "main"),
            (Dialect::Spark, None, "default"),
            (Dialect::DuckDb, Some("memory.main"), "main"),
            (Dialect::Spark, Some("spark_catalog.default"), "default"),
        ] {
            let schemas = Schemas { views: views.map(place), omop: place(schema) };
            let refused = export.statements(dialect, &schemas, &tables).unwrap_err().to_string();
            assert!(refused.contains("would be made twice"), "{refused}");
        }
    }

    #[test]
    fn names_that_differ_by_their_case_alone_are_refused() {
        let export = Export::of(&["patients".to_owned()], FhirVersion::R4).unwrap();
        let at = |path: &str| TableAt::Path(path.to_owned());
        let tables = BTreeMap::from([("Patient".to_owned(), at("/a")), ("PATIENTS".to_owned(), at("/b"))]);
        let error = export.statements(Dialect::DuckDb, &schemas(), &tables).unwrap_err().to_string();
        assert!(error.contains("patients would be made twice"), "{error}");
    }
}
