//! `in_value_set(concept, value set)`: whether a concept has a code of a value set.
//!
//! One invariant: a value set that is not loaded is an error, never an empty set.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use delta_scan::ReadsFields;

use super::arguments::{Same, answer, at, constant_texts, is_text, planned_texts, said, texts};
use super::codings;
use crate::query::value_sets::{Codes, ValueSets};

/// Its name.
pub(crate) const NAME: &str = "in_value_set";

const USAGE: &str = "in_value_set takes a CodeableConcept, a Coding, a list of them or a code (or a system and a code), then the \
                     URL, name or id of a value set, such as in_value_set(Condition.code, 'http://example.org/ValueSet/diabetes')";

/// `in_value_set(code, 'http://…/ValueSet/diabetes')`: true if any coding is of the value set. A code by itself is of it where
/// it is in it in any system; `in_value_set(code_system, code, …)` says the system.
pub(crate) fn in_value_set(value_sets: Arc<ValueSets>) -> ScalarUDF {
    let takes = vec![TypeSignature::Any(2), TypeSignature::Any(3)];
    let signature = Signature::one_of(takes, Volatility::Immutable);
    ReadsFields::function(InValueSet { signature, value_sets: Same(value_sets) }, codings::READ)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct InValueSet {
    signature: Signature,
    value_sets: Same<ValueSets>,
}

impl InValueSet {
    fn codes(&self, name: &str) -> Result<&Codes> {
        self.value_sets.0.find(name).map_err(|reason| DataFusionError::Plan(format!("{NAME}: {reason}")))
    }
}

impl ScalarUDFImpl for InValueSet {
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
        let (of_set, codes) = match arguments.arg_fields.split_last() {
            Some((_, codes)) => (codes.len(), codes),
            None => return plan_err!("{USAGE}"),
        };
        for name in planned_texts(&arguments, of_set, USAGE)? {
            self.codes(name)?;
        }
        let is_code = |field: &FieldRef| is_text(field.data_type()) || field.data_type().is_null();
        if let [concept] = codes
            && codings::are_in(concept.data_type())
        {
            return answer(NAME, DataType::Boolean);
        }
        if let Some(other) = codes.iter().find(|field| !is_code(field)) {
            return plan_err!("{USAGE}, and not {}", said(other.data_type()));
        }
        answer(NAME, DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((_, codes)) = arguments.args.split_last() else { return internal_err!("{USAGE}") };
        let names = constant_texts(&arguments.args, codes.len());
        let Some(name) = names.first() else { return internal_err!("{USAGE}") };
        let set = self.codes(name)?;
        let arrays: Vec<ArrayRef> =
            codes.iter().map(|code| code.to_array(arguments.number_rows)).collect::<Result<_>>()?;
        let found = match arrays.as_slice() {
            [system, code] => {
                let (systems, codes) = (texts(system)?, texts(code)?);
                let of_row = |row| Some(set.has(at(&systems, row), at(&codes, row)?));
                (0..arguments.number_rows).map(of_row).collect()
            }
            [code] if !codings::are_in(code.data_type()) => {
                texts(code)?.iter().map(|code| Some(set.has_in_any_system(code?))).collect()
            }
            [concept] => codings::any(concept, |system, code| set.has(system, code))?,
            _ => return internal_err!("{USAGE}"),
        };
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(found))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked_in, refused_in, session};
    use super::*;

    const SET: &str = r#"{"resourceType":"ValueSet","id":"sugar","url":"urn:vs:sugar","name":"Sugar",
        "compose":{"include":[{"system":"urn:s","concept":[{"code":"1"},{"code":"2"}]}]}}"#;

    fn loaded() -> datafusion::prelude::SessionContext {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sugar.json"), SET).unwrap();
        session(ValueSets::read(&[folder.path().to_owned()]).unwrap())
    }

    #[tokio::test]
    async fn a_concept_a_coding_and_a_code_are_looked_up() {
        let session = loaded();
        let coding = |system: &str| format!("named_struct('system', '{system}', 'code', '1')");
        for (code, answer) in [
            (coding("urn:s"), "true"),
            (coding("urn:t"), "false"),
            (format!("named_struct('coding', [{}, {}])", coding("urn:t"), coding("urn:s")), "true"),
            ("'1'".to_owned(), "true"),
            ("'3'".to_owned(), "false"),
            ("'urn:s', '2'".to_owned(), "true"),
            ("'urn:t', '2'".to_owned(), "false"),
            ("CAST(NULL AS STRING)".to_owned(), ""),
        ] {
            for name in ["urn:vs:sugar", "Sugar", "sugar"] {
                assert_eq!(
                    asked_in(&session, &format!("in_value_set({code}, '{name}')")).await,
                    answer,
                    "{code}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_value_set_that_is_not_loaded_is_an_error_that_names_those_that_are() {
        let error = refused_in(&loaded(), "in_value_set('1', 'urn:vs:salt')").await;
        assert!(error.contains("urn:vs:salt is not loaded") && error.contains("urn:vs:sugar"), "{error}");
        let none = refused_in(&session(ValueSets::default()), "in_value_set('1', 'urn:vs:salt')").await;
        assert!(none.contains("--value-set"), "{none}");
        let error = refused_in(&loaded(), "in_value_set(1, 'Sugar')").await;
        assert!(error.contains("in_value_set takes"), "{error}");
    }
}
