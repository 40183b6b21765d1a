//! What stands in the columns, and what in `__rest`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use fhir_arrow::{Flattener, SchemaError, ServerBase, TableSchema, parse_range};
use fhir_definitions::{Definitions, FhirVersion};

use crate::{assert_round_trip, flatten, schema, schema_of};

/// A resource of the type with these members.
fn line(resource_type: &str, members: &str) -> String {
    format!(r#"{{"resourceType":"{resource_type}","id":"1",{members}}}"#)
}

/// The one-row batch of a resource, which also comes back as it was.
fn row(resource_type: &str, members: &str) -> RecordBatch {
    assert_round_trip(&schema(resource_type), &[&line(resource_type, members)])
}

/// The column at a path of names; of a list all values of all rows.
fn column(batch: &RecordBatch, path: &str) -> ArrayRef {
    let mut names = path.split('.');
    let mut column = Arc::clone(batch.column_by_name(names.next().unwrap()).unwrap());
    for name in names {
        if let Some(list) = column.as_list_opt::<i32>() {
            column = Arc::clone(list.values());
        }
        column = Arc::clone(column.as_struct().column_by_name(name).unwrap());
    }
    match column.as_list_opt::<i32>() {
        Some(list) => Arc::clone(list.values()),
        None => column,
    }
}

fn texts(batch: &RecordBatch, path: &str) -> Vec<Option<String>> {
    column(batch, path).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn text(batch: &RecordBatch, path: &str) -> Option<String> {
    let [text] = texts(batch, path).try_into().unwrap();
    text
}

fn micros(batch: &RecordBatch, path: &str) -> Vec<Option<i64>> {
    column(batch, path).as_primitive::<TimestampMicrosecondType>().iter().collect()
}

#[test]
fn a_date_is_text_with_its_first_and_last_microsecond() {
    let batch = row("Patient", r#""birthDate":"1980-07","deceasedDateTime":"soon""#);
    let (first, last) = parse_range("1980-07").unwrap();
    assert_eq!(text(&batch, "birthDate").as_deref(), Some("1980-07"));
    assert_eq!(micros(&batch, "__birthDate_start"), [Some(first)]);
    assert_eq!(micros(&batch, "__birthDate_end"), [Some(last)]);
    assert_eq!(text(&batch, "deceasedDateTime").as_deref(), Some("soon"));
    assert_eq!(micros(&batch, "__deceasedDateTime_start"), [None]);
    assert_eq!(text(&batch, "__rest"), None);
}

#[test]
fn a_list_of_dates_has_lists_of_annotations_beside_it() {
    let batch = row("Observation", r#""effectiveTiming":{"event":["2024",null,"2025"]}"#);
    assert_eq!(texts(&batch, "effectiveTiming.event"), [Some("2024".into()), None, Some("2025".into())]);
    let years = ["2024", "2025"].map(|year| parse_range(year).map(|(first, _)| first));
    assert_eq!(micros(&batch, "effectiveTiming.__event_start"), [years[0], None, years[1]]);
    assert_eq!(text(&batch, "__rest"), None);
}

#[test]
fn a_decimal_is_its_literal_with_the_nearest_double() {
    for (literal, double) in [("1.50", Some(1.5)), ("1e2", Some(100.0)), ("-0", Some(-0.0)), ("1e999", None)]
    {
        let batch = row("Observation", &format!(r#""valueQuantity":{{"value":{literal}}}"#));
        assert_eq!(text(&batch, "valueQuantity.value").as_deref(), Some(literal));
        let doubles = column(&batch, "valueQuantity.__value_double");
        let doubles: Vec<_> = doubles.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(doubles, [double]);
    }
}

#[test]
fn whole_numbers_that_are_written_otherwise_are_kept_in_the_rest() {
    for literal in ["0", "-1", "2147483647", "-2147483648"] {
        let batch = row("Patient", &format!(r#""multipleBirthInteger":{literal}"#));
        let column = column(&batch, "multipleBirthInteger");
        assert_eq!(column.as_primitive::<Int32Type>().value(0).to_string(), literal);
        assert_eq!(text(&batch, "__rest"), None);
    }
    for literal in ["2147483648", "-2147483649", "1.0", "1e2", "-0", "\"1\"", "true", "null", "[]"] {
        let batch = row("Patient", &format!(r#""multipleBirthInteger":{literal}"#));
        assert!(column(&batch, "multipleBirthInteger").is_null(0), "{literal}");
        assert_eq!(text(&batch, "__rest"), Some(format!(r#"{{"multipleBirthInteger":{literal}}}"#)));
    }
}

#[test]
fn whole_numbers_of_64_bits_are_strings_in_json() {
    let photo = |size: &str| {
        let line = line("Patient", &format!(r#""photo":[{{"size":{size}}}]"#));
        assert_round_trip(&schema_of(FhirVersion::R5, "Patient"), &[&line])
    };
    for text in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
        let batch = photo(&format!("\"{text}\""));
        let column = column(&batch, "photo.size");
        assert_eq!(column.as_primitive::<Int64Type>().value(0).to_string(), text);
        assert!(batch.column_by_name("__rest").unwrap().is_null(0), "{text}");
    }
    for size in ["\"9223372036854775808\"", "\"+1\"", "\"01\"", "\"-0\"", "\"\"", "\"1.0\"", "1", "null"] {
        let batch = photo(size);
        assert!(column(&batch, "photo.size").is_null(0), "{size}");
        assert_eq!(text(&batch, "__rest"), Some(format!(r#"{{"photo":[{{"size":{size}}}]}}"#)));
    }
}

#[test]
fn strings_are_unescaped_and_half_surrogates_are_kept_in_the_rest() {
    let batch = row("Patient", r#""name":[{"family":"O\u0027Neil \ud83d\ude00","text":"\ud83d"}]"#);
    assert_eq!(text(&batch, "name.family").as_deref(), Some("O'Neil 😀"));
    assert_eq!(text(&batch, "name.text"), None);
    assert_eq!(text(&batch, "__rest").as_deref(), Some(r#"{"name":[{"text":"\ud83d"}]}"#));
}

#[test]
fn base64_is_bytes_and_its_literal_is_kept_where_it_would_be_written_otherwise() {
    let cases =
        [("AAE=", Some(&b"\0\x01"[..]), false), ("", Some(b""), false), (r"AA\nE=", Some(b"\0\x01"), true)];
    for (literal, bytes, kept) in
        cases.into_iter().chain([("AAE", None, true), ("AAF=", None, true), ("é", None, true)])
    {
        let batch = row("Binary", &format!(r#""data":"{literal}""#));
        let column = column(&batch, "data");
        assert_eq!(column.as_binary::<i32>().iter().next().flatten(), bytes, "{literal}");
        assert_eq!(text(&batch, "__rest"), kept.then(|| format!(r#"{{"data":"{literal}"}}"#)));
    }
}

#[test]
fn a_reference_is_text_with_the_type_and_id_it_names() {
    let base = Some(ServerBase::new("https://fhir.example.org/r4"));
    let mut flattener = Flattener::new(schema("Observation"), base);
    let references =
        ["Patient/p1", "https://fhir.example.org/r4/Patient/p2/_history/3", "#p3", "Patient?identifier=4"];
    for reference in references {
        let line = line("Observation", &format!(r#""subject":{{"reference":"{reference}"}}"#));
        flattener.append(line.as_bytes()).unwrap();
    }
    let batch = flattener.finish();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(texts(&batch, "subject.reference"), references.map(some));
    let types = [some("Patient"), some("Patient"), None, some("Patient")];
    assert_eq!(texts(&batch, "subject.__reference_type"), types);
    assert_eq!(texts(&batch, "subject.__reference_id"), [some("p1"), some("p2"), None, None]);
}

#[test]
fn an_open_choice_is_an_object_with_what_was_chosen() {
    let members = r#""parameter":[{"name":"a","valueString":"x"},{"name":"b"},
        {"name":"c","valueCoding":{ "code":"y" },"_valueDate":{},"value":1,"valueDate" : null}]"#;
    let batch = row("Parameters", members);
    let values =
        [Some(r#"{"valueString":"x"}"#), None, Some(r#"{"valueCoding":{ "code":"y" },"valueDate":null}"#)];
    assert_eq!(texts(&batch, "parameter.value"), values.map(|value| value.map(str::to_owned)));
    let rest = r#"{"parameter":[null,null,{"_valueDate":{},"value":1}]}"#;
    assert_eq!(text(&batch, "__rest").as_deref(), Some(rest));
}

#[test]
fn a_resource_within_the_resource_is_text() {
    let batch = row("Patient", r#""contained":[{"resourceType":"Basic", "x":1},null,"no resource"]"#);
    let contained = [Some(r#"{"resourceType":"Basic", "x":1}"#.to_owned()), None, None];
    assert_eq!(texts(&batch, "contained"), contained);
    assert_eq!(text(&batch, "__rest").as_deref(), Some(r#"{"contained":[null,null,"no resource"]}"#));
}

#[test]
fn the_rest_has_what_no_column_has_in_the_shape_of_the_resource() {
    let cases = [
        (r#""birthDate":"1980","_birthDate":{"id":"b"}"#, r#"{"_birthDate":{"id":"b"}}"#),
        (r#""modifierExtension":[]"#, r#"{"modifierExtension":[]}"#),
        (r#""name":[{"id":"n"},{"family":"A"}]"#, r#"{"name":[{"id":"n"}]}"#),
        (r#""name":[{},{"period":{"start":"2024","id":"p"}}]"#, r#"{"name":[null,{"period":{"id":"p"}}]}"#),
        (
            r#""name":[null,"x",{"given":["A",1,null,"B",[]]}]"#,
            r#"{"name":[null,"x",{"given":[null,1,null,null,[]]}]}"#,
        ),
        (r#""name":{"family":"A"}"#, r#"{"name":{"family":"A"}}"#),
        (
            r#""maritalStatus":[{"text":"M"}],"active":"true""#,
            r#"{"maritalStatus":[{"text":"M"}],"active":"true"}"#,
        ),
        (r#""gender":null,"unknown":{ "a" : [null] }"#, r#"{"gender":null,"unknown":{ "a" : [null] }}"#),
        (r#""\u0067ender":1"#, r#"{"\u0067ender":1}"#),
        (r#""__rest":"x","__birthDate_start":0"#, r#"{"__rest":"x","__birthDate_start":0}"#),
        (
            r#""managingOrganization":{"identifier":{"value":"v","use":"usual"}}"#,
            r#"{"managingOrganization":{"identifier":{"use":"usual"}}}"#,
        ),
        (
            r#""extension":[{"url":"u","valueMoney":{"value":1}},{"extension":[{"extension":[]}]}]"#,
            r#"{"extension":[{"valueMoney":{"value":1}},{"extension":[{"extension":[]}]}]}"#,
        ),
    ];
    for (members, rest) in cases {
        assert_eq!(text(&row("Patient", members), "__rest").as_deref(), Some(rest), "{members}");
    }
}

#[test]
fn deep_nesting_comes_back_up_to_the_limit() {
    let nested = |levels: usize| format!("\"x\":{}1{}", "{\"y\":[".repeat(levels), "]}".repeat(levels));
    row("Patient", &nested(63));
    let too_deep = line("Patient", &nested(64));
    assert!(Flattener::new(schema("Patient"), None).append(too_deep.as_bytes()).is_err());
}

#[test]
fn recursion_has_columns_on_two_levels() {
    let batch =
        row("Questionnaire", r#""item":[{"linkId":"1","item":[{"linkId":"2","item":[{"linkId":"3"}]}]}]"#);
    assert_eq!(text(&batch, "item.linkId").as_deref(), Some("1"));
    assert_eq!(text(&batch, "item.item.linkId").as_deref(), Some("2"));
    let rest = r#"{"item":[{"item":[{"item":[{"linkId":"3"}]}]}]}"#;
    assert_eq!(text(&batch, "__rest").as_deref(), Some(rest));
}

#[test]
fn what_is_empty_is_empty_and_not_null() {
    let lines = [r#""name":[],"maritalStatus":{}"#, r#""name":[{}]"#, r#""active":true"#];
    let lines = lines.map(|members| line("Patient", members));
    let batch = assert_round_trip(&schema("Patient"), &lines.each_ref().map(String::as_str));
    let names = batch.column_by_name("name").unwrap().as_list::<i32>();
    assert_eq!((names.value_length(0), names.value_length(1)), (0, 1));
    assert_eq!([names.is_null(0), names.is_null(1), names.is_null(2)], [false, false, true]);
    let status = column(&batch, "maritalStatus");
    assert_eq!([status.is_null(0), status.is_null(1)], [false, true]);
    assert_eq!(texts(&batch, "__rest"), [None, None, None]);
}

#[test]
fn values_stand_in_the_row_of_their_resource_after_rows_without_them() {
    let lines: Vec<_> = (0..1000)
        .map(|row| match row % 100 {
            7 => line(
                "Patient",
                &format!(r#""name":[{{"family":"F{row}"}},{{"given":["G{row}"]}}],"birthDate":"2024""#),
            ),
            _ => line("Patient", r#""active":true"#),
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let batch = flatten(&schema("Patient"), &lines);
    let names = batch.column_by_name("name").unwrap();
    let with_names: Vec<usize> = (0..1000).filter(|row| names.is_valid(*row)).collect();
    assert_eq!(with_names, [7, 107, 207, 307, 407, 507, 607, 707, 807, 907]);
    let families = texts(&batch, "name.family");
    assert_eq!((families.len(), families[6].as_deref()), (20, Some("F307")));
    assert_eq!(texts(&batch, "name.given").last().unwrap().as_deref(), Some("G907"));
    assert_round_trip(&schema("Patient"), &lines);
}

#[test]
fn a_configured_column_takes_its_values_out_of_rest_and_nothing_else() {
    let configured =
        ["_birthDate", "name._given", "address.extension", "modifierExtension"].map(str::to_owned);
    let schema = Arc::new(TableSchema::with_columns(Definitions::r4(), "Patient", &configured).unwrap());
    let line = line(
        "Patient",
        r#""birthDate":"1980","_birthDate":{"id":"b","extension":[{"url":"http://x/time","valueDateTime":"1980-01-01T10:00:00Z"}],"fhir_comments":"c"},
        "name":[{"given":["A","B",null],"_given":[null,{"id":"g"},{"extension":[{"url":"http://x/none","valueCode":"unknown"}]}]}],
        "address":[{"city":"X","extension":[{"url":"http://x/geo","extension":[{"url":"lat","valueDecimal":1.50}]}],"_city":{"id":"c"}}],
        "modifierExtension":[{"url":"http://x/not","valueBoolean":true}]"#,
    );
    let batch = assert_round_trip(&schema, &[&line]);
    assert_eq!(
        texts(&batch, "_birthDate.extension.valueDateTime"),
        [Some("1980-01-01T10:00:00Z".to_owned())]
    );
    assert_eq!(texts(&batch, "name._given.id"), [None, Some("g".to_owned()), None]);
    assert_eq!(texts(&batch, "address.extension.extension.valueDecimal"), [Some("1.50".to_owned())]);
    assert_eq!(texts(&batch, "modifierExtension.url"), [Some("http://x/not".to_owned())]);
    let rest = r#"{"_birthDate":{"fhir_comments":"c"},"address":[{"_city":{"id":"c"}}]}"#;
    assert_eq!(text(&batch, "__rest").as_deref(), Some(rest));
}

#[test]
fn what_cannot_be_a_column_is_refused_with_its_path() {
    for path in
        ["", "birthDate", "_birthdate", "_name", "name.given.extension", "contact.nothing._x", "_contained"]
    {
        let error = TableSchema::with_columns(Definitions::r4(), "Patient", &[path.to_owned()]).unwrap_err();
        assert!(
            matches!(&error, SchemaError::Unconfigurable { path: named, .. } if named == path),
            "{path}: {error}"
        );
    }
    let twice = ["_birthDate".to_owned(), "_birthDate".to_owned()];
    assert!(TableSchema::with_columns(Definitions::r4(), "Patient", &twice).is_err());
}
