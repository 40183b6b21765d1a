//! `code_in(concept, system, code[, code…])`: whether a concept has one of these codes.
//!
//! One invariant: a code counts with its system alone. `M` of one system is not `M` of another.

use std::sync::Arc;

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use delta_scan::ReadsFields;

use super::arguments::{answer, constant_texts, planned_texts, said};
use super::codings;

const NAME: &str = "code_in";

const USAGE: &str = "code_in takes a CodeableConcept, a Coding or a list of them, then a system and its codes, such as \
                     code_in(Observation.code, 'http://loinc.org', '4548-4')";

/// `code_in(code, 'http://loinc.org', '4548-4', …)`: true if any coding is of this system and has one of these codes, false
/// if none has, null where there is no concept.
pub(crate) fn code_in() -> ScalarUDF {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ReadsFields::function(CodeIn { signature }, codings::READ)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CodeIn {
    signature: Signature,
}

impl ScalarUDFImpl for CodeIn {
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
        let concept = arguments.arg_fields[0].data_type();
        if !codings::are_in(concept) && !concept.is_null() {
            return plan_err!("{USAGE}, and not {}", said(concept));
        }
        if planned_texts(&arguments, 1, USAGE)?.len() < 2 {
            return plan_err!("{USAGE}: the system and one code at least");
        }
        answer(NAME, DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let concepts = arguments.args[0].to_array(arguments.number_rows)?;
        let texts = constant_texts(&arguments.args, 1);
        let Some((wanted, codes)) = texts.split_first() else { return internal_err!("{USAGE}") };
        let found = codings::any(&concepts, |system, code| system == Some(*wanted) && codes.contains(&code))?;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(found))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, refused};

    const CODING: &str = "named_struct('system', 'urn:s', 'code', '1')";
    const OTHER: &str = "named_struct('system', 'urn:t', 'code', '2')";

    #[tokio::test]
    async fn any_coding_counts_with_its_system_wherever_it_stands() {
        let concept = format!("named_struct('coding', [{OTHER}, {CODING}], 'text', 'x')");
        let reference = format!("named_struct('concept', {concept})");
        let list = format!("[named_struct('coding', [{OTHER}]), named_struct('coding', [{CODING}])]");
        for argument in [CODING, &concept, &reference, &format!("[{OTHER}, {CODING}]"), &list] {
            assert_eq!(asked(&format!("code_in({argument}, 'urn:s', '1')")).await, "true", "{argument}");
            assert_eq!(asked(&format!("code_in({argument}, 'urn:s', '0', '1')")).await, "true", "{argument}");
            assert_eq!(asked(&format!("code_in({argument}, 'urn:t', '1')")).await, "false", "{argument}");
        }
    }

    #[tokio::test]
    async fn no_concept_is_null_and_one_without_codes_has_none() {
        assert_eq!(asked(&format!("code_in(nullif({CODING}, {CODING}), 'urn:s', '1')")).await, "");
        assert_eq!(asked("code_in(NULL, 'urn:s', '1')").await, "");
        let empty = "named_struct('coding', array_slice([named_struct('system', 'a', 'code', 'b')], 2, 2))";
        assert_eq!(asked(&format!("code_in({empty}, 'a', 'b')")).await, "false");
        let nothing = "named_struct('system', CAST(NULL AS STRING), 'code', CAST(NULL AS STRING))";
        assert_eq!(asked(&format!("code_in({nothing}, 'a', 'b')")).await, "false");
    }

    #[tokio::test]
    async fn what_cannot_be_meant_is_refused_when_it_is_planned() {
        for (call, said) in [
            ("code_in('1', 'urn:s', '1')", "and not a text"),
            (&format!("code_in({CODING}, 'urn:s')") as &str, "one code at least"),
            (&format!("code_in({CODING}, 'urn:s', 1)"), "as texts that are the same in every row"),
            (&format!("code_in({CODING}, NULL, '1')"), "as texts that are the same in every row"),
        ] {
            let error = refused(call).await;
            assert!(
                error.contains("code_in takes a CodeableConcept") && error.contains(said),
                "{call}: {error}"
            );
        }
    }
}
