//! `fhir_ref_id(reference[, type])`: the id of what a reference points to.
//!
//! One invariant: an id is that of a resource of the lake's own server. What other servers have, and what is known by an
//! identifier alone, has none here.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, StringViewArray, StringViewBuilder, StructArray};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use delta_scan::ReadsFields;
use fhir_arrow::References;

use super::arguments::{Same, answer, at, constant_texts, has_fields, is_text, planned_texts, said, texts};

const NAME: &str = "fhir_ref_id";

const USAGE: &str = "fhir_ref_id takes a Reference, or the text of one, and perhaps a resource type, such as \
                     fhir_ref_id(Observation.subject, 'Patient')";

const TYPE: &str = "__reference_type";
const ID: &str = "__reference_id";

/// `fhir_ref_id(subject, 'Patient')`: the id of the target, if that is a resource of the server, and of this type.
pub(crate) fn fhir_ref_id(references: Arc<References>) -> ScalarUDF {
    let takes = vec![TypeSignature::Any(1), TypeSignature::Any(2)];
    let signature = Signature::one_of(takes, Volatility::Immutable);
    ReadsFields::function(FhirRefId { signature, references: Same(references) }, &[&[TYPE], &[ID]])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FhirRefId {
    signature: Signature,
    references: Same<References>,
}

impl ScalarUDFImpl for FhirRefId {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{NAME} is planned by its arguments")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        match arguments.arg_fields[0].data_type() {
            reference if is_text(reference) || reference.is_null() || has_fields(reference, &[TYPE, ID]) => {}
            DataType::List(element) if has_fields(element.data_type(), &[TYPE, ID]) => {
                return plan_err!(
                    "{USAGE}, and not a list of them: take one (performer[1]), or all from the table refs"
                );
            }
            other => return plan_err!("{USAGE}, and not {}", said(other)),
        }
        for resource_type in planned_texts(&arguments, 1, USAGE)? {
            if self.references.0.target(&format!("{resource_type}/1")).0.is_none() {
                return plan_err!("{USAGE}: FHIR has no resource type {resource_type}");
            }
        }
        answer(NAME, DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let references = arguments.args[0].to_array(arguments.number_rows)?;
        let wanted = constant_texts(&arguments.args, 1).first().copied();
        let ids = match references.as_struct_opt() {
            Some(structs) => of_structs(structs, wanted)?,
            None => texts(&references)?
                .iter()
                .map(|text| {
                    let (resource_type, id) = self.references.0.target(text?);
                    id.filter(|_| wanted.is_none() || resource_type == wanted)
                })
                .collect(),
        };
        Ok(ColumnarValue::Array(Arc::new(ids)))
    }
}

fn of_structs(references: &StructArray, wanted: Option<&str>) -> Result<StringViewArray> {
    let (Some(types), Some(ids)) = (references.column_by_name(TYPE), references.column_by_name(ID)) else {
        return exec_err!("{USAGE}");
    };
    let (types, ids) = (texts(types)?, texts(ids)?);
    let mut out = StringViewBuilder::with_capacity(references.len());
    for row in 0..references.len() {
        let id = at(&ids, row).filter(|_| wanted.is_none() || at(&types, row) == wanted);
        out.append_option(id.filter(|_| references.is_valid(row)));
    }
    Ok(out.finish())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, refused};

    #[tokio::test]
    async fn a_reference_has_the_id_that_its_column_has() {
        let reference =
            "named_struct('reference', 'Patient/1', '__reference_type', 'Patient', '__reference_id', '1')";
        assert_eq!(asked(&format!("fhir_ref_id({reference})")).await, "1");
        assert_eq!(asked(&format!("fhir_ref_id({reference}, 'Patient')")).await, "1");
        assert_eq!(asked(&format!("fhir_ref_id({reference}, 'Group')")).await, "");
        assert_eq!(asked(&format!("fhir_ref_id(nullif({reference}, {reference}))")).await, "");
    }

    #[tokio::test]
    async fn a_text_is_read_as_references_are() {
        for (text, id) in [
            ("Patient/1", "1"),
            ("Patient/1/_history/2", "1"),
            ("https://elsewhere.example.org/Patient/1", ""),
            ("Practitioner?identifier=urn:npi|1", ""),
            ("#p1", ""),
            ("", ""),
        ] {
            assert_eq!(asked(&format!("fhir_ref_id('{text}')")).await, id, "{text}");
        }
        assert_eq!(asked("fhir_ref_id('Patient/1', 'Group')").await, "");
        assert_eq!(asked("fhir_ref_id(CAST(NULL AS STRING), 'Group')").await, "");
    }

    #[tokio::test]
    async fn what_is_no_reference_and_no_type_is_refused() {
        for (call, said) in [
            ("fhir_ref_id(1)", "and not Int64"),
            ("fhir_ref_id(named_struct('a', 1))", "a struct with a…"),
            ("fhir_ref_id('Patient/1', 'Patiet')", "FHIR has no resource type Patiet"),
            ("fhir_ref_id([named_struct('__reference_type', 'a', '__reference_id', 'b')])", "table refs"),
        ] {
            let error = refused(call).await;
            assert!(
                error.contains("fhir_ref_id takes a Reference") && error.contains(said),
                "{call}: {error}"
            );
        }
    }
}
