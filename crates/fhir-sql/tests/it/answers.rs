//! What expressions answer: from columns, from `__rest`, and from both.

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::suite::{Storage, compile, rows};

/// The rows of a view over resources, each as JSON text.
async fn run(view: &Value, resources: &[&str], storage: Storage) -> Result<Vec<Value>, String> {
    let resources: Vec<Box<RawValue>> =
        resources.iter().map(|text| RawValue::from_string((*text).to_owned()).unwrap()).collect();
    let view = compile(view, storage)?;
    rows(view, &resources, storage).await.map_err(|error| error.to_string())
}

fn column(path: &str) -> Value {
    json!([{"column": [{"name": "c", "path": path, "collection": true}]}])
}

/// The values of an expression on a resource.
async fn values(resource: &str, path: &str) -> Value {
    let resource_type = serde_json::from_str::<Value>(resource).unwrap()["resourceType"].clone();
    let view = json!({"resource": resource_type, "select": column(path)});
    let found = run(&view, &[resource], Storage::Columns).await.unwrap();
    // The same where no element has a column.
    assert_eq!(run(&view, &[resource], Storage::Rest).await.unwrap(), found, "{path}");
    found[0]["c"].clone()
}

async fn check(resource: &str, cases: &[(&str, Value)]) {
    for (path, expected) in cases {
        assert_eq!(values(resource, path).await, *expected, "{path}");
    }
}

const PATIENT: &str = r##"{"resourceType":"Patient","id":"p1","birthDate":"1970-03",
"_birthDate":{"extension":[{"url":"time","valueDateTime":"1970-03-30T12:00:00Z"}]},
"contained":[{"resourceType":"Organization","id":"o","name":"Clinic"},{"resourceType":"Patient","id":"q"}],
"name":[{"given":["A","B"],"_given":[null,{"extension":[{"url":"x","valueString":"of B"}]}],"family":"One"},
{"family":"Two","extension":[{"url":"rank","valueInteger":7}],"given":["C"]}],
"multipleBirthInteger":2,"managingOrganization":{"reference":"Organization/5"},"generalPractitioner":[{"reference":"#gp"}],
"extension":[{"url":"amount","valueDecimal":1.50},{"url":"ratio","valueRatio":{"numerator":{"value":3.10}}}]}"##;

#[tokio::test]
async fn what_has_no_column_is_reached() {
    check(
        PATIENT,
        &[
            ("birthDate.extension('time').value.ofType(dateTime)", json!(["1970-03-30T12:00:00Z"])),
            ("name.given.extension('x').value.ofType(string)", json!(["of B"])),
            ("name.where(extension('rank').value.ofType(integer) > 6).family", json!(["Two"])),
            ("name.extension('rank').value.ofType(integer)", json!([7])),
            ("extension('ratio').value.ofType(Ratio).numerator.value", json!([3.1])),
            ("contained.ofType(Organization).name", json!(["Clinic"])),
            ("contained.ofType(Organization).exists()", json!([true])),
            ("contained.id", json!(["o", "q"])),
            ("contained.count()", json!([2])),
        ],
    )
    .await;
}

#[tokio::test]
async fn choices_are_told_apart() {
    check(
        PATIENT,
        &[
            ("multipleBirth.exists()", json!([true])),
            ("multipleBirth is integer", json!([true])),
            ("multipleBirth is boolean", json!([false])),
            ("deceased is boolean", json!([])),
            ("(multipleBirth as integer) + 1", json!([3])),
            ("multipleBirth.ofType(boolean)", json!([])),
            ("extension.value.ofType(decimal)", json!([1.5])),
            ("extension('amount').value.ofType(decimal).toString()", json!(["1.50"])),
            ("extension.value.numerator.value", json!([3.1])),
        ],
    )
    .await;
}

#[tokio::test]
async fn functions_answer_as_fhirpath_has_it() {
    check(
        PATIENT,
        &[
            ("name.given.count()", json!([3])),
            ("name.given.last()", json!(["C"])),
            ("name.given.skip(1).take(1)", json!(["B"])),
            ("name.select(given.first() & '.' & family)", json!(["A.One", "C.Two"])),
            ("name.all(family.exists())", json!([true])),
            ("name.given.where($index = 1)", json!(["B"])),
            ("name.where(given = 'C').family", json!(["Two"])),
            ("name.first().given | name.given", json!(["A", "B", "C"])),
            ("name.given.combine(name.given).count()", json!([6])),
            ("iif(name.count() > 1, 'many', 'one')", json!(["many"])),
            ("name.family.first().substring(1, 2)", json!(["ne"])),
            ("name.family.first().matches('^O.e$')", json!([true])),
            ("name.family.first().startsWith('On') and 'a' in name.family", json!([false])),
            ("name.family contains 'Two'", json!([true])),
            ("name.family.first().upper().length()", json!([3])),
            ("managingOrganization.getReferenceKey(Organization)", json!(["5"])),
            ("managingOrganization.getReferenceKey(Patient)", json!([])),
            ("managingOrganization.getReferenceKey('Organization')", json!(["5"])),
            ("generalPractitioner.getReferenceKey()", json!([])),
            ("-(2.5).floor()", json!([-2])),
            ("7 div 2 + 7 mod 2", json!([4])),
            ("{}.exists()", json!([false])),
            ("%resource.id = id and %context.id = id", json!([true])),
        ],
    )
    .await;
}

