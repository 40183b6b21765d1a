//! A ViewDefinition as it is written (<https://sql-on-fhir.org/ig/StructureDefinition-ViewDefinition.html>).
//!
//! The one invariant: inside `select`, `column`, `where` and `constant` an unknown member is an error, so that a
//! misspelt `forEach` is told and not passed over. The metadata around them may be anything.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ViewError;

/// A ViewDefinition.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewDefinition {
    /// Its name, by which SQL selects from it.
    #[serde(default)]
    pub name: Option<String>,
    /// Its title, for people.
    #[serde(default)]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The resource type that it reads.
    pub resource: String,
    /// The FHIR versions that it is for: `4.0.1`.
    #[serde(default)]
    pub fhir_version: OneOrMany,
    /// Values that its expressions name, `%name`.
    #[serde(default)]
    pub constant: Vec<Constant>,
    /// Its columns.
    pub select: Vec<Select>,
    /// Which resources it has.
    #[serde(default, rename = "where")]
    pub filters: Vec<Filter>,
}

/// Codes, of which one may stand alone: servers write `fhirVersion` either way.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// None.
    #[default]
    None,
    /// One.
    One(String),
    /// Some.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A value with a name.
#[derive(Debug, Clone, Deserialize)]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// `value[x]`, and what else an element may have.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// A condition.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The expression, a boolean.
    pub path: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default, rename = "id")]
    _id: Option<Value>,
    #[serde(default, rename = "extension")]
    _extension: Option<Value>,
}

/// Columns, and how many rows they have.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Select {
    /// Columns.
    #[serde(default)]
    pub column: Vec<Column>,
    /// More of them, for each row of this one.
    #[serde(default)]
    pub select: Vec<Select>,
    /// A row for each value of this expression.
    #[serde(default)]
    pub for_each: Option<String>,
    /// The same, and a row without values where it has none.
    #[serde(default)]
    pub for_each_or_null: Option<String>,
    /// A row for each value of these expressions, of the values below those, and so on.
    #[serde(default)]
    pub repeat: Vec<String>,
    /// The rows of all of these, which have the same columns.
    #[serde(default)]
    pub union_all: Vec<Select>,
    #[serde(default, rename = "id")]
    _id: Option<Value>,
    #[serde(default, rename = "extension")]
    _extension: Option<Value>,
}

/// A column.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The expression of its value.
    pub path: String,
    /// What it is.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it may have several values, as a list.
    #[serde(default)]
    pub collection: Option<bool>,
    /// Its FHIR type: `string`, or the URL of the type.
    #[serde(default, rename = "type")]
    pub type_name: Option<String>,
    /// What implementations may know of it; nothing is made of them here.
    #[serde(default)]
    pub tag: Vec<Value>,
    #[serde(default, rename = "id")]
    _id: Option<Value>,
    #[serde(default, rename = "extension")]
    _extension: Option<Value>,
}

impl ViewDefinition {
    /// Reads a ViewDefinition.
    ///
    /// # Errors
    /// [`ViewError::Document`] where the text is not JSON or not of the shape of one.
    pub fn parse(text: &str) -> Result<Self, ViewError> {
        serde_json::from_str(text).map_err(|error| ViewError::Document { reason: error.to_string() })
    }
}

/// `^[A-Za-z][A-Za-z0-9_]*$`: what databases take for a name.
pub(crate) fn is_sql_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')
}
