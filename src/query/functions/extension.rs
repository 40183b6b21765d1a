//! `extension(extensions, url[, url…])`: an extension by its URL.
//!
//! One invariant: the answer is an Extension as its column has it, so its value is a field: `['valueCode']`.

use datafusion::arrow::array::{AsArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, FieldRef};
use datafusion::common::{exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use delta_scan::ReadsFields;

use super::arguments::{answer, at, constant_texts, element_type, has_fields, planned_texts, said, texts};
use crate::query::walk::Walk;

const NAME: &str = "extension";

const USAGE: &str = "extension takes extensions, or an element that has some, then a URL, and of extensions in extensions the \
                     URLs from the outside in, such as extension(Patient.extension, \
                     'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race', 'ombCategory')";

const URL: &str = "url";
const INSIDE: &str = "extension";
const CONTENT_TYPE: &str = "contentType";

/// `extension(extension, 'http://…/us-core-birthsex')['valueCode']`: of all extensions that have the URL the first; with
/// several URLs the first in those that have the URL before.
pub(crate) fn extension() -> ScalarUDF {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ReadsFields::finding(Extension { signature }, |argument, arguments| {
        let way = way(argument, arguments.saturating_sub(1));
        // What has extensions may have a URL of its own, which is not looked at.
        let first = usize::from(!are_extensions(argument));
        let urls = (first..=way.len()).map(|depth| way[..depth].iter().copied().chain([URL]).collect());
        let mut besides: Vec<Vec<&str>> = urls.collect();
        if has_content_type(argument) {
            besides.push(vec![CONTENT_TYPE]);
        }
        (way.clone(), besides)
    })
}

/// The fields from the argument, of this type, to the extensions that the last of so many URLs is looked for in.
fn way(argument: &DataType, urls: usize) -> Vec<&'static str> {
    vec![INSIDE; if are_extensions(argument) { urls.saturating_sub(1) } else { urls }]
}

/// Whether the argument is a list of extensions; else it has extensions. An Attachment has a URL too, and fields that no extension
/// has. A scan may have been narrowed to the URL alone, so no field but that is asked for.
fn are_extensions(argument: &DataType) -> bool {
    let DataType::List(element) = argument else { return false };
    let DataType::Struct(fields) = element_type(element.data_type()) else { return false };
    let is_of_extension = |name: &str| {
        matches!(name, URL | INSIDE | "id") || name.starts_with("value") || name.starts_with('_')
    };
    fields.find(URL).is_some() && fields.iter().all(|field| is_of_extension(field.name()))
}

/// Whether the argument is made of Attachments. Their URL beside extensions would be all that an Extension has, if a scan were
/// narrowed to them.
fn has_content_type(argument: &DataType) -> bool {
    has_fields(element_type(argument), &[CONTENT_TYPE])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extension {
    signature: Signature,
}

impl ScalarUDFImpl for Extension {
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
        let argument = arguments.arg_fields[0].data_type();
        let urls = planned_texts(&arguments, 1, USAGE)?;
        if urls.is_empty() {
            return plan_err!("{USAGE}");
        }
        let mut found = element_type(argument);
        for (depth, name) in way(argument, urls.len()).into_iter().enumerate() {
            let inside = match found {
                DataType::Struct(fields) => {
                    fields.find(name).map(|(_, field)| element_type(field.data_type()))
                }
                _ => None,
            };
            match inside {
                Some(inside) => found = inside,
                None if depth == 0 && !are_extensions(argument) => {
                    return plan_err!(
                        "{USAGE}, and not {}: extensions inside of elements have a column where the lake is configured so, \
                         [tables.Patient] columns = [\"address.extension\"]",
                        said(argument)
                    );
                }
                None => {
                    return plan_err!(
                        "{USAGE}: there are no columns of extensions so deep inside of others; they are in __rest"
                    );
                }
            }
        }
        if !has_fields(found, &[URL]) {
            return plan_err!("{USAGE}, and not {}", said(argument));
        }
        answer(NAME, found.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let argument = arguments.args[0].to_array(arguments.number_rows)?;
        let urls = constant_texts(&arguments.args, 1);
        let mut walk = Walk::over(&argument)?;
        for (depth, url) in urls.iter().enumerate() {
            if depth > 0 || !are_extensions(argument.data_type()) {
                walk.enter(INSIDE)?;
            }
            keep_those_of(&mut walk, url)?;
        }
        let mut first: Vec<Option<u32>> = vec![None; argument.len()];
        for (place, row) in walk.at.iter().zip(&walk.rows) {
            first[row.as_usize()].get_or_insert(*place);
        }
        Ok(ColumnarValue::Array(take(&walk.array, &UInt32Array::from(first), None)?))
    }
}

fn keep_those_of(walk: &mut Walk, url: &str) -> Result<()> {
    let Some(urls) = walk.array.as_struct_opt().and_then(|extensions| extensions.column_by_name(URL)) else {
        return exec_err!("{USAGE}");
    };
    let urls = texts(urls)?;
    let of_url: Vec<usize> =
        (0..walk.at.len()).filter(|item| at(&urls, walk.at[*item].as_usize()) == Some(url)).collect();
    walk.keep(&of_url);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, refused};

    fn inner(url: &str, code: &str) -> String {
        format!("named_struct('url', '{url}', 'valueCode', '{code}')")
    }

    fn outer(url: &str, inside: &[String]) -> String {
        format!("named_struct('url', '{url}', 'valueCode', '{url}!', 'extension', [{}])", inside.join(", "))
    }

    #[tokio::test]
    async fn the_first_extension_of_a_url_is_found_at_each_depth() {
        let list = format!(
            "[{}, {}, {}]",
            outer("a", &[inner("x", "1")]),
            outer("b", &[inner("x", "2"), inner("y", "3")]),
            outer("b", &[inner("z", "4")])
        );
        for (urls, code) in [
            ("'a'", "a!"),
            ("'b'", "b!"),
            ("'b', 'y'", "3"),
            // The first of the two has none of these.
            ("'b', 'z'", "4"),
            ("'c'", ""),
            ("'a', 'y'", ""),
        ] {
            assert_eq!(asked(&format!("extension({list}, {urls})['valueCode']")).await, code, "{urls}");
            let element = format!("named_struct('extension', {list})");
            assert_eq!(asked(&format!("extension({element}, {urls})['valueCode']")).await, code, "{urls}");
            let elements = format!("[{element}]");
            assert_eq!(asked(&format!("extension({elements}, {urls})['valueCode']")).await, code, "{urls}");
        }
        let nothing = format!("extension(nullif({list}, {list}), 'a')['valueCode']");
        assert_eq!(asked(&nothing).await, "");
    }

    #[tokio::test]
    async fn what_has_no_extensions_is_refused_with_what_to_do() {
        let list = format!("[{}]", inner("x", "1"));
        for (call, said) in [
            (format!("extension({list})"), "then a URL"),
            (format!("extension({list}, 1)"), "as texts that are the same"),
            (format!("extension({list}, 'x', 'y')"), "so deep"),
            ("extension(named_struct('city', 'x'), 'y')".to_owned(), "columns = [\"address.extension\"]"),
            ("extension('x', 'y')".to_owned(), "and not a text"),
        ] {
            let error = refused(&call).await;
            assert!(error.contains("extension takes extensions") && error.contains(said), "{call}: {error}");
        }
    }
}