#[tokio::test]
async fn nothing_gives_nothing_but_where_the_logic_is_decided() {
    check(
        PATIENT,
        &[
            ("gender = 'male'", json!([])),
            ("gender = 'male' and false", json!([false])),
            ("gender = 'male' or true", json!([true])),
            ("gender = 'male' implies true", json!([true])),
            ("gender != 'male'", json!([])),
            ("gender ~ {}", json!([true])),
            ("(gender = 'male').not()", json!([])),
            ("name[5].family", json!([])),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_precision_of_dates_decides_comparisons() {
    check(
        PATIENT,
        &[
            ("birthDate = @1970-03", json!([true])),
            ("birthDate = @1970-03-01", json!([])),
            ("birthDate < @1971", json!([true])),
            ("birthDate <= @1970-03-31", json!([])),
            ("birthDate.highBoundary() = @1970-03-31", json!([true])),
            ("birthDate.lowBoundary()", json!(["1970-03-01"])),
        ],
    )
    .await;
}

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},
"effectivePeriod":{"start":"2020-02","end":"2020-03-01T10:00:00Z"},
"valueQuantity":{"value":7.50,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"},
"referenceRange":[{"low":{"value":5,"system":"http://unitsofmeasure.org","code":"mg"},
"high":{"value":0.01,"system":"http://unitsofmeasure.org","code":"g"}},{"low":{"value":1,"comparator":">","code":"mg",
"system":"http://unitsofmeasure.org"},"high":{"value":9,"unit":"mg"}}],
"component":[{"code":{"text":"age"},"valueQuantity":{"value":2,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}},
{"code":{"text":"drops"},"valueQuantity":{"value":3,"unit":"drop","system":"http://snomed.info/sct","code":"404218003"}}]}"#;

#[tokio::test]
async fn quantities_compare_in_any_unit_of_their_dimension() {
    check(
        OBSERVATION,
        &[
            ("value.ofType(Quantity) > 5 'mg'", json!([true])),
            ("value.ofType(Quantity) < 0.0075 'g'", json!([false])),
            ("value.ofType(Quantity) = 7500 'ug'", json!([true])),
            ("value.ofType(Quantity) != 7.5 'mg'", json!([false])),
            ("value.ofType(Quantity) > -7.5 'mg'", json!([true])),
            ("value.ofType(Quantity) = +7.5 'mg'", json!([true])),
            ("value.ofType(Quantity) > 5 'mL'", json!([])),
            ("value.ofType(Quantity) = 5 'mL'", json!([])),
            ("value.ofType(Quantity) ~ 5 'mL'", json!([false])),
            ("value.ofType(Quantity) !~ 7.5 'mg'", json!([false])),
            ("value.ofType(Quantity) > {}", json!([])),
            ("referenceRange.where(low <= %resource.value.ofType(Quantity)).count()", json!([1])),
            ("referenceRange.first().high >= value.ofType(Quantity)", json!([true])),
            // A text is no unit, and what has a comparator is no point.
            ("referenceRange[1].high > 1 'mg'", json!([])),
            ("referenceRange[1].low > 0 'mg'", json!([])),
            ("component.where(value.ofType(Quantity) > 700 days).code.text", json!(["age"])),
            ("component.where(value.ofType(Quantity) >= 24 months).code.text", json!(["age"])),
            ("component.where(value.ofType(Quantity) = 2 'a').code.text", json!(["age"])),
            ("component[1].value.ofType(Quantity) = component[1].value.ofType(Quantity)", json!([true])),
            ("component.value.ofType(Quantity).exists()", json!([true])),
            ("1 year = 1 'a'", json!([])),
            ("1 year ~ 1 'a'", json!([true])),
            ("iif(id = 'o', 1 'g', 2 'g') < 1500 'mg'", json!([true])),
            ("'5 mg'.toQuantity().exists()", json!([false])),
            ("'5 \\'mg\\''.toQuantity() < value.ofType(Quantity)", json!([true])),
            ("value.ofType(Quantity).value.toQuantity() = 7.5 '1'", json!([true])),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_boundaries_of_a_period_are_those_of_its_ends() {
    check(
        OBSERVATION,
        &[
            ("effective.ofType(Period).lowBoundary()", json!(["2020-02-01T00:00:00.000+14:00"])),
            ("effective.ofType(Period).highBoundary()", json!(["2020-03-01T10:00:00.999Z"])),
            ("component.where(id.exists()).exists()", json!([false])),
        ],
    )
    .await;
}

const RESPONSE: &str = r#"{"resourceType":"QuestionnaireResponse","id":"q","status":"completed","item":[
{"linkId":"1","item":[{"linkId":"1.1","item":[{"linkId":"1.1.1","answer":[{"valueDecimal":1.0,
"item":[{"linkId":"1.1.1.1","text":"deep"}]}]}]}]},{"linkId":"2"}]}"#;

#[tokio::test]
async fn repeat_goes_to_any_depth_in_the_order_of_the_document() {
    let view = json!({"resource": "QuestionnaireResponse", "select": [
        {"repeat": ["item", "answer.item"], "column": [
            {"name": "at", "path": "%rowIndex"}, {"name": "id", "path": "linkId"}, {"name": "text", "path": "text"},
            {"name": "answer", "path": "answer.value.ofType(decimal)"}]}]});
    for storage in [Storage::Columns, Storage::Rest] {
        let rows = run(&view, &[RESPONSE], storage).await.unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["1", "1.1", "1.1.1", "1.1.1.1", "2"], "{storage:?}");
        assert_eq!(
            (&rows[3]["text"], &rows[2]["answer"], &rows[4]["at"]),
            (&json!("deep"), &json!(1.0), &json!(4))
        );
    }
}

#[tokio::test]
async fn rows_are_those_of_every_combination_and_every_branch() {
    let view = json!({"resource": "Patient", "select": [
        {"forEach": "name", "column": [{"name": "family", "path": "family"}, {"name": "at", "path": "%rowIndex"}],
         "select": [{"forEachOrNull": "period", "column": [{"name": "start", "path": "start"}]}]},
        {"unionAll": [{"column": [{"name": "v", "path": "id"}]}, {"forEach": "name.given", "column": [{"name": "v", "path": "$this"}]}]}]});
    let rows = run(&view, &[PATIENT], Storage::Columns).await.unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| format!("{} {} {}", row["family"], row["at"], row["v"])).collect();
    let of = |family: &str, at: u32| ["p1", "A", "B", "C"].map(|v| format!("\"{family}\" {at} \"{v}\""));
    assert_eq!(told, [of("One", 0), of("Two", 1)].concat());
}

#[tokio::test]
async fn several_values_for_one_place_end_the_query_and_are_not_told() {
    let view = json!({"resource": "Patient", "select": [{"column": [{"name": "c", "path": "name.family"}]}]});
    let error = run(&view, &[PATIENT], Storage::Columns).await.unwrap_err();
    assert!(error.contains("select[0].column[0].path: a resource has several values"), "{error}");
    assert!(!error.contains("One"), "{error}");
}

/// A name with what has columns and what has none.
fn name() -> impl Strategy<Value = Value> {
    let text = || proptest::option::of("[a-c\\\\\"é]{0,3}");
    let use_ = proptest::option::of(prop::sample::select(vec!["official", "usual"]));
    let given = prop::collection::vec("[a-c]{1,2}", 0..3);
    (text(), use_, given, proptest::option::of(0..9_i32)).prop_map(|(family, use_, given, rank)| {
        let mut name = json!({"given": given});
        if let Some(family) = family.filter(|family| !family.is_empty()) {
            name["family"] = json!(family);
        }
        if let Some(use_) = use_ {
            name["use"] = json!(use_);
        }
        if let Some(rank) = rank {
            name["extension"] =
                json!([{"url": "rank", "valueInteger": rank}, {"url": "of", "valueDecimal": 0.5}]);
        }
        name
    })
}

const EXPRESSIONS: [&str; 12] = [
    "name.family",
    "name.given",
    "name[1].given[0]",
    "name.where(use = 'official').given",
    "name.extension('rank').value.ofType(integer)",
    "name.where(extension('rank').exists()).family",
    "name.extension.value.exists()",
    "name.select(given.first())",
    "name.given.distinct()",
    "name.where(extension('rank').value.ofType(integer) > 3).count()",
    "name.where(given contains 'a').given.join('|')",
    "name.all(use.exists() or family.exists())",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn columns_and_json_give_the_same(
        patients in prop::collection::vec(prop::collection::vec(name(), 0..4), 1..6),
        expression in prop::sample::select(EXPRESSIONS.to_vec()),
    ) {
        let patients: Vec<String> = patients.into_iter().enumerate().map(|(at, names)| {
            let mut patient = json!({"resourceType": "Patient", "id": format!("p{at}")});
            if !names.is_empty() {
                patient["name"] = json!(names);
            }
            patient.to_string()
        }).collect();
        let patients: Vec<&str> = patients.iter().map(String::as_str).collect();
        let view = json!({"resource": "Patient", "select": column(expression)});
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let of = |storage| runtime.block_on(run(&view, &patients, storage)).unwrap();
        prop_assert_eq!(of(Storage::Columns), of(Storage::Rest));
    }
}
