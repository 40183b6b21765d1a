//! Views at the limits: wide, deep, with many rows, with strange data.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::suite::{Storage, compile, rows};

async fn run(view: &Value, resources: &[Value]) -> Result<Vec<Value>, String> {
    let resources: Vec<_> =
        resources.iter().map(|resource| RawValue::from_string(resource.to_string()).unwrap()).collect();
    let view = compile(view, Storage::Columns)?;
    rows(view, &resources, Storage::Columns).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_view_may_have_a_thousand_columns() {
    let columns: Vec<_> =
        (0..1000).map(|at| json!({"name": format!("c{at}"), "path": format!("'{at}' & id")})).collect();
    let view = json!({"resource": "Patient", "select": [{"column": columns}]});
    let found = run(&view, &[json!({"resourceType": "Patient", "id": "p"})]).await.unwrap();
    assert_eq!((found[0].as_object().unwrap().len(), &found[0]["c999"]), (1000, &json!("999p")));
}

#[tokio::test]
async fn selects_and_unions_may_be_nested_deeply() {
    let mut select = json!({"column": [{"name": "id", "path": "%resource.id"}]});
    for depth in 0..25 {
        select = match depth % 3 {
            0 => json!({"forEach": "$this", "select": [select]}),
            1 => json!({"unionAll": [select]}),
            _ => json!({"select": [select]}),
        };
    }
    let view = json!({"resource": "Patient", "select": [select]});
    let found = run(&view, &[json!({"resourceType": "Patient", "id": "p"})]).await.unwrap();
    assert_eq!(found, [json!({"id": "p"})]);
}

#[test]
fn what_is_nested_without_end_is_refused() {
    let mut select = r#"{"column":[{"name":"id","path":"id"}]}"#.to_owned();
    for _ in 0..200 {
        select = format!(r#"{{"select":[{select}]}}"#);
    }
    let text = format!(r#"{{"resource":"Patient","select":[{select}]}}"#);
    let error = fhir_sql::ViewDefinition::parse(&text).unwrap_err().to_string();
    assert!(error.contains("recursion limit exceeded at line 1 column"), "{error}");

    let path = format!("{}id{}", "(".repeat(300), ")".repeat(300));
    let view = json!({"resource": "Patient", "select": [{"column": [{"name": "id", "path": path}]}]});
    let error = compile(&view, Storage::Columns).unwrap_err();
    assert!(error.contains("nested deeper than 128 levels"), "{error}");
}

/// A Patient with so many names, contacts and addresses.
fn patient(id: usize, count: usize) -> Value {
    let names: Vec<_> = (0..count).map(|at| json!({"family": format!("n{at}")})).collect();
    let addresses: Vec<_> = (0..count).map(|at| json!({"city": format!("c{at}")})).collect();
    let contacts: Vec<_> = (0..count).map(|at| json!({"telecom": [{"value": format!("t{at}")}]})).collect();
    json!({"resourceType": "Patient", "id": format!("p{id}"), "name": names, "address": addresses, "contact": contacts})
}

#[tokio::test]
async fn rows_that_multiply_are_made_of_fewer_resources_at_a_time() {
    let view = json!({"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}]},
        {"forEach": "name", "column": [{"name": "family", "path": "family"}]},
        {"forEach": "address", "column": [{"name": "city", "path": "city"}]},
        {"forEach": "contact.telecom", "column": [{"name": "value", "path": "value"}]}]});
    // 1.2 million rows, more than are made at once.
    let patients: Vec<_> = (0..150).map(|id| patient(id, 20)).collect();
    let found = run(&view, &patients).await.unwrap();
    assert_eq!(found.len(), 150 * 20 * 20 * 20);
    assert_eq!(found[8000], json!({"id": "p1", "family": "n0", "city": "c0", "value": "t0"}));

    let error = run(&view, &[patient(0, 300)]).await.unwrap_err();
    assert!(error.contains("a resource has more than 16777216 rows"), "{error}");
}

#[tokio::test]
async fn values_of_a_wrong_type_are_no_values() {
    let view = json!({"resource": "Patient", "select": [{"column": [
        {"name": "active", "path": "active"}, {"name": "birth", "path": "birthDate"},
        {"name": "born", "path": "birthDate > @1970-01-01"}, {"name": "city", "path": "address.first().city"},
        {"name": "n", "path": "name.count()"}, {"name": "births", "path": "multipleBirth.ofType(integer)"}]}]});
    let patients = [
        json!({"resourceType": "Patient", "id": "a", "active": "yes", "birthDate": "around 1970", "address": "Main St", "name": 5,
            "multipleBirthInteger": "two"}),
        json!({"resourceType": "Patient", "id": "b", "active": true, "birthDate": "1971-01-01", "address": [{"city": "Ulm"}],
            "name": [{"family": "Ü 漢字 \u{1F600}"}], "multipleBirthInteger": 2}),
    ];
    let found = run(&view, &patients).await.unwrap();
    assert_eq!(
        found[1],
        json!({"active": true, "birth": "1971-01-01", "born": true, "city": "Ulm", "n": 1, "births": 2})
    );
    assert_eq!(found[0]["active"], Value::Null);
    assert_eq!((&found[0]["born"], &found[0]["births"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn texts_may_be_of_any_script() {
    let view = json!({"resource": "Patient", "constant": [{"name": "wanted", "valueString": "Ü 漢字 \u{1F600}"}],
        "select": [{"column": [{"name": "family", "path": "name.where(family = %wanted).family.substring(2, 2)"},
        {"name": "length", "path": "name.family.first().length()"}, {"name": "given", "path": "'‹' & name.given.join('→') & '›'"}]}]});
    let patient = json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Ü 漢字 \u{1F600}", "given": ["é", "ß"]}]});
    assert_eq!(
        run(&view, &[patient]).await.unwrap(),
        [json!({"family": "漢字", "length": 6, "given": "‹é→ß›"})]
    );
    let view =
        json!({"resource": "Patient", "select": [{"column": [{"name": "c", "path": "'漢字é' = naïve"}]}]});
    let error = compile(&view, Storage::Columns).unwrap_err();
    assert!(error.contains("select[0].column[0].path:\n'漢字é' = na"), "{error}");
}

#[tokio::test]
async fn a_constant_may_be_of_any_of_its_types() {
    let types = [
        ("Base64Binary", json!("aGk="), "'aGk='"),
        ("Boolean", json!(true), "true"),
        ("Canonical", json!("http://example.org|1"), "'http://example.org|1'"),
        ("Code", json!("a"), "'a'"),
        ("Date", json!("2020-02"), "@2020-02"),
        ("DateTime", json!("2020-02-01T10:00:00Z"), "@2020-02-01T10:00:00Z"),
        ("Decimal", json!(1.5), "1.50"),
        ("Id", json!("i"), "'i'"),
        ("Instant", json!("2020-02-01T10:00:00.000Z"), "@2020-02-01T10:00:00Z"),
        ("Integer", json!(-5), "-5"),
        ("Integer64", json!("9007199254740993"), "9007199254740993"),
        ("Oid", json!("urn:oid:1.2"), "'urn:oid:1.2'"),
        ("String", json!("s 'q'"), "'s \\'q\\''"),
        ("PositiveInt", json!(1), "1"),
        ("Time", json!("10:00"), "@T10:00"),
        ("UnsignedInt", json!(0), "0"),
        ("Uri", json!("urn:x"), "'urn:x'"),
        ("Url", json!("http://example.org"), "'http://example.org'"),
        (
            "Uuid",
            json!("urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
            "'urn:uuid:c757873d-ec9a-4326-a141-556f43239520'",
        ),
    ];
    for (name, value, literal) in types {
        let constant = json!([{"name": "c", format!("value{name}"): value}]);
        let column =
            json!([{"name": "same", "path": format!("%c = {literal}")}, {"name": "c", "path": "%c"}]);
        let view = json!({"resource": "Patient", "constant": constant, "select": [{"column": column}]});
        let found = run(&view, &[json!({"resourceType": "Patient", "id": "p"})]).await.unwrap();
        assert_eq!(found[0]["same"], json!(true), "{name}");
        let wrong = json!([{"name": "c", format!("value{name}"): {"value": 1}}]);
        let view = json!({"resource": "Patient", "constant": wrong, "select": [{"column": [{"name": "c", "path": "%c"}]}]});
        let error = compile(&view, Storage::Columns).unwrap_err();
        assert!(error.starts_with(&format!("constant[0]: the value of value{name} is no ")), "{error}");
    }
}
