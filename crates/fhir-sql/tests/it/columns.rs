//! Which columns of the table a view reads.

use fhir_sql::View;
use serde_json::{Value, json};

use crate::suite::{Storage, compile};

fn view(resource: &str, paths: &[&str]) -> View {
    let columns: Vec<Value> =
        paths.iter().enumerate().map(|(at, path)| json!({"name": format!("c{at}"), "path": path})).collect();
    let view = json!({"resource": resource, "select": [{"column": columns}]});
    compile(&view, Storage::Columns).unwrap()
}

fn read(resource: &str, paths: &[&str]) -> Vec<String> {
    let wanted: Vec<usize> = (0..paths.len()).collect();
    view(resource, paths).paths(&wanted).into_iter().map(|path| path.join(".")).collect()
}

#[test]
fn the_leaves_that_expressions_touch_are_read_and_nothing_else() {
    assert_eq!(read("Patient", &["id", "name.family.first()"]), ["id", "name", "name.family"]);
    // Of a choice the type that is asked for.
    assert_eq!(
        read("Observation", &["value.ofType(Quantity).value"]),
        ["valueQuantity", "valueQuantity.value"]
    );
    assert_eq!(
        read("Observation", &["subject.getReferenceKey(Patient)"]),
        ["subject", "subject.__reference_id", "subject.__reference_type"]
    );
}

#[test]
fn rest_is_read_only_for_what_has_no_column() {
    assert!(!read("Patient", &["extension('x').value.ofType(string)"]).contains(&"__rest".to_owned()));
    for path in ["birthDate.extension('x').value.ofType(string)", "extension('x').value.ofType(time)"] {
        assert!(read("Patient", &[path]).contains(&"__rest".to_owned()), "{path}");
    }
}

#[test]
fn columns_that_nobody_wants_are_not_read() {
    let view = view("Patient", &["id", "gender", "name.family.first()"]);
    assert_eq!(view.columns(&[1]).into_iter().collect::<Vec<_>>(), ["gender"]);
    assert!(view.columns(&[]).is_empty());
}
