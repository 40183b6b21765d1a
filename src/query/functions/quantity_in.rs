//! `quantity_in(quantity, unit)`: a measured number in another unit, by UCUM.
//!
//! One invariant: a number is given only where UCUM alone says what it is. It does not say how much a mole of a substance weighs
//! (mg/dL and mmol/L), and a quantity that is a bound (`<5`) is no number.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Float64Array, StringViewArray, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::{exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use delta_scan::ReadsFields;
use octofhir_ucum::{AdvancedConversionContext, Number, convert, convert_with_context, validate};

use super::arguments::{answer, at, constant_texts, has_fields, planned_texts, said, texts};

const NAME: &str = "quantity_in";

const USAGE: &str = "quantity_in takes a Quantity and a unit of UCUM, such as quantity_in(Observation.valueQuantity, 'mg/dL')";

const VALUE: &str = "__value_double";

/// The system of units that are UCUM's.
const UCUM: &str = "http://unitsofmeasure.org";

/// `quantity_in(valueQuantity, 'mg/dL')`: its value in this unit; null where its unit is not of UCUM or of another kind, and
/// where the value is a bound.
pub(crate) fn quantity_in() -> ScalarUDF {
    let signature = Signature::any(2, Volatility::Immutable);
    ReadsFields::function(QuantityIn { signature }, &[&[VALUE], &["comparator"], &["system"], &["code"]])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct QuantityIn {
    signature: Signature,
}

impl ScalarUDFImpl for QuantityIn {
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
        let quantity = arguments.arg_fields[0].data_type();
        if !has_fields(quantity, &[VALUE, "comparator", "system", "code"]) && !quantity.is_null() {
            return plan_err!("{USAGE}, and not {}", said(quantity));
        }
        for unit in planned_texts(&arguments, 1, USAGE)? {
            if validate(unit).is_err() {
                return plan_err!(
                    "{USAGE}: UCUM has no unit {unit} (upper and lower case are not the same: mg/dL, [degF])"
                );
            }
        }
        answer(NAME, DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let quantities = arguments.args[0].to_array(arguments.number_rows)?;
        let units = constant_texts(&arguments.args, 1);
        let Some(unit) = units.first() else { return internal_err!("{USAGE}") };
        let numbers = match quantities.as_struct_opt() {
            Some(quantities) => converted(quantities, unit)?,
            None => Float64Array::new_null(quantities.len()),
        };
        Ok(ColumnarValue::Array(Arc::new(numbers)))
    }
}

fn converted(quantities: &StructArray, unit: &str) -> Result<Float64Array> {
    let column = |name: &str| -> Result<StringViewArray> {
        match quantities.column_by_name(name) {
            Some(column) => texts(column),
            None => exec_err!("{USAGE}"),
        }
    };
    let (comparators, systems, codes) = (column("comparator")?, column("system")?, column("code")?);
    let Some(values) = quantities.column_by_name(VALUE) else { return exec_err!("{USAGE}") };
    let values = cast(values, &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    let mut known: HashMap<&str, Conversion<'_>> = HashMap::new();
    let number = |row: usize| {
        if quantities.is_null(row) || values.is_null(row) || comparators.is_valid(row) {
            return None;
        }
        let code = at(&codes, row).filter(|_| at(&systems, row) == Some(UCUM))?;
        let conversion = known.entry(code).or_insert_with(|| Conversion::between(code, unit));
        conversion.of(values.value(row))
    };
    Ok((0..quantities.len()).map(number).collect())
}

/// How numbers of one unit become numbers of another.
#[derive(Debug)]
enum Conversion<'u> {
    /// Not at all.
    None,
    /// They are the same.
    Same,
    /// Times a factor, plus an offset.
    Linear { factor: Number, offset: Number },
    /// By the functions of special units.
    Special { from: &'u str, to: &'u str },
}

impl<'u> Conversion<'u> {
    fn between(from: &'u str, to: &'u str) -> Self {
        if from == to {
            return Self::Same;
        }
        // One is in the domain of every function of UCUM.
        match convert_with_context(1.0, from, to, &AdvancedConversionContext::default()) {
            Err(_) => Self::None,
            Ok(found) => match (found.factor, found.offset) {
                (Some(factor), offset) => Self::Linear { factor, offset: offset.unwrap_or(Number::ZERO) },
                (None, _) => Self::Special { from, to },
            },
        }
    }

    fn of(&self, value: f64) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Same => Some(value),
            Self::Linear { factor, offset } => {
                let number = Number::from_f64(value)?.checked_mul(*factor)?.checked_add(*offset)?;
                Some(number.to_f64()).filter(|number| number.is_finite())
            }
            Self::Special { from, to } => convert(value, from, to).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{asked, refused};
    use super::*;

    fn between(value: f64, from: &str, to: &str) -> Option<f64> {
        Conversion::between(from, to).of(value)
    }

    /// Figures that follow from the definitions of the units, worked out by hand.
    #[test]
    fn numbers_are_those_that_the_units_definitions_give() {
        for (value, from, to, wanted) in [
            (1.0, "g/L", "mg/dL", 100.0),
            (5.5, "mmol/L", "umol/L", 5500.0),
            (98.6, "[degF]", "Cel", 37.0),
            (0.0, "Cel", "K", 273.15),
            (-40.0, "Cel", "[degF]", -40.0),
            // An inch is 2.54 cm, a pound 453.59237 g (international yard and pound, 1959).
            (70.0, "[in_i]", "cm", 177.8),
            (100.0, "[lb_av]", "kg", 45.359237),
            // UCUM's metre of mercury is 133.322 kPa.
            (120.0, "mm[Hg]", "kPa", 15.99864),
            (48.0, "mmol/mol", "%", 4.8),
            (150.0, "10*3/uL", "10*9/L", 150.0),
            (1.0, "wk", "d", 7.0),
            (7.0, "[pH]", "mol/L", 1e-7),
            (3.0, "mg/dL{creat}", "mg/L", 30.0),
            (12.5, "mg/dL", "mg/dL", 12.5),
        ] {
            let found = between(value, from, to).unwrap_or(f64::NAN);
            assert!(
                (found - wanted).abs() <= wanted.abs() * 1e-12,
                "{value} {from} is {found} {to}, not {wanted}"
            );
        }
    }

    #[test]
    fn what_needs_more_than_ucum_is_no_number() {
        for (from, to) in [
            ("mg/dL", "mmol/L"),
            ("[IU]/L", "mg/L"),
            ("[IU]/L", "[arb'U]/L"),
            ("Cel", "cm"),
            ("mgg/dl", "mg/dL"),
            ("", "mg/dL"),
            ("degrees", "Cel"),
        ] {
            assert_eq!(between(1.0, from, to), None, "{from} to {to}");
        }
        assert_eq!(between(0.0, "mol/L", "[pH]"), None, "no logarithm of zero");
        assert_eq!(between(f64::INFINITY, "g", "mg"), None);
    }

    fn quantity(value: &str, comparator: &str, system: &str, code: &str) -> String {
        format!(
            "named_struct('__value_double', {value}, 'comparator', {comparator}, 'system', {system}, 'code', {code})"
        )
    }

    #[tokio::test]
    async fn a_quantity_counts_with_ucum_s_code_and_without_a_comparator() {
        const NULL: &str = "CAST(NULL AS STRING)";
        let ucum = "'http://unitsofmeasure.org'";
        for (quantity, answer) in [
            (quantity("1.5", NULL, ucum, "'g/L'"), "150.0"),
            (quantity("1.5", "'<'", ucum, "'g/L'"), ""),
            (quantity("1.5", NULL, "'urn:own'", "'g/L'"), ""),
            (quantity("1.5", NULL, NULL, "'g/L'"), ""),
            (quantity("1.5", NULL, ucum, NULL), ""),
            (quantity("CAST(NULL AS DOUBLE)", NULL, ucum, "'g/L'"), ""),
        ] {
            assert_eq!(asked(&format!("quantity_in({quantity}, 'mg/dL')")).await, answer, "{quantity}");
        }
    }

    #[tokio::test]
    async fn a_unit_that_there_is_not_is_refused() {
        let quantity = quantity("1.5", "''", "''", "''");
        for (call, said) in [
            (format!("quantity_in({quantity}, 'mgg/dl')"), "UCUM has no unit mgg/dl"),
            (format!("quantity_in({quantity}, 1)"), "as texts that are the same"),
            ("quantity_in(5.0, 'mg')".to_owned(), "and not"),
        ] {
            let error = refused(&call).await;
            assert!(
                error.contains("quantity_in takes a Quantity") && error.contains(said),
                "{call}: {error}"
            );
        }
    }

    proptest! {
        /// What is converted once for all values of a unit is what is converted value by value.
        #[test]
        fn a_known_conversion_is_the_conversion(value in -1e6_f64..1e6, pair in 0_usize..6) {
            let pairs =
                [("g/L", "mg/dL"), ("[degF]", "Cel"), ("[in_i]", "m"), ("K", "[degF]"), ("d", "a"), ("B[W]", "W")];
            let (from, to) = pairs[pair];
            prop_assert_eq!(between(value, from, to), convert(value, from, to).ok());
        }

        /// No unit that anybody writes makes a query fail.
        #[test]
        fn any_text_is_a_unit_or_none(code in ".{0,12}", value in any::<f64>()) {
            let _ = between(value, &code, "mg/dL");
        }
    }
}
