//! `preferred_coding(codings, systems)`: the coding that says best what a concept means.
//!
//! One invariant: a concept that has a coding gets one. Which systems are preferred only says which.

use datafusion::arrow::array::{Array, AsArray, ListArray, StringViewArray, StructArray, UInt64Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result as SqlResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::arguments::texts;

const NAME: &str = "preferred_coding";

/// `preferred_coding(code.coding, ['http://snomed.info/sct', …])`: of the codings that have a code, the first of the
/// first system that one of them is of; where none is of any of these systems, the first coding.
pub(crate) fn preferred_coding() -> ScalarUDF {
    ScalarUDF::from(PreferredCoding { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PreferredCoding {
    signature: Signature,
}

impl ScalarUDFImpl for PreferredCoding {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> SqlResult<DataType> {
        if let DataType::List(item) = &arguments[0]
            && let DataType::Struct(fields) = item.data_type()
            && fields.find("system").is_some()
            && fields.find("code").is_some()
        {
            return Ok(item.data_type().clone());
        }
        plan_err!(
            "{NAME} takes the codings of a concept, such as Condition.code.coding, and not {}",
            arguments[0]
        )
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> SqlResult<ColumnarValue> {
        let [codings, ColumnarValue::Scalar(ScalarValue::List(systems))] = arguments.args.as_slice() else {
            return exec_err!("{NAME} takes a list of systems that is the same in every row");
        };
        let systems = texts(systems.value(0).as_ref())?;
        let codings = codings.to_array(arguments.number_rows)?;
        let Some(codings) = codings.as_list_opt::<i32>() else {
            return exec_err!("{NAME} takes a list of codings, and not {}", codings.data_type());
        };
        let chosen = chosen(codings, &systems)?;
        Ok(ColumnarValue::Array(take(codings.values(), &chosen, None)?))
    }
}

/// For each list of codings the place of the one that is chosen, among the items of all lists.
fn chosen(codings: &ListArray, preferred: &StringViewArray) -> SqlResult<UInt64Array> {
    let Some(items) = codings.values().as_struct_opt() else {
        return exec_err!("{NAME} takes a list of codings, and not {}", codings.data_type());
    };
    let (systems, codes) = (column(items, "system")?, column(items, "code")?);
    let rank = |item: usize| -> Option<usize> {
        if !items.is_valid(item) || !codes.is_valid(item) || !systems.is_valid(item) {
            return None;
        }
        let system = systems.value(item);
        preferred.iter().position(|wanted| wanted == Some(system))
    };
    let places = codings.offsets().windows(2).enumerate().map(|(row, ends)| {
        let ends = usize::try_from(ends[0]).ok()?..usize::try_from(ends[1]).ok()?;
        if !codings.is_valid(row) || ends.is_empty() {
            return None;
        }
        // Of equal ranks, `min_by_key` takes the first.
        let best = ends.clone().filter_map(|item| Some((rank(item)?, item))).min_by_key(|(rank, _)| *rank);
        u64::try_from(best.map_or(ends.start, |(_, item)| item)).ok()
    });
    Ok(places.collect())
}

fn column(parent: &StructArray, name: &str) -> SqlResult<StringViewArray> {
    match parent.column_by_name(name) {
        Some(column) => texts(column.as_ref()),
        None => exec_err!("{NAME} takes codings, which have a {name}"),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The code that is chosen, with `a` before `b` in the preference.
    async fn choose(codings: &str) -> Option<String> {
        let context = SessionContext::new();
        context.register_udf(preferred_coding());
        let sql = format!("SELECT preferred_coding({codings}, ['a', 'b'])['code'] AS code");
        let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
        let codes = texts(batches[0].column(0)).unwrap();
        codes.is_valid(0).then(|| codes.value(0).to_owned())
    }

    fn coding(system: &str, code: &str) -> String {
        format!("named_struct('system', {system}, 'code', {code})")
    }

    #[tokio::test]
    async fn the_first_coding_of_the_first_system_is_chosen() {
        let all = [coding("'c'", "'1'"), coding("'b'", "'2'"), coding("'a'", "'3'"), coding("'a'", "'4'")];
        assert_eq!(choose(&format!("[{}]", all.join(", "))).await.as_deref(), Some("3"));
        assert_eq!(choose(&format!("[{}]", all[..2].join(", "))).await.as_deref(), Some("2"));
    }

    #[tokio::test]
    async fn without_a_preferred_system_it_is_the_first_coding() {
        let other = format!("[{}, {}]", coding("'c'", "'1'"), coding("'d'", "'2'"));
        assert_eq!(choose(&other).await.as_deref(), Some("1"));
        let no_code = format!("[{}, {}]", coding("'a'", "NULL"), coding("'b'", "'2'"));
        assert_eq!(choose(&no_code).await.as_deref(), Some("2"), "a coding without a code says nothing");
        let none = format!("array_slice([{}], 2, 2)", coding("'a'", "'1'"));
        assert_eq!(choose(&none).await, None);
    }
}
