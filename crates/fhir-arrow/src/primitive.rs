//! The leaves of a schema: how a FHIR primitive is held in Arrow, and which annotations stand beside it.
//!
//! A leaf is one column with the value, and none, one or two with annotations: what is computed from the value so
//! that SQL need not parse it. Annotations begin with `__`, which no FHIR name does, and are never turned back.

use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};

/// How a value is held that is not made of columns itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// A JSON string, as the text that it stands for.
    Text,
    Boolean,
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits, which JSON has as a string: not every reader of JSON numbers can hold it.
    Integer64,
    /// A JSON number as it is written; annotated with the nearest double.
    Decimal,
    /// A date, dateTime or instant as it is written; annotated with its first and last microsecond.
    Moment,
    /// The bytes of a base64Binary.
    Base64,
    /// `Reference.reference` as it is written; annotated with the type and the id that it names.
    ReferenceUrl,
    /// A resource inside of the resource, as JSON text.
    Resource,
    /// A choice of any type: a JSON object with the members `valueString`, `valueQuantity`, …, as text.
    Open,
}

impl Leaf {
    /// The leaf of a FHIR primitive type. Types that are not named here are JSON strings.
    pub(crate) fn of_primitive(code: &str) -> Self {
        match code {
            "boolean" => Self::Boolean,
            "integer" | "positiveInt" | "unsignedInt" => Self::Integer,
            "integer64" => Self::Integer64,
            "decimal" => Self::Decimal,
            "date" | "dateTime" | "instant" => Self::Moment,
            "base64Binary" => Self::Base64,
            _ => Self::Text,
        }
    }

    /// The columns of an element of this name: the value, then the annotations.
    pub(crate) fn columns(self, name: &str) -> Vec<(String, DataType)> {
        let mut columns = vec![(name.to_owned(), self.data_type())];
        let mut annotate = |suffix: &str, data_type| columns.push((format!("__{name}_{suffix}"), data_type));
        match self {
            Self::Decimal => annotate("double", DataType::Float64),
            Self::Moment => {
                annotate("start", timestamp());
                annotate("end", timestamp());
            }
            Self::ReferenceUrl => {
                annotate("type", DataType::Utf8);
                annotate("id", DataType::Utf8);
            }
            _ => {}
        }
        columns
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int32,
            Self::Integer64 => DataType::Int64,
            Self::Base64 => DataType::Binary,
            _ => DataType::Utf8,
        }
    }
}

/// The type of all points in time: microseconds in UTC, which is what Delta calls `timestamp`.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The type of a list. Delta names the field `element`.
pub(crate) fn list(of: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", of, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_stand_behind_their_element_and_have_its_name() {
        let names = |leaf: Leaf, name| -> Vec<String> {
            leaf.columns(name).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(Leaf::Moment, "birthDate"), ["birthDate", "__birthDate_start", "__birthDate_end"]);
        assert_eq!(names(Leaf::Decimal, "value"), ["value", "__value_double"]);
        assert_eq!(
            names(Leaf::ReferenceUrl, "reference"),
            ["reference", "__reference_type", "__reference_id"]
        );
        assert_eq!(names(Leaf::Text, "family"), ["family"]);
    }
}
