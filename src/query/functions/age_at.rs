//! `age_at(birth, instant)`: how old somebody was, in whole years.
//!
//! One invariant: the years are those that have passed for certain. Of a birth date that is a year or a month the last day
//! counts, so nobody is taken for older than they are.

use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use fhir_arrow::parse_range;

use super::arguments::{answer, is_text, said, texts};

const NAME: &str = "age_at";

const USAGE: &str = "age_at takes a birth date and a moment, each as a date, a timestamp or a text of FHIR, such as \
                     age_at(Patient.birthDate, '2024-06-01')";

/// `age_at(birthDate, start_time)`: the whole years from the birth date to the first moment of the other, by the calendar in
/// UTC; null before the birth, and for texts that are no dates.
pub(crate) fn age_at() -> ScalarUDF {
    ScalarUDF::from(AgeAt { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AgeAt {
    signature: Signature,
}

impl ScalarUDFImpl for AgeAt {
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
        for (field, constant) in arguments.arg_fields.iter().zip(arguments.scalar_arguments) {
            if let Some(text) = constant.and_then(|value| value.try_as_str()).flatten()
                && parse_range(text).is_none()
            {
                return plan_err!("{USAGE}: {text} is no date of FHIR");
            }
            let data_type = field.data_type();
            let is_moment = is_text(data_type) || data_type.is_null() || is_date(data_type);
            if !is_moment {
                return plan_err!("{USAGE}, and not {}", said(data_type));
            }
        }
        answer(NAME, DataType::Int32)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let births = spans(&arguments.args[0].to_array(arguments.number_rows)?)?;
        let moments = spans(&arguments.args[1].to_array(arguments.number_rows)?)?;
        let ages = births.into_iter().zip(moments).map(|(birth, moment)| age(birth?, moment?.0));
        Ok(ColumnarValue::Array(Arc::new(ages.collect::<Int32Array>())))
    }
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

/// The first and the last microsecond of each date.
fn spans(dates: &ArrayRef) -> Result<Vec<Option<(i64, i64)>>> {
    if is_date(dates.data_type()) {
        let micros = cast(dates, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
        let micros = micros.as_primitive::<TimestampMicrosecondType>();
        return Ok(micros.iter().map(|moment| moment.map(|moment| (moment, moment))).collect());
    }
    Ok(texts(dates)?.iter().map(|text| parse_range(text?)).collect())
}

fn age((first, last): (i64, i64), moment: i64) -> Option<i32> {
    if moment < first {
        return None;
    }
    let (birth, day) = (day(last)?, day(moment)?);
    let had_birthday = (day.month(), day.day()) >= (birth.month(), birth.day());
    Some((day.year() - birth.year() - i32::from(!had_birthday)).max(0))
}

fn day(micros: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.date_naive())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{asked, refused};
    use super::*;

    #[tokio::test]
    async fn a_year_is_whole_on_the_birthday() {
        for (birth, moment, age) in [
            ("1980-07-15", "2020-07-14", "39"),
            ("1980-07-15", "2020-07-15", "40"),
            ("1980-07-15", "2020-07-14T23:59:59-02:00", "40"),
            ("1980-07-15", "1980-07-15", "0"),
            ("1980-07-15", "1980-07-14", ""),
            ("2000-02-29", "2001-02-28", "0"),
            ("2000-02-29", "2001-03-01", "1"),
            ("1980-07-15", "2020", "39"),
        ] {
            assert_eq!(asked(&format!("age_at('{birth}', '{moment}')")).await, age, "{birth} {moment}");
        }
        assert_eq!(asked("age_at(DATE '1980-07-15', TIMESTAMP '2020-07-15T00:00:00')").await, "40");
        assert_eq!(asked("age_at('1980-07-15', DATE '2020-07-14')").await, "39");
    }

    #[tokio::test]
    async fn of_a_partial_birth_date_the_years_count_that_have_passed_for_certain() {
        for (birth, moment, age) in [
            ("1980", "2020-12-30", "39"),
            ("1980", "2020-12-31", "40"),
            ("1980-02", "2020-02-28", "39"),
            ("1980-02", "2020-02-29", "40"),
            ("1980", "1980-06-01", "0"),
            ("1980", "1979-12-31", ""),
        ] {
            assert_eq!(asked(&format!("age_at('{birth}', '{moment}')")).await, age, "{birth} {moment}");
        }
    }

    #[tokio::test]
    async fn what_is_no_date_has_no_age() {
        for birth in ["", "about 1980", "1980-13-01", "1981-02-29"] {
            assert_eq!(
                asked(&format!(
                    "(SELECT min(age_at(birth, '2020-01-01')) FROM (VALUES ('{birth}'), (NULL)) AS t(birth))"
                ))
                .await,
                "",
                "{birth}"
            );
        }
        let error = refused("age_at('1980-01-01', '2024-6-1')").await;
        assert!(error.contains("2024-6-1 is no date of FHIR"), "{error}");
        assert_eq!(asked("age_at(CAST(NULL AS STRING), '2020-01-01')").await, "");
        assert!(refused("age_at(1980, '2020')").await.contains("age_at takes a birth date"));
    }

    proptest! {
        /// Counting birthdays one by one gives the same.
        #[test]
        fn an_age_is_the_number_of_birthdays(birth in -40_000_i64..20_000, after in 0_i64..45_000) {
            const DAY: i64 = 86_400_000_000;
            let (birth, moment) = (birth * DAY, (birth + after) * DAY);
            let (born, today) = (day(birth).unwrap(), day(moment).unwrap());
            // Who is born on 29 February has the birthday on 1 March where there is no such day.
            let birthday = |year| born.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1)).unwrap();
            let birthdays = (born.year() + 1..=today.year()).filter(|year| birthday(*year) <= today).count();
            prop_assert_eq!(age((birth, birth + DAY - 1), moment), i32::try_from(birthdays).ok());
        }
    }
}
