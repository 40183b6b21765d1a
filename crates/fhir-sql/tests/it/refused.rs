//! Views that cannot mean what they say.

use serde_json::{Value, json};

use crate::suite::{Storage, compile};

fn refused(view: &Value) -> String {
    compile(view, Storage::Columns).unwrap_err()
}

fn of_path(path: &str) -> String {
    refused(&json!({"resource": "Observation", "select": [{"column": [{"name": "c", "path": path}]}]}))
}

#[test]
fn an_error_points_at_the_character() {
    let told: Vec<_> = [
        "code.coding.where(sytem = 'x')",
        "subject.reference = ",
        "valueQuantity.value",
        "extension.value.code",
        "value > 5",
        "issued < '2020'",
        "status + 1",
        "code.coding.frist()",
        "code.coding.code.substring()",
        "status.matches('(')",
        "%unit",
        "code",
        "value",
        "status.where(status)",
        "value.ofType(Quantiy)",
        "subject.getReferenceKey(Patiant)",
        "5 'mg'",
        "value.ofType(Quantity) > 5",
        "value > 5 'mg'",
        "value.ofType(Quantity) > 5 'mgg'",
        "value.ofType(Quantity) + 5 'mg'",
        "5 'mg' in component.value.ofType(Quantity)",
        "'5 mg'.toQuantity('mg')",
        "code.memberOf('http://example.org/vs')",
        "subject.resolve()",
        "issued > today()",
        "effective.ofType(dateTime) + 1 year",
        "$index",
    ]
    .map(of_path)
    .to_vec();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn the_parts_of_a_view_are_checked() {
    let column = |name: &str, path: &str| json!({"name": name, "path": path});
    let select = |select: Value| json!({"resource": "Patient", "select": [select]});
    let told: Vec<_> = [
        json!({"resource": "Pateint", "select": [{"column": [column("a", "id")]}]}),
        json!({"resource": "Patient", "select": []}),
        json!({"resource": "Patient", "name": "my-view", "select": [{"column": [column("a", "id")]}]}),
        json!({"resource": "Patient", "fhirVersion": ["5.0.0"], "select": [{"column": [column("a", "id")]}]}),
        json!({"resource": "Patient", "constant": [{"name": "x"}], "select": [{"column": [column("a", "id")]}]}),
        json!({"resource": "Patient", "constant": [{"name": "x", "valueDate": "2020-13"}], "select": [{"column": [column("a", "id")]}]}),
        select(json!({"column": [column("a b", "id")]})),
        select(json!({"column": [column("a", "id"), column("A", "id")]})),
        select(json!({"forEach": "name", "repeat": ["name"], "column": [column("a", "family")]})),
        select(json!({"foreach": "name", "column": [column("a", "family")]})),
        select(json!({"column": [{"name": "a", "path": "active", "type": "string"}]})),
        select(json!({"unionAll": [{"column": [column("a", "id")]}, {"column": [column("a", "active")]}]})),
        select(json!({"repeat": ["$this"], "column": [column("a", "id")]})),
        select(json!({"repeat": ["contact", "%resource.contact"], "column": [column("a", "gender")]})),
        select(json!({"repeat": ["1"], "column": [column("a", "$this")]})),
        select(json!({"repeat": ["name", "address"], "column": [column("a", "use")]})),
        json!({"resource": "Patient", "where": [{"path": "name.family"}], "select": [{"column": [column("a", "id")]}]}),
    ]
    .iter()
    .map(refused)
    .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}
