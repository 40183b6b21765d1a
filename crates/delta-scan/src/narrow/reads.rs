//! Functions that say what they read of a nested argument.
//!
//! One invariant: what such a function answers depends on nothing else in its first argument.

use arrow_schema::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::need::Need;

/// A path of field names. Lists on the way are looked through, and a field that is not there counts for nothing.
type Path = &'static [&'static str];

/// Where in the first argument, of this type, the answer of a function of so many arguments is found, and what the function
/// reads besides to find it.
pub type Finds = fn(&DataType, usize) -> (Vec<&'static str>, Vec<Vec<&'static str>>);

/// A function of which is known what it reads of its first argument, so that scans read no more.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ReadsFields {
    function: ScalarUDF,
    read: Read,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Read {
    Fields(&'static [Path]),
    Found(Finder),
}

/// Functions of equal names find alike, so what they are says nothing more.
#[derive(Debug)]
struct Finder(Finds);

impl PartialEq for Finder {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Finder {}

impl std::hash::Hash for Finder {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl ReadsFields {
    /// A function that reads these fields, and whose answer has always the same type.
    pub fn function(function: impl ScalarUDFImpl + 'static, fields: &'static [Path]) -> ScalarUDF {
        ScalarUDF::from(Self { function: ScalarUDF::from(function), read: Read::Fields(fields) })
    }

    /// A function whose answer is a part of its first argument, with as many fields as that has there.
    pub fn finding(function: impl ScalarUDFImpl + 'static, finds: Finds) -> ScalarUDF {
        ScalarUDF::from(Self { function: ScalarUDF::from(function), read: Read::Found(Finder(finds)) })
    }

    /// What is needed of the first argument, which has this type, if this is needed of the answer.
    pub(super) fn need(&self, argument: &DataType, arguments: usize, of_answer: Need) -> Need {
        let mut need = Need::shape();
        match &self.read {
            Read::Fields(fields) => {
                fields.iter().for_each(|path| need.grow(Need::All.under(path.iter().copied())));
            }
            Read::Found(Finder(finds)) => {
                let (answer, besides) = finds(argument, arguments);
                need.grow(of_answer.under(answer.into_iter()));
                besides.into_iter().for_each(|path| need.grow(Need::All.under(path.into_iter())));
            }
        }
        need
    }
}

impl ScalarUDFImpl for ReadsFields {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.function.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.function.inner().return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.function.inner().invoke_with_args(arguments)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::logical_expr::{Volatility, create_udf};

    use super::*;

    fn reading(read: Read) -> ReadsFields {
        let text = DataType::Utf8View;
        let answer = Arc::new(|arguments: &[ColumnarValue]| Ok(arguments[0].clone()));
        ReadsFields {
            function: create_udf("f", vec![text.clone()], text, Volatility::Immutable, answer),
            read,
        }
    }

    #[test]
    fn a_function_needs_its_fields_whatever_is_needed_of_its_answer() {
        let need =
            reading(Read::Fields(&[&["coding", "code"], &["code"]])).need(&DataType::Null, 3, Need::All);
        let mut wanted = Need::All.under(["coding", "code"].into_iter());
        wanted.grow(Need::All.under(["code"].into_iter()));
        assert_eq!(need, wanted);
    }

    #[test]
    fn what_is_needed_of_a_part_is_needed_where_the_part_is() {
        let finds: Finds = |_, arguments| (vec!["inside"; arguments - 1], vec![vec!["url"]]);
        let need = reading(Read::Found(Finder(finds))).need(
            &DataType::Null,
            2,
            Need::All.under(["value"].into_iter()),
        );
        let mut wanted = Need::All.under(["inside", "value"].into_iter());
        wanted.grow(Need::All.under(["url"].into_iter()));
        assert_eq!(need, wanted);
    }
}
