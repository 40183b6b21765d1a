//! What can be wrong with a line, a schema or a row.
//!
//! One invariant: no text of an error holds a value out of a resource. A place (byte offset, element path) is
//! enough to find it in the raw file, and texts of errors end up in logs.

use std::fmt;

/// Why a line is not taken: a resource that is not well-formed, or that lacks what every resource needs.
///
/// A line that [`scan`](crate::scan) accepts is never refused by [`Flattener::append`](crate::Flattener::append),
/// provided that it is of the flattener's type and that the batch has room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}{}", InPath(element_path.as_deref()))]
pub struct LineError {
    /// The kind of problem, in FHIR's own words.
    pub code: IssueCode,
    /// What is wrong, in a sentence without data of the resource.
    pub reason: String,
    /// The element that it is wrong in (`Patient.id`), where that is known.
    pub element_path: Option<String>,
    /// Where in the line, in bytes from its start.
    pub offset: usize,
}

struct InPath<'a>(Option<&'a str>);

impl fmt::Display for InPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, " in {path}"))
    }
}

impl LineError {
    pub(crate) fn new(code: IssueCode, reason: impl Into<String>, offset: usize) -> Self {
        Self { code, reason: reason.into(), element_path: None, offset }
    }

    pub(crate) fn within(mut self, element_path: impl Into<String>) -> Self {
        self.element_path = Some(element_path.into());
        self
    }
}

/// The codes of <https://hl7.org/fhir/R4/valueset-issue-type.html> that lines and findings have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IssueCode {
    /// The content is not what was expected here: a resource of another type.
    Invalid,
    /// The line is no well-formed JSON object in UTF-8, or has a member twice.
    Structure,
    /// An element that every resource of an export has is missing.
    Required,
    /// The value of an element is not allowed.
    Value,
    /// A code is not one of those that are allowed.
    CodeInvalid,
    /// A constraint of the definitions does not hold.
    Invariant,
    /// The line is longer than a row can be.
    TooLong,
    /// The batch is full: the line is not at fault, the rows before it must be finished first.
    TooCostly,
}

impl IssueCode {
    /// The code as FHIR writes it, `structure`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::CodeInvalid => "code-invalid",
            Self::Invariant => "invariant",
            Self::TooLong => "too-long",
            Self::TooCostly => "too-costly",
        }
    }
}

impl fmt::Display for IssueCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a type has no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The FHIR version has no concrete resource type of this name.
    #[error("FHIR {version} has no resource type {name}; resource types are written like Patient")]
    UnknownType {
        /// The FHIR version that was asked.
        version: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// A column that the configuration asks for and that cannot be.
    #[error("{path} cannot be a column: {reason}")]
    Unconfigurable {
        /// The path, as configured: `address.extension`.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// An element whose type or content reference leads nowhere: the definitions are damaged.
    #[error("the definition of {path} refers to {target}, which is not defined; regenerate the definitions")]
    Undefined {
        /// The element, `Patient.name`.
        path: String,
        /// What it refers to.
        target: String,
    },
}

/// Why a row cannot be turned back into a resource: the batch was not made with this schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnflattenError {
    /// The batch has fewer rows.
    #[error("row {row} was asked for of a batch of {rows} rows")]
    NoSuchRow {
        /// The row that was asked for, from 0.
        row: usize,
        /// How many the batch has.
        rows: usize,
    },
    /// A column is of another type than the schema says.
    #[error("column {column} of {resource_type} is of the type {found}, which does not hold its element")]
    ColumnType {
        /// The resource type of the schema.
        resource_type: String,
        /// The column, with the names of the structs that it is in (`name.given`).
        column: String,
        /// The Arrow type that the batch has.
        found: String,
    },
    /// A text that must be JSON is not.
    #[error("column {column} of {resource_type} holds a text that is not the JSON it should be")]
    NotJson {
        /// The resource type of the schema.
        resource_type: String,
        /// The column, with the names of the structs that it is in (`value.value`).
        column: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_error_says_what_and_where() {
        let error = LineError::new(IssueCode::Structure, "a string has no end", 17).within("Patient.name");
        assert_eq!(error.to_string(), "a string has no end at byte 17 in Patient.name");
        assert_eq!(error.code.to_string(), "structure");
    }
}
