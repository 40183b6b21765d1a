use fhir_definitions::FhirVersion;

use super::*;
use crate::json::Tape;

/// What is wrong with a value, written in JSON.
fn check(primitive: Primitive, value: &str) -> Result<(), Fault> {
    let text = format!("{{\"a\":{value}}}");
    let mut tape = Tape::default();
    let document = tape.parse(text.as_bytes()).unwrap();
    let (_, value) = document.root().members().next().unwrap();
    let fault = if primitive.holds(value) { None } else { primitive.fault(value, &mut String::new()) };
    fault.map_or(Ok(()), Err)
}

fn check_all(primitive: Primitive, legal: &[&str], illegal: &[&str]) {
    for value in legal {
        assert_eq!(check(primitive, value), Ok(()), "{primitive:?} {value}");
    }
    for value in illegal {
        let fault = check(primitive, value);
        assert!(matches!(fault, Err(Fault::Form(_))), "{primitive:?} {value}: {fault:?}");
    }
}

#[test]
fn whole_numbers_are_of_their_range_and_written_as_such() {
    let outside = ["2147483648", "-2147483649", "1.0", "1e2", "1.5", "9999999999999999999999"];
    check_all(Primitive::Integer, &["0", "-0", "-1", "2147483647", "-2147483648"], &outside);
    check_all(Primitive::UnsignedInt, &["0", "1", "2147483647"], &outside);
    check_all(Primitive::UnsignedInt, &[], &["-1"]);
    check_all(Primitive::PositiveInt, &["1", "2147483647"], &outside);
    check_all(Primitive::PositiveInt, &[], &["0", "-1"]);
    let legal = [r#""0""#, r#""-1""#, r#""+1""#, r#""9223372036854775807""#, r#""-9223372036854775808""#];
    let illegal = [r#""9223372036854775808""#, r#""01""#, r#""1.0""#, r#""+""#, r#""x""#, r#"" 1""#];
    check_all(Primitive::Integer64, &legal, &illegal);
}

#[test]
fn any_json_number_is_a_decimal() {
    check_all(
        Primitive::Decimal,
        &["0", "-0.0", "1.50", "1E-22", "1e+400", "0.123456789012345678901234567"],
        &[],
    );
}

#[test]
fn strings_may_have_spaces_but_codes_only_single_ones_within() {
    check_all(
        Primitive::Text,
        &[r#"" a  b ""#, r#""a\tb\n""#, r#""é😀""#, r#""\ud83d\ude00""#],
        &[r#""\ud83d""#],
    );
    let unwise = check(Primitive::Text, r#""a\u0001""#);
    assert!(matches!(unwise, Err(Fault::Unwise(_))), "{unwise:?}");
    let long = |count: usize| format!("\"{}\"", "é".repeat(count));
    check_all(Primitive::Text, &[&long(1 << 20)], &[&long((1 << 20) + 1)]);
    check_all(
        Primitive::Code,
        &[r#""a""#, r#""a b c""#, r#""<=""#, r#""a\tb""#],
        &[r#"" a""#, r#""a ""#, r#""a  b""#, r#"" ""#, r#""a\t\n""#, r#""a\n b""#],
    );
}

#[test]
fn ids_of_resources_are_narrower_than_ids_of_elements() {
    let long = |count: usize| format!("\"{}\"", "a".repeat(count));
    check_all(
        Primitive::Id,
        &[r#""a-1.B""#, &long(64)],
        &[r#""a_b""#, r#""a b""#, r##""#a""##, r#""é""#, &long(65)],
    );
    check_all(Primitive::ElementId, &[r#""a_b""#, r#""é""#, &long(65)], &[r#""a b""#, r#""a\n""#]);
}

#[test]
fn uris_have_no_space_and_known_urns_their_form() {
    let uuid = r#""urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#;
    check_all(
        Primitive::Uri,
        &[r#""http://a/b?c#d|1""#, r##""#a""##, r#""é""#, r#""urn:isbn:1""#, r#""urn:oid:1.2.3""#, uuid],
        &[r#""a b""#, r#""a\n""#, r#""urn:oid:1.02""#, r#""urn:uuid:C757873D-EC9A-4326-A141-556F43239520""#],
    );
    check_all(
        Primitive::Oid,
        &[r#""urn:oid:2.16.840.1""#, r#""urn:oid:0.0""#],
        &[
            r#""urn:oid:1""#,
            r#""urn:oid:3.1""#,
            r#""urn:oid:1.""#,
            r#""urn:oid:1..2""#,
            r#""1.2""#,
            r#""urn:oid:1.a""#,
        ],
    );
    check_all(
        Primitive::Uuid,
        &[uuid],
        &[
            r#""c757873d-ec9a-4326-a141-556f43239520""#,
            r#""urn:uuid:c757873dec9a4326a141556f43239520""#,
            r#""urn:uuid:c757873d-ec9a-4326-a141-556f4323952""#,
            r#""urn:uuid:c757873d-ec9a-4326-a141-556f4323952g""#,
        ],
    );
}

#[test]
fn dates_are_of_the_calendar() {
    let dates = [r#""2024""#, r#""0001""#, r#""9999-12""#, r#""2024-02-29""#, r#""2000-02-29""#];
    let no_dates = [
        r#""0000""#,
        r#""24""#,
        r#""02024""#,
        r#""2024-""#,
        r#""2024-1""#,
        r#""2024-00""#,
        r#""2024-13""#,
        r#""2024-01-1""#,
        r#""2024-01-00""#,
        r#""2024-04-31""#,
        r#""2023-02-29""#,
        r#""1900-02-29""#,
        r#""2024-01-01 ""#,
        r#"" 2024""#,
        r#""2024/01/01""#,
        r#""20240101""#,
        r#""２024""#,
        r#""2024-01-01Z""#,
    ];
    let times = [
        r#""2024-05-01T12:00:00Z""#,
        r#""2024-05-01T23:59:60Z""#,
        r#""2024-05-01T00:00:00.123456789012-12:00""#,
        r#""2024-05-01T00:00:00+14:00""#,
        r#""2024-05-01T00:00:00.5+13:59""#,
    ];
    let no_times = [
        r#""2024-05-01T12:00:00""#,
        r#""2024-05-01T12:00Z""#,
        r#""2024-05-01T24:00:00Z""#,
        r#""2024-05-01T""#,
        r#""2024-05-01T12:60:00Z""#,
        r#""2024-05-01T12:00:61Z""#,
        r#""2024-05-01T12:00:00.Z""#,
        r#""2024-05-01T12:00:00+15:00""#,
        r#""2024-05-01T12:00:00+14:01""#,
        r#""2024-05-01T12:00:00+0100""#,
        r#""2024-05-01T12:00:00Zulu""#,
        r#""2024-05-01t12:00:00z""#,
        r#""2024-05-01 12:00:00Z""#,
        r#""2024-05T12:00:00Z""#,
        r#""2023-02-29T12:00:00Z""#,
        r#""2024-05-01T1:00:00Z""#,
    ];
    check_all(Primitive::Date, &dates, &[&no_dates[..], &times, &no_times].concat());
    check_all(Primitive::DateTime, &[&dates[..], &times].concat(), &[&no_dates[..], &no_times].concat());
    check_all(Primitive::Instant, &times, &[&dates[..], &no_dates, &no_times].concat());
    check_all(
        Primitive::Time,
        &[r#""00:00:00""#, r#""23:59:60.5""#],
        &[
            r#""24:00:00""#,
            r#""12:00""#,
            r#""12:00:00Z""#,
            r#""12:00:00.""#,
            r#""1:00:00""#,
            r#""12:00:00 ""#,
        ],
    );
}

#[test]
fn base64_has_whole_groups() {
    check_all(
        Primitive::Base64,
        &[
            r#""AAAA""#,
            r#""AA==""#,
            r#""AAE=""#,
            r#""AAF=""#,
            r#""+/09azAZ""#,
            r#""AAAA\nAAAA""#,
            r#"" AAAA AA== ""#,
        ],
        &[
            r#""AAA""#,
            r#""A===""#,
            r#""====""#,
            r#""AA=A""#,
            r#""AA==AAAA""#,
            r#""AA AA""#,
            r#""A*AA""#,
            r#"" ""#,
            r#""é""#,
        ],
    );
}

#[test]
fn xhtml_is_a_div_in_its_namespace() {
    let div = |start: &str, end: &str| format!("\"<{start}>x<{end}>\"");
    check_all(
        Primitive::Xhtml,
        &[
            &div(r#"div xmlns=\"http://www.w3.org/1999/xhtml\""#, "/div"),
            &div(r"div id='a' xmlns='http://www.w3.org/1999/xhtml'", "/div"),
            r#""<div xmlns='http://www.w3.org/1999/xhtml'/>""#,
        ],
        &[
            &div("div", "/div"),
            &div(r#"div xmlns=\"http://www.w3.org/1999/xhtml\""#, "/p"),
            &div(r#"p xmlns=\"http://www.w3.org/1999/xhtml\""#, "/p"),
            r#""x""#,
        ],
    );
}

#[test]
fn another_json_type_is_no_matter_of_form() {
    for (primitive, value, expected) in [
        (Primitive::Boolean, r#""true""#, "true or false"),
        (Primitive::Integer, r#""1""#, "a number"),
        (Primitive::Decimal, "true", "a number"),
        (Primitive::Integer64, "1", "a string"),
        (Primitive::Date, "2024", "a string"),
        (Primitive::Text, "{}", "a string"),
        (Primitive::Code, "[]", "a string"),
    ] {
        assert_eq!(check(primitive, value), Err(Fault::JsonType(expected)), "{primitive:?} {value}");
    }
    for primitive in [Primitive::Boolean, Primitive::Decimal, Primitive::Text] {
        assert_eq!(check(primitive, "null"), Err(Fault::Null));
    }
    for primitive in [Primitive::Text, Primitive::Date, Primitive::Uri, Primitive::Base64] {
        assert_eq!(check(primitive, r#""""#), Err(Fault::Empty));
    }
}

#[test]
fn every_primitive_of_every_version_has_its_form() {
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(*version);
        for definition in definitions.types() {
            if definition.kind == fhir_definitions::TypeKind::Primitive {
                let named = Primitive::named(&definition.name);
                assert_eq!(
                    named,
                    Some(Primitive::of(definitions, &definition.name)),
                    "{version} {}",
                    definition.name
                );
            }
        }
        assert_eq!(Primitive::of(definitions, "no such type"), Primitive::Text);
    }
}
