//! `conditional_reference(reference[, type])`: a Reference as the search by identifier that it stands for.
//!
//! One invariant: the answer names a type. A reference of which nothing says the type has none.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, StringViewArray, StringViewBuilder, StructArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::arguments::texts;
use super::decode;

const NAME: &str = "conditional_reference";

/// The parameter of a search in a reference.
const SEARCH: &str = "?identifier=";

/// `conditional_reference(reference, type)` is `Practitioner?identifier=system|value`, decoded:
/// of a conditional reference itself, else made of the type and the identifier of a logical one. The type is what the
/// reference says, else the second argument, if there is one.
pub(crate) fn conditional_reference() -> ScalarUDF {
    let signature =
        Signature::one_of(vec![TypeSignature::Any(1), TypeSignature::Any(2)], Volatility::Immutable);
    ScalarUDF::from(ConditionalReference { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ConditionalReference {
    signature: Signature,
}

impl ScalarUDFImpl for ConditionalReference {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> SqlResult<DataType> {
        let has = |fields: &datafusion::arrow::datatypes::Fields, name| fields.find(name).is_some();
        match &arguments[0] {
            DataType::Struct(fields) if has(fields, "reference") && has(fields, "__reference_type") => {
                Ok(DataType::Utf8View)
            }
            other => {
                plan_err!("{NAME} takes a Reference, such as Encounter.serviceProvider, and not {other}")
            }
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> SqlResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let Some(references) = arrays[0].as_struct_opt() else {
            return exec_err!("{NAME} takes a Reference, and not {}", arrays[0].data_type());
        };
        let default_types = arrays.get(1).map(|types| texts(types)).transpose()?;
        Ok(ColumnarValue::Array(Arc::new(searches(references, default_types.as_ref())?)))
    }
}

fn searches(references: &StructArray, default_types: Option<&StringViewArray>) -> SqlResult<StringViewArray> {
    let written = column(references, "reference")?;
    let resolved_types = column(references, "__reference_type")?;
    let said_types = column(references, "type")?;
    let identifiers = references.column_by_name("identifier").and_then(AsArray::as_struct_opt);
    let systems = identifiers.map(|identifiers| column(identifiers, "system")).transpose()?.flatten();
    let values = identifiers.map(|identifiers| column(identifiers, "value")).transpose()?.flatten();
    let mut out = StringViewBuilder::with_capacity(references.len());
    for row in 0..references.len() {
        let reference = Reference {
            written: at(written.as_ref(), row),
            resolved_type: at(resolved_types.as_ref(), row),
            said_type: at(said_types.as_ref(), row).or_else(|| at(default_types, row)),
            system: at(systems.as_ref(), row),
            value: at(values.as_ref(), row),
        };
        out.append_option(if references.is_valid(row) { reference.search() } else { None });
    }
    Ok(out.finish())
}

/// A reference's parts.
#[derive(Default)]
struct Reference<'a> {
    written: Option<&'a str>,
    resolved_type: Option<&'a str>,
    said_type: Option<&'a str>,
    system: Option<&'a str>,
    value: Option<&'a str>,
}

impl Reference<'_> {
    fn search(self) -> Option<String> {
        if let Some((_, search)) = self.written.and_then(|written| written.split_once(SEARCH)) {
            // A search on another server has no type: what it finds there is not here.
            return Some(format!("{}{SEARCH}{}", self.resolved_type?, decode(search)));
        }
        let resource_type = self.resolved_type.or(self.said_type)?;
        Some(format!("{resource_type}{SEARCH}{}|{}", self.system.unwrap_or_default(), self.value?))
    }
}

fn at(column: Option<&StringViewArray>, row: usize) -> Option<&str> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

fn column(parent: &StructArray, name: &str) -> SqlResult<Option<StringViewArray>> {
    parent.column_by_name(name).map(|column| texts(column)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditional(written: &str) -> Reference<'_> {
        Reference { written: Some(written), resolved_type: Some("Practitioner"), ..Reference::default() }
    }

    fn logical<'a>(system: Option<&'a str>, value: &'a str) -> Reference<'a> {
        Reference { system, value: Some(value), ..Reference::default() }
    }

    #[test]
    fn a_conditional_reference_is_decoded_and_loses_the_server_s_base() {
        for (written, search) in [
            ("Practitioner?identifier=urn:npi|1", "Practitioner?identifier=urn:npi|1"),
            ("Practitioner?identifier=urn%3Anpi%7c%C3%84%203", "Practitioner?identifier=urn:npi|Ä 3"),
            ("http://own/fhir/Practitioner?identifier=|1", "Practitioner?identifier=|1"),
        ] {
            assert_eq!(conditional(written).search().as_deref(), Some(search), "{written}");
        }
    }

    #[test]
    fn a_search_on_another_server_is_none_here() {
        let elsewhere = "https://elsewhere/Practitioner?identifier=1";
        let reference =
            Reference { resolved_type: None, said_type: Some("Practitioner"), ..conditional(elsewhere) };
        assert_eq!(reference.search(), None);
    }

    #[test]
    fn a_logical_reference_has_the_type_that_it_says_or_that_the_element_allows() {
        let typed = Reference { said_type: Some("Organization"), ..logical(Some("urn:org"), "1") };
        assert_eq!(typed.search().as_deref(), Some("Organization?identifier=urn:org|1"));
        let bare = Reference { said_type: Some("Organization"), ..logical(None, "1") };
        assert_eq!(bare.search().as_deref(), Some("Organization?identifier=|1"));
        assert_eq!(logical(Some("urn:org"), "1").search(), None);
        assert_eq!(Reference { said_type: Some("Organization"), ..Reference::default() }.search(), None);
    }
}
