//! Functions that say what they read of a nested argument.
//!
//! One invariant: what such a function answers depends on no other field of its first argument.

use arrow_schema::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::need::Need;

/// A path of field names.
type Path = &'static [&'static str];

/// A function of which is known which fields of its first argument it reads, so that scans read no others. Lists on the way
/// are looked through, and fields that the argument does not have count for nothing. The type of the answer may not depend
/// on the argument's fields.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ReadsFields {
    function: ScalarUDF,
    fields: &'static [Path],
}

impl ReadsFields {
    /// The function, which reads these fields.
    pub fn function(function: impl ScalarUDFImpl + 'static, fields: &'static [Path]) -> ScalarUDF {
        ScalarUDF::from(Self { function: ScalarUDF::from(function), fields })
    }

    /// What is needed of the first argument.
    pub(super) fn need(&self) -> Need {
        let mut need = Need::shape();
        for path in self.fields {
            need.grow(Need::All.under(path.iter().copied()));
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
