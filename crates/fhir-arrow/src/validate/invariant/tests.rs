use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fhir_definitions::{Definitions, Element, FhirVersion};

use super::super::compile::{ADVICE, BY_HAND};
use super::super::walk::resource_rules;
use super::super::{ValidationLevel, Validator};
use super::*;
use crate::Reader;

/// What an expression says of an Observation; `None` if it gives nothing or cannot be evaluated.
fn evaluate(expression: &'static str, members: &str) -> Option<bool> {
    let op = program::compile(expression).unwrap();
    let line = format!(r#"{{"resourceType":"Observation","status":"final",{members}}}"#);
    let mut reader = Reader::default();
    let resource = reader.read(line.as_bytes()).unwrap();
    let validator = Validator::new(Definitions::r4(), ValidationLevel::Full);
    let root = resource.root();
    let node = Node::object(resource_rules(&validator, root).unwrap(), root);
    let environment =
        Environment { validator: &validator, context: node, resource: node, root_resource: node };
    let items = environment.eval(&op, &Item::Node(node)).ok()?;
    let [Item::Boolean(value)] = items.as_slice() else { return None };
    Some(*value)
}

#[track_caller]
fn assert_all(expected: Option<bool>, members: &str, expressions: &[&'static str]) {
    for expression in expressions {
        assert_eq!(evaluate(expression, members), expected, "{expression} on {members}");
    }
}

const MEMBERS: &str = r#""id":"o1","code":{"coding":[{"system":"s","code":"a"},{"system":"s","code":"b","userSelected":true}],
    "text":"T"},"_status":{"id":"x","extension":[{"url":"u","valueString":"v"}]},"effectivePeriod":{"start":"2024","end":"2024-05-01"},
    "valueQuantity":{"value":1.50,"code":"mg"},"component":[{"code":{"text":"c"},"valueInteger":-3},{"code":{"text":"d"},"valueBoolean":false}],
    "note":[{"text":"n1"},{"text":"n2"},{"text":"n1"}],"method":{"coding":[{"code":"a","system":"s"}]}"#;

#[test]
fn paths_lead_to_children_and_choices_have_their_plain_name() {
    assert_all(
        Some(true),
        MEMBERS,
        &[
            "Observation.status = 'final'",
            "DomainResource.status = 'final'",
            "status.exists() and subject.empty() and nick.empty()",
            "code.coding.code.count() = 2",
            "value.value = 1.5",
            "value.code = 'mg'",
            "component.value.count() = 2",
            "component[0].value = -3",
            "component[1].value.not()",
            "component[7].empty()",
            "status.extension.url = 'u'",
            "status.id = 'x'",
            "effective.start.value = '2024'",
            "%resource.id = %context.id and %rootResource.id = id and $this.id = 'o1'",
        ],
    );
}

#[test]
fn types_are_those_of_the_definitions() {
    assert_all(
        Some(true),
        MEMBERS,
        &[
            "value is Quantity",
            "value is Element",
            "(value is string).not()",
            "component[0].value is integer",
            "component[0].value.is(FHIR.integer)",
            "component[1].value is Boolean",
            "component.value.ofType(boolean).count() = 1",
            "(component[0].value as integer) < 0",
            "component.value.as(Quantity).empty()",
            "(subject is Reference).empty()",
            "status is code and status is string",
            "$this is Observation and $this is DomainResource",
        ],
    );
}

#[test]
fn functions_do_what_their_names_say() {
    assert_all(
        Some(true),
        MEMBERS,
        &[
            "code.coding.exists(code = 'b') and code.coding.exists(code = 'c').not()",
            "code.coding.all(system = 's') and code.coding.where(userSelected = true).code = 'b'",
            "note.text.isDistinct().not() and note.text.distinct().count() = 2",
            "code.coding.intersect(method.coding).count() = 1",
            "note.select(text).first() = 'n1' and note.tail().text.first() = 'n2' and note.last().text = 'n1'",
            "note.text.combine(note.text).count() = 6 and (note.text | code.text).count() = 3",
            "iif(value.exists(), code.text, 1) = 'T' and iif(subject.exists(), 1).empty()",
            "subject.iif(empty(), true, false)",
            "code.text.trace('t', id) = 'T'",
            "'Patient/1'.startsWith('Patient') and 'abc'.endsWith('c') and 'abc'.contains('b') and subject.display.contains('b').empty()",
            "'abcdef'.substring(1) = 'bcdef' and 'abcdef'.substring(1, 2) = 'bc' and 'abc'.substring(9).empty()",
            "code.text.substring(0, $this.length() - 1) = ''",
            "'12'.toInteger() = 12 and '1x'.toInteger().empty() and value.value.toString() = '1.50'",
            "status.hasValue() and subject.hasValue().not() and code.hasValue().not()",
            "children().where($this is Quantity).code = 'mg'",
            "descendants().where($this is CodeableConcept).count() = 4",
            "component.repeat(code).text.count() = 2",
            "component.value.ofType(boolean).allFalse() and component.value.ofType(boolean).anyTrue().not()",
            "{}.count() = 0 and {}.exists().not() and {}.empty() and {}.all(false)",
        ],
    );
}

#[test]
fn operators_know_of_nothing() {
    assert_all(
        Some(true),
        MEMBERS,
        &["true or {}", "{} or true", "{} implies true", "false implies {}", "true xor false"],
    );
    assert_all(
        Some(false),
        MEMBERS,
        &["false and {}", "{} and false", "true implies false", "1 = '1'", "status != 'final'"],
    );
    assert_all(
        None,
        MEMBERS,
        &[
            "{} and true",
            "true and {}",
            "{} or false",
            "{} implies false",
            "true xor {}",
            "{} = {}",
            "subject = 'x'",
            "1 < {}",
        ],
    );
    assert_all(
        Some(true),
        MEMBERS,
        &[
            "'#' + id = '#o1'",
            "('a' + subject.display).empty()",
            "'a' & subject.display & 'b' = 'ab'",
            "1 + 2 * 3 = 7",
            "status in ('final' | 'amended')",
            "('final' | 'amended') contains status",
            "note.text in ('n1' | 'n2')",
            "(subject.display in ('a' | 'b')).empty()",
            "1 <= 1.0 and 2 > 1 and 'a' < 'b'",
        ],
    );
}

#[test]
fn dates_are_compared_as_far_as_they_are_known() {
    let period = |start: &str, end: &str| format!(r#""effectivePeriod":{{"start":"{start}","end":"{end}"}}"#);
    for (start, end, expected) in [
        ("2024", "2024", Some(true)),
        ("2024", "2023", Some(false)),
        ("2024", "2025-01", Some(true)),
        ("2024", "2024-05", None),
        ("2024-05-02", "2024-05", None),
        ("2024-06-02", "2024-05", Some(false)),
        ("2024-05-01T00:00:00Z", "2024-05-01", None),
        ("2024-05-01T00:00:00Z", "2024-05-01T01:00:00+02:00", Some(false)),
        ("2024-05-01T00:00:00.5Z", "2024-05-01T00:00:00Z", Some(false)),
    ] {
        let members = period(start, end);
        assert_eq!(evaluate("effective.start <= effective.end", &members), expected, "{members}");
    }
    let boundaries = "effective.start.lowBoundary() <= effective.end.highBoundary()";
    assert_eq!(evaluate(boundaries, &period("2024-05-02", "2024-05")), Some(true));
    assert_eq!(evaluate(boundaries, &period("2024-06-02", "2024-05")), Some(false));
}

#[test]
fn quantities_of_one_unit_are_compared() {
    let range = |low: &str, high: &str| format!(r#""valueRange":{{"low":{{{low}}},"high":{{{high}}}}}"#);
    let expression = "value.low <= value.high";
    assert_eq!(evaluate(expression, &range(r#""value":1"#, r#""value":2"#)), Some(true));
    assert_eq!(
        evaluate(expression, &range(r#""value":3,"unit":"mg""#, r#""value":2,"unit":"mg""#)),
        Some(false)
    );
    // A gram is more than a milligram, which is not known here.
    assert_eq!(evaluate(expression, &range(r#""value":3,"unit":"mg""#, r#""value":2,"unit":"g""#)), None);
}

#[test]
fn equality_does_not_look_at_the_order_of_members() {
    assert_all(
        Some(true),
        r#""code":{"coding":[{"system":"s","code":"\u0061"}]},"method":{"coding":[{"code":"a","system":"s"}]}"#,
        &["code.coding = method.coding", "code = method"],
    );
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (expression, expected) in [
        ("resolve()", Unsupported::Function("resolve()".to_owned())),
        ("a.matches('b')", Unsupported::Function("matches()".to_owned())),
        ("a.count(1)", Unsupported::Function("count()".to_owned())),
        ("a ~ b", Unsupported::Syntax("~")),
        ("a < @2024", Unsupported::Syntax("a date")),
        ("%nick.a", Unsupported::Constant("%nick".to_owned())),
        ("a.", Unsupported::NoExpression),
    ] {
        assert_eq!(program::compile(expression).err(), Some(expected), "{expression}");
    }
}

/// What becomes of each constraint of a version: the keys that share a fate.
fn fates(version: FhirVersion) -> BTreeMap<String, BTreeSet<&'static str>> {
    fn visit(elements: &'static [Element], found: &mut Vec<&'static Constraint>) {
        for element in elements {
            found.extend(&element.constraints);
            visit(&element.children, found);
        }
    }
    let mut constraints = Vec::new();
    for definition in Definitions::of(version).types() {
        constraints.extend(&definition.constraints);
        visit(&definition.elements, &mut constraints);
    }
    let mut fates = BTreeMap::<String, BTreeSet<&str>>::new();
    for constraint in constraints {
        let fate = match Invariant::new(constraint) {
            _ if constraint.key == ADVICE => "not judged: advice".to_owned(),
            _ if BY_HAND.contains(&constraint.key.as_str()) => "judged by hand".to_owned(),
            Ok(_) => "evaluated".to_owned(),
            Err(Unsupported::Function(name)) => format!("not evaluated: {name}"),
            Err(Unsupported::Syntax(what)) => format!("not evaluated: {what}"),
            Err(Unsupported::Constant(name)) => format!("not evaluated: {name}"),
            Err(Unsupported::NoExpression) => "not evaluated: no FHIRPath".to_owned(),
        };
        fates.entry(fate).or_default().insert(&constraint.key);
    }
    fates
}

#[test]
fn which_constraints_are_evaluated_is_known() {
    let mut text = String::new();
    for version in FhirVersion::ALL {
        for (fate, keys) in fates(*version) {
            let keys: Vec<_> = keys.into_iter().collect();
            writeln!(text, "{version} {fate} ({}):\n    {}\n", keys.len(), keys.join(" ")).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}
