//! Lines that are nearly FHIR: every column may have a value of any kind, in any spelling.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Fields};
use fhir_arrow::TableSchema;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{assert_round_trip, schema};

/// Types with recursion, open choices, resources within them, bytes, and the usual.
static SCHEMAS: LazyLock<Vec<Arc<TableSchema>>> = LazyLock::new(|| {
    let names = [
        "Patient",
        "Observation",
        "Questionnaire",
        "Parameters",
        "Task",
        "Bundle",
        "Binary",
        "Claim",
        "StructureDefinition",
    ];
    names.map(schema).into()
});

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => Just(""), 1 => select(vec![" ", "\t ", "\r"])]
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec![
            r#""""#, r#""plain""#, r#""Patient/1""#, r#""Patient?x=1""#, r#""2024""#, r#""2024-05-01T10:00:00Z""#,
            r#""2024-02-31""#, r#""AAE=""#, r#""AAE""#, r#""A A\nE=""#, r#""AAF=""#, r#""http://h/fhir/Group/1""#,
        ]).prop_map(str::to_owned),
        2 => select(vec![
            r#""\u0041\/\\\"\b\f\n\r\t""#, r#""\ud83d\ude00é😀""#, r#""\ud83d""#, r#""x\udc00y""#, r#""\u0000""#,
        ]).prop_map(str::to_owned),
        2 => ".{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ]
}

fn number() -> impl Strategy<Value = String> {
    let literals = vec![
        "0",
        "-0",
        "1",
        "-1",
        "2147483647",
        "2147483648",
        "-2147483648",
        "-2147483649",
        "1.0",
        "1.50",
        "-0.0",
        "1e2",
        "1E+2",
        "1e-7",
        "1e999",
        "0.1234567890123456789",
        "123456789012345678901234567890",
    ];
    select(literals).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => string(),
        2 => number(),
        1 => select(vec!["null", "true", "false"]).prop_map(str::to_owned),
    ]
}

fn array(values: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (vec(values, 0..4), space())
        .prop_map(|(values, space)| format!("[{space}{}]", values.join(&format!(",{space}"))))
}

/// An object with each member at most once, some of their names spelt with an escape.
fn object(members: impl Strategy<Value = (String, String)>) -> impl Strategy<Value = String> {
    (vec((members, 0..20), 0..6), space()).prop_map(|(members, space)| {
        let mut names = BTreeSet::new();
        let texts: Vec<_> = members
            .into_iter()
            .filter(|((name, _), _)| names.insert(name.clone()))
            .map(|((name, value), spelling)| match (spelling, name.get(..1)) {
                (0, Some(first)) if first.is_ascii() => {
                    format!("\"\\u{:04x}{}\"{space}:{space}{value}", first.as_bytes()[0], &name[1..])
                }
                _ => format!("\"{name}\":{value}"),
            })
            .collect();
        format!("{{{space}{}{space}}}", texts.join(","))
    })
}

/// Any JSON value, with names of FHIR now and then.
fn any_json() -> BoxedStrategy<String> {
    let name =
        select(vec!["id", "extension", "value", "valueString", "item", "x", "__rest", "reference", "é"]);
    scalar()
        .prop_recursive(4, 24, 4, move |inside| {
            let member = (name.clone().prop_map(str::to_owned), inside.clone());
            prop_oneof![array(inside), object(member)]
        })
        .boxed()
}

/// A value as the column wants it, or one that it does not.
fn value(data_type: &DataType) -> BoxedStrategy<String> {
    let right: BoxedStrategy<String> = match data_type {
        DataType::Struct(fields) => object(member(fields)).boxed(),
        DataType::List(element) => array(value(element.data_type())).boxed(),
        DataType::Int32 => number().boxed(),
        DataType::Boolean => select(vec!["true", "false"]).prop_map(str::to_owned).boxed(),
        _ => scalar().boxed(),
    };
    prop_oneof![6 => right, 1 => any_json()].boxed()
}

fn member(fields: &Fields) -> BoxedStrategy<(String, String)> {
    let fields = fields.clone();
    let names =
        vec!["unknown", "_birthDate", "_given", "id", "modifierExtension", "valueUrl", "valueInteger", "__x"];
    let known = select(fields.iter().cloned().collect::<Vec<_>>())
        .prop_flat_map(|field| (Just(field.name().clone()), value(field.data_type())));
    let unknown = (select(names).prop_map(str::to_owned), any_json());
    prop_oneof![6 => known, 1 => unknown].boxed()
}

fn line() -> impl Strategy<Value = (usize, String)> {
    (0..SCHEMAS.len()).prop_flat_map(|position| {
        let schema = &SCHEMAS[position];
        let fields = schema.arrow().fields().clone();
        let type_name = schema.resource_type().to_owned();
        let members =
            member(&fields).prop_filter("given once", |(name, _)| name != "resourceType" && name != "id");
        (Just(position), object(members)).prop_map(move |(position, object)| {
            let members = object.trim_start_matches('{').trim_start();
            let comma = if members == "}" { "" } else { "," };
            (position, format!("{{\"resourceType\":\"{type_name}\",\"id\":\"1\"{comma}{members}"))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_resource_that_is_nearly_fhir_comes_back_value_for_value(
        (position, lines) in line().prop_flat_map(|(position, first)| {
            let same = line().prop_filter_map("of the same type", move |(other, line)| (other == position).then_some(line));
            (Just(position), vec(prop_oneof![Just(first), same], 1..4))
        })
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_round_trip(&SCHEMAS[position], &lines);
    }
}
